// The queue of spans: what waits, what is sent together, what is dropped, and that its end is bounded.
import { test } from 'tap'
import { SpanQueue, WRITTEN_AT_ONCE } from '../../../src/telemetry/traces/span-queue.js'

class Spans {
  readonly written: number[] = []
  get spans(): number {
    return this.written.length
  }
}

function rig(changes: { maxQueued?: number; maxBatch?: number; delayMs?: number } = {}) {
  const sent: (readonly number[])[] = []
  const results: [count: number, failure: string | null][] = []
  const waiting: ((failure: Error | null) => void)[] = []
  let dropped = 0
  const queue = new SpanQueue<Spans>({
    ...{ maxQueued: 10, maxBatch: 4, delayMs: 3_600_000, ...changes },
    createBatch: () => new Spans(),
    send: (batch) => {
      sent.push(batch.written)
      return new Promise((resolve) => waiting.push(resolve))
    },
    onSent: (count, failure) => results.push([count, failure?.message ?? null]),
    onDropped: (count) => {
      dropped += count
    },
  })
  let written = 0
  const add = (spans: readonly number[], isMinor: boolean): void => {
    const write = (batch: Spans): void => {
      written += 1
      batch.written.push(...spans)
    }
    queue.put({ spans: spans.length, write }, isMinor)
  }
  const answer = async (failure: Error | null = null): Promise<void> => {
    waiting.shift()?.(failure)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { add, queue, sent, results, answer, dropped: () => dropped, written: () => written }
}

test('a full batch is sent at once, the next one when that is answered, and a rest when its time has come', async (t) => {
  const { add, sent, results, answer } = rig({ delayMs: 1 })
  add([1, 2, 3, 4], false)
  add([5, 6, 7], false)
  add([8], false)
  add([9], false)
  t.same(sent, [[1, 2, 3, 4]])
  await answer()
  t.same(sent, [
    [1, 2, 3, 4],
    [5, 6, 7, 8],
  ])
  await answer(new Error('gone'))
  t.same(results, [
    [4, null],
    [4, 'gone'],
  ])
  while (sent.length < 3) await new Promise((resolve) => setImmediate(resolve))
  t.same(sent[2], [9])
  await answer()
})

test('the spans of a request are sent together, even if there are more of them than a batch has', async (t) => {
  const { add, sent, answer } = rig()
  add([1, 2, 3], false)
  add([4, 5], false)
  t.same(sent, [[1, 2, 3]])
  await answer()
  add([6, 7, 8, 9, 10, 11], false)
  t.same(sent.slice(1), [[4, 5]])
  await answer()
  t.same(sent.slice(2), [[6, 7, 8, 9, 10, 11]])
  await answer()
})

test('what finds no room is dropped as a whole, and refusals leave half of it to others', async (t) => {
  const { add, queue, sent, dropped, answer } = rig({ maxBatch: 100 })
  add([1, 2, 3], true)
  add([4, 5, 6], true)
  t.equal(dropped(), 3)
  add([7, 8, 9, 10, 11, 12], false)
  t.equal(dropped(), 3)
  add([13, 14], false)
  t.equal(dropped(), 5)
  const closing = queue.close(3_600_000)
  t.same(sent, [[1, 2, 3, 7, 8, 9, 10, 11, 12]])
  await answer()
  await closing
})

test('its end sends all batches, and is late no longer than it may be', async (t) => {
  const { add, queue, sent, answer, dropped } = rig({ maxQueued: 100 })
  add([1, 2, 3, 4], false)
  add([5, 6], false)
  const closing = queue.close(3_600_000)
  await answer()
  await answer()
  await closing
  t.same(sent, [
    [1, 2, 3, 4],
    [5, 6],
  ])
  const stuck = rig({ maxQueued: 100 })
  stuck.add([1, 2, 3, 4], false)
  stuck.add([5, 6], false)
  await stuck.queue.close(1)
  t.equal(stuck.dropped(), 2, 'the collector does not answer')
  t.equal(dropped(), 0)
})

test('the spans of several requests are written together, and at the latest when they are sent', async (t) => {
  const { add, queue, sent, answer, written } = rig({ maxQueued: 1000, maxBatch: 1000 })
  for (let i = 1; i < WRITTEN_AT_ONCE; i++) add([i], false)
  t.equal(written(), 0)
  add([WRITTEN_AT_ONCE], false)
  t.equal(written(), WRITTEN_AT_ONCE)
  add([0], false)
  t.equal(written(), WRITTEN_AT_ONCE)
  const closing = queue.close(3_600_000)
  t.same(sent, [[...Array.from({ length: WRITTEN_AT_ONCE }, (_, i) => i + 1), 0]])
  await answer()
  await closing
})
