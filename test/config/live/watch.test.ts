// Changes of real files, however they come about; each is told once, and none while it is still being written.
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { watchFiles } from '../../../src/config/live/watch.js'

const OPTIONS = { everyMs: 20, settleMs: 60 }
/** Timers count whole milliseconds. */
const TIMER_SLACK_MS = 2

function setUp(t: Test, fileName = 'a.yaml') {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-watch-'))
  const file = join(folder, fileName)
  let changes = 0
  let wake: () => void = () => {}
  const start = () => {
    const onChange = (): void => {
      changes += 1
      wake()
    }
    const watch = watchFiles([file], onChange, OPTIONS)
    t.teardown(() => watch.stop())
    return watch
  }
  t.teardown(() => rmSync(folder, { recursive: true }))
  /** The next change, or null when there is none for a while. */
  const next = (withinMs = 20_000) =>
    new Promise<number | null>((resolve) => {
      const timer = setTimeout(() => resolve(null), withinMs)
      wake = () => {
        clearTimeout(timer)
        resolve(changes)
      }
    })
  return { folder, file, start, next }
}

test('reports a file that is written, replaced, removed or created once each', async (t) => {
  const { file, start, next } = setUp(t)
  writeFileSync(file, 'one')
  start()
  // At once: nothing is missed before the first look.
  writeFileSync(file, 'other')
  t.equal(await next(), 1)
  writeFileSync(`${file}.new`, 'third')
  renameSync(`${file}.new`, file)
  t.equal(await next(), 2)
  rmSync(file)
  t.equal(await next(), 3)
  writeFileSync(file, 'fourth')
  t.equal(await next(), 4)
  t.equal(await next(200), null, 'and that is all')
})

test('the swapped symlink of a ConfigMap is a change of the file behind it', async (t) => {
  const { folder, file, start, next } = setUp(t)
  const publish = (version: string, text: string): void => {
    mkdirSync(join(folder, version))
    writeFileSync(join(folder, version, 'a.yaml'), text)
    symlinkSync(version, join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  publish('..v1', 'same length 1')
  symlinkSync('..data/a.yaml', file)
  start()
  publish('..v2', 'same length 2')
  t.equal(await next(), 1)
})

test('a file that is still being written is waited for', async (t) => {
  const { file, start, next } = setUp(t)
  writeFileSync(file, '')
  start()
  let pieces = 0
  let writtenAtMs = 0
  const writing = setInterval(() => {
    pieces += 1
    appendFileSync(file, 'piece\n')
    writtenAtMs = performance.now()
    if (pieces === 12) clearInterval(writing)
  }, OPTIONS.settleMs / 3)
  t.teardown(() => clearInterval(writing))
  // On a busy machine the writer may pause for so long that it looks done; what is told then is told of a file at rest.
  do {
    t.type(await next(), 'number')
    t.ok(performance.now() - writtenAtMs >= OPTIONS.settleMs - TIMER_SLACK_MS, `at rest after ${pieces} pieces`)
  } while (pieces < 12)
})

test('reports nothing after it was stopped', async (t) => {
  const { file, start, next } = setUp(t)
  writeFileSync(file, 'one')
  const watch = start()
  writeFileSync(file, 'other')
  watch.stop()
  t.equal(await next(250), null)
})

test('does not report a change that was acknowledged', async (t) => {
  const { file, start, next } = setUp(t)
  writeFileSync(file, 'one')
  const watch = start()
  writeFileSync(file, 'other')
  watch.note()
  t.equal(await next(250), null)
  writeFileSync(file, 'the next one')
  t.equal(await next(), 1)
})
