// A request as those see it that may be answered from it: who keeps it going, and what they get.
import { test } from 'tap'
import { type JoinableStream, type RunHead, SharedRun } from '../../../src/streams/sharing/shared-run.js'
import { createFakeTimers } from '../../helpers/fake-timers.js'

type Stream = { -readonly [Name in keyof JoinableStream]: JoinableStream[Name] }
type Head = RunHead<Stream, string>

function createRun({ graceMs = 0 } = {}) {
  const timers = createFakeTimers()
  let abandoned = 0
  const run = new SharedRun<Stream, string>({
    ...{ requestId: 'r1', graceMs, mayBeRetried: true, takesFollowers: true },
    startGrace: (delayMs, act) => timers.after(delayMs, act),
    onAbandoned: () => {
      abandoned += 1
    },
  })
  const heads: Head[] = []
  const wait = () => run.wait((head) => heads.push(head))
  return { run, timers, heads, wait, abandoned: () => abandoned }
}

const stream = (): Stream => ({ first: 0, streamEnd: null, readerCount: 0 })

test('every one that waits gets the head, once', (t) => {
  const { run, heads, wait } = createRun()
  wait()
  wait()
  const leave = wait()
  leave()
  run.begin({ kind: 'answer', answer: 'yes' })
  run.begin({ kind: 'gone' })
  t.same(heads, [
    { kind: 'answer', answer: 'yes' },
    { kind: 'answer', answer: 'yes' },
  ])
  t.same(run.head, { kind: 'answer', answer: 'yes' })
  leave()
  t.end()
})

test('without its client it goes on for those who wait, and is given up with the last of them', (t) => {
  const { run, wait, abandoned } = createRun()
  const first = wait()
  const second = wait()
  t.ok(run.clientLeft())
  first()
  t.equal(abandoned(), 0)
  second()
  t.equal(abandoned(), 1)
  second()
  t.equal(abandoned(), 1)
  t.end()
})

test('those who leave while its client is there give nothing up', (t) => {
  const { run, wait, abandoned } = createRun({ graceMs: 10 })
  wait()()
  t.equal(abandoned(), 0)
  t.equal(run.clientCount, 1)
  t.end()
})

test('without anyone it ends at once, or after its grace', (t) => {
  t.notOk(createRun().run.clientLeft())
  const { run, timers, wait, abandoned } = createRun({ graceMs: 100 })
  t.ok(run.clientLeft())
  timers.advance(99)
  t.equal(abandoned(), 0)
  const leave = wait()
  timers.advance(1000)
  t.equal(abandoned(), 0, 'one that waits stops the clock')
  leave()
  timers.advance(99)
  t.equal(abandoned(), 0, 'and it starts anew')
  timers.advance(1)
  t.equal(abandoned(), 1)
  t.end()
})

test('once it has begun its stream decides', (t) => {
  const { run, timers, abandoned } = createRun({ graceMs: 100 })
  run.clientLeft()
  run.begin({ kind: 'stream', find: stream })
  timers.advance(1000)
  t.equal(abandoned(), 0)
  t.notOk(run.clientLeft(), 'who leaves now leaves as a reader')
  t.end()
})

test('counts its clients: the first, those who wait, readers and those about to read', (t) => {
  const { run, wait } = createRun()
  const kept = stream()
  t.equal(run.clientCount, 1)
  const leave = wait()
  t.equal(run.clientCount, 2)
  run.clientLeft()
  leave()
  t.equal(run.clientCount, 0)
  run.begin({ kind: 'stream', find: () => kept })
  t.equal(run.clientCount, 0)
  const joined = run.join()
  t.equal(run.clientCount, 1)
  kept.readerCount = 1
  joined()
  joined()
  t.equal(run.clientCount, 1)
  t.end()
})

test('has the beginning as long as its stream is kept with frame 0', (t) => {
  const { run } = createRun()
  let kept: Stream | null = stream()
  t.ok(run.holdsBeginning)
  run.begin({ kind: 'stream', find: () => kept })
  t.ok(run.holdsBeginning)
  kept.first = 1
  t.notOk(run.holdsBeginning)
  kept = null
  t.notOk(run.holdsBeginning)
  const gone = createRun().run
  gone.begin({ kind: 'gone' })
  t.notOk(gone.holdsBeginning)
  t.end()
})

test('its first end counts, and ends the wait of those who have nothing to wait for', (t) => {
  const { run, heads, wait } = createRun({ graceMs: 100 })
  wait()
  run.end(5, false)
  run.end(6, true)
  t.same(heads, [{ kind: 'gone' }])
  t.equal(run.endedAtMs, 5)
  t.equal(run.isComplete, false)
  t.notOk(run.clientLeft())
  t.end()
})

test('one that is of no use any more holds nothing of its answer', (t) => {
  const { run, heads, wait } = createRun()
  run.forget()
  t.equal(run.head, null, 'before its head nothing changes')
  wait()
  run.begin({ kind: 'answer', answer: 'yes' })
  run.end(1, false)
  run.forget()
  t.same(run.head, { kind: 'gone' })
  t.same(heads, [{ kind: 'answer', answer: 'yes' }], 'who waited has it')
  t.notOk(run.holdsBeginning)
  t.end()
})
