// The queue of spans: what waits, what is sent together, what is dropped, and that its end is bounded.
import { test } from 'tap'
import { SpanQueue } from '../../../src/telemetry/traces/span-queue.js'

function rig(changes: { maxQueued?: number; maxBatch?: number; delayMs?: number } = {}) {
  const sent: (readonly number[])[] = []
  const results: [count: number, failure: string | null][] = []
  const waiting: ((failure: Error | null) => void)[] = []
  let dropped = 0
  const queue = new SpanQueue<number>({
    ...{ maxQueued: 10, maxBatch: 4, delayMs: 3_600_000, ...changes },
    send: (batch) => {
      sent.push(batch)
      return new Promise((resolve) => waiting.push(resolve))
    },
    onSent: (count, failure) => results.push([count, failure?.message ?? null]),
    onDropped: (count) => {
      dropped += count
    },
  })
  const answer = async (failure: Error | null = null): Promise<void> => {
    waiting.shift()?.(failure)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { queue, sent, results, answer, dropped: () => dropped }
}

test('a full batch is sent at once, the next one when that is answered, and a rest when its time has come', async (t) => {
  const { queue, sent, results, answer } = rig({ delayMs: 1 })
  queue.add([1, 2, 3, 4], false)
  queue.add([5, 6, 7, 8, 9], false)
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

test('what finds no room is dropped as a whole, and refusals leave half of it to others', async (t) => {
  const { queue, sent, dropped, answer } = rig({ maxBatch: 100 })
  queue.add([1, 2, 3], true)
  queue.add([4, 5, 6], true)
  t.equal(dropped(), 3)
  queue.add([7, 8, 9, 10, 11, 12], false)
  t.equal(dropped(), 3)
  queue.add([13, 14], false)
  t.equal(dropped(), 5)
  const closing = queue.close(3_600_000)
  t.same(sent, [[1, 2, 3, 7, 8, 9, 10, 11, 12]])
  await answer()
  await closing
})

test('its end sends all batches, and is late no longer than it may be', async (t) => {
  const { queue, sent, answer, dropped } = rig({ maxQueued: 100 })
  queue.add([1, 2, 3, 4, 5, 6], false)
  const closing = queue.close(3_600_000)
  await answer()
  await answer()
  await closing
  t.same(sent, [
    [1, 2, 3, 4],
    [5, 6],
  ])
  const stuck = rig({ maxQueued: 100 })
  stuck.queue.add([1, 2, 3, 4, 5, 6], false)
  await stuck.queue.close(1)
  t.equal(stuck.dropped(), 2, 'the collector does not answer')
  t.equal(dropped(), 0)
})
