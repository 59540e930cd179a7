// The stream log: readers at their own offsets, a cap that holds, and an owner who learns when nobody reads any more.
import fc from 'fast-check'
import { test } from 'tap'
import { errorData } from '../../src/errors.js'
import { NO_USAGE } from '../../src/model/usage.js'
import { StreamLog, type StreamLogOptions } from '../../src/streams/log.js'
import { type LogReader, type StreamEnd } from '../../src/streams/reader.js'

const COMPLETE: StreamEnd = { outcome: 'complete', error: null, usage: NO_USAGE, usageSource: 'provider' }
const CUT: StreamEnd = { ...COMPLETE, outcome: 'upstream_cut', error: errorData('upstream_cut') }
const entry = (text: string) => new Uint8Array(Buffer.from(text))
const idle = () => undefined

function createLog(options: Partial<StreamLogOptions> = {}) {
  let abandoned = 0
  const log = new StreamLog({ capBytes: 1000, retainBytes: 0, ...options }, () => {
    abandoned += 1
  })
  return { log, abandoned: () => abandoned }
}

/** Resolves after all that is due in this turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}

function readAll(reader: LogReader): string[] {
  const read: string[] = []
  for (let next = reader.read(); next !== null; next = reader.read()) read.push(Buffer.from(next).toString())
  return read
}

test('gives every reader the same frames, each at its own pace', async (t) => {
  const { log } = createLog()
  const a = log.attach(idle)
  const b = log.attach(idle)
  log.append(entry('1'))
  log.append(entry('2'))
  t.same(readAll(a), ['1', '2'])
  log.append(entry('3'))
  log.close(COMPLETE)
  t.equal(b.end(), null, 'not before it has read everything')
  t.same(readAll(b), ['1', '2', '3'])
  t.same(readAll(a), ['3'])
  t.equal(a.end(), COMPLETE)
  t.equal(b.end(), COMPLETE)
})

test('lets a reader join late at its offset', async (t) => {
  const { log } = createLog({ retainBytes: 1000 })
  const first = log.attach(idle)
  for (const text of ['a', 'b', 'c']) log.append(entry(text))
  t.same(readAll(first), ['a', 'b', 'c'])
  t.equal(log.start, 0)
  t.equal(log.next, 3)
  t.same(readAll(log.attach(idle)), ['a', 'b', 'c'])
  t.same(readAll(log.attach(idle, 2)), ['c'])
  const ahead = log.attach(idle, 4)
  log.append(entry('d'))
  log.append(entry('e'))
  t.same(readAll(ahead), ['e'])
})

test('lets go of what all have read, but for the bytes retained', async (t) => {
  const { log } = createLog({ retainBytes: 4 })
  const reader = log.attach(idle)
  for (let i = 0; i < 10; i++) log.append(entry('xx'))
  t.equal(log.bytes, 20)
  t.equal(readAll(reader).length, 10)
  t.equal(log.bytes, 4)
  t.equal(log.start, 8)
  t.same(readAll(log.attach(idle, log.start)), ['xx', 'xx'])
  const late = log.attach(idle)
  t.equal(late.isCut, true, 'the beginning is gone, and that is said')
  t.equal(late.read(), null)
})

test('holds no more than its cap after a turn of the loop, and cuts readers that fell behind', async (t) => {
  const { log } = createLog({ capBytes: 10 })
  const slow = log.attach(idle)
  const fast = log.attach(idle)
  const told: boolean[] = []
  const watcher = log.attach(() => told.push(watcher.isCut))
  for (let i = 0; i < 5; i++) {
    log.append(entry('xxx'))
    readAll(fast)
  }
  t.equal(slow.isCut, false, 'there is still time to catch up')
  await turn()
  t.ok(log.bytes <= 10)
  t.equal(slow.isCut, true)
  t.equal(slow.read(), null)
  t.equal(fast.isCut, false)
  t.same(told, [false, true], 'a reader that is cut is told')
  log.append(entry('xxx'))
  await turn()
  t.same(told, [false, true, true], 'and cut once')
  log.close(COMPLETE)
  t.equal(slow.end(), null)
  readAll(fast)
  t.equal(fast.end(), COMPLETE)
})

test('an entry over the cap reaches readers that take it at once, and cuts the others', async (t) => {
  const { log } = createLog({ capBytes: 10 })
  const slow = log.attach(idle)
  const taken: string[] = []
  const fast = log.attach(() => taken.push(...readAll(fast)))
  log.append(entry('x'.repeat(11)))
  log.append(entry('y'))
  await turn()
  t.same(taken, ['x'.repeat(11), 'y'])
  t.same([slow.isCut, fast.isCut], [true, false])
  t.equal(log.bytes, 0, 'a reader that is cut holds nothing back')
  log.append(entry('z'))
  await turn()
  t.same(taken.slice(2), ['z'])
  t.equal(log.bytes, 0)
})

test('many tiny entries weigh as much as they cost', async (t) => {
  const { log } = createLog({ capBytes: 1000, entryCostBytes: 99 })
  const slow = log.attach(idle)
  for (let i = 0; i < 10; i++) log.append(entry('x'))
  await turn()
  t.equal(slow.isCut, false, 'ten of a hundred bytes each')
  log.append(entry('x'))
  await turn()
  t.equal(slow.isCut, true)
  t.equal(log.bytes, 0)
})

test('notifies readers once per tick', async (t) => {
  const { log } = createLog()
  let told = 0
  log.attach(() => {
    told += 1
  })
  await Promise.resolve()
  t.equal(told, 0, 'nothing to read yet')
  log.append(entry('1'))
  log.append(entry('2'))
  log.append(new Uint8Array(0))
  t.equal(told, 0)
  await Promise.resolve()
  t.equal(told, 1)
  log.close(CUT)
  log.close(COMPLETE)
  log.append(entry('late'))
  await Promise.resolve()
  t.equal(told, 2)
  t.equal(log.next, 2, 'nothing comes after the end')
})

test('notifies a reader that joins if there is something to read, or the end', async (t) => {
  const { log } = createLog()
  let told = 0
  const onReadable = () => {
    told += 1
  }
  log.append(entry('1'))
  await Promise.resolve()
  log.attach(onReadable)
  await Promise.resolve()
  t.equal(told, 1)
  log.close(COMPLETE)
  await Promise.resolve()
  log.attach(onReadable, 1)
  await Promise.resolve()
  t.equal(told, 4, 'the first at the end, then both for the new one')
})

test('keeps the first end only', async (t) => {
  const { log } = createLog()
  const reader = log.attach(idle)
  log.close(CUT)
  log.close(COMPLETE)
  t.equal(reader.end(), CUT)
})

test('notifies its owner once when the last reader leaves an open log', async (t) => {
  const { log, abandoned } = createLog()
  const a = log.attach(idle)
  const b = log.attach(idle)
  t.equal(log.readerCount, 2)
  a.detach()
  a.detach()
  t.equal(abandoned(), 0)
  b.detach()
  t.equal(abandoned(), 1)
  t.equal(log.readerCount, 0)
  const after = createLog()
  const last = after.log.attach(idle)
  after.log.close(COMPLETE)
  last.detach()
  t.equal(after.abandoned(), 0, 'not after the end')
})

test('lets go of what only the leaving reader had not read', async (t) => {
  const { log } = createLog()
  const slow = log.attach(idle)
  const fast = log.attach(idle)
  log.append(entry('xxxx'))
  readAll(fast)
  t.equal(log.bytes, 4)
  slow.detach()
  t.equal(log.bytes, 0)
})

test('never passes bytes to a reader that has left, or notifies it', async (t) => {
  const { log } = createLog()
  const told: string[] = []
  const first = log.attach(() => {
    told.push('first')
    second.detach()
  })
  const second = log.attach(() => told.push('second'))
  const third = log.attach(() => told.push('third'))
  log.append(entry('1'))
  await Promise.resolve()
  t.same(told, ['first', 'third'], 'each at most once, whoever leaves meanwhile')
  t.equal(second.read(), null)
  t.same(readAll(third), ['1'])
  t.same(readAll(first), ['1'])
})

test('numbers entries through any amount of trimming', async (t) => {
  const { log } = createLog({ retainBytes: 30, capBytes: 100_000 })
  const reader = log.attach(idle)
  for (let i = 0; i < 5000; i++) {
    log.append(entry(`${i}`))
    if (i % 7 === 0) readAll(reader)
  }
  readAll(reader)
  t.equal(log.next, 5000)
  const at = log.start
  t.equal(readAll(log.attach(idle, at))[0], `${at}`)
})

test('holds these laws for any order of appends, reads, turns and departures', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('append' as const), size: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ kind: fc.constant('read' as const), who: fc.nat(2) }),
    fc.record({ kind: fc.constant('join' as const), who: fc.nat(2) }),
    fc.record({ kind: fc.constant('leave' as const), who: fc.nat(2) }),
    fc.record({ kind: fc.constant('turn' as const) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), fc.integer({ min: 0, max: 60 }), async (steps, retainBytes) => {
      const { log } = createLog({ capBytes: 100, retainBytes })
      const readers: (LogReader | null)[] = [null, null, null]
      const appended: string[] = []
      for (const action of steps) {
        if (action.kind === 'append') {
          appended.push(`${appended.length}:`.padEnd(action.size, 'x'))
          log.append(entry(appended.at(-1) ?? ''))
          continue
        }
        if (action.kind === 'turn') {
          await turn()
          if (log.bytes > 100) return false
          continue
        }
        const reader = readers[action.who] ?? null
        if (action.kind === 'join' && reader === null) readers[action.who] = log.attach(idle, log.start)
        if (reader === null) continue
        if (action.kind === 'leave') {
          reader.detach()
          readers[action.who] = null
        }
        if (action.kind === 'read') {
          const at = reader.offset
          const next = reader.read()
          if (next === null ? !reader.isCut && at < log.next : Buffer.from(next).toString() !== appended[at])
            return false
        }
      }
      return log.next === appended.length
    }),
    { numRuns: 1000 },
  )
})
