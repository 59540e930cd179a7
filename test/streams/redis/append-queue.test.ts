// The queue to Redis, with calls that tests answer: one at a time, many logs in one, and nothing lost when one fails.
import { test } from 'tap'
import { AppendQueue } from '../../../src/streams/redis/append-queue.js'
import { type Batch, StreamWriter } from '../../../src/streams/redis/stream-writer.js'
import { COMPLETE, OWNER, until } from '../../helpers/stored-streams.js'

type Call = {
  readonly batches: readonly Batch[]
  readonly answer: (replies: readonly (number | string)[] | Error) => void
}

function createQueue() {
  const calls: Call[] = []
  const refusals: (string | null)[] = []
  const notes = { isUp: true }
  const queue = new AppendQueue({
    isUp: () => notes.isUp,
    send: (batches) =>
      new Promise((resolve, reject) => {
        calls.push({ batches, answer: (replies) => (replies instanceof Error ? reject(replies) : resolve(replies)) })
      }),
    onRefusal: (reason) => refusals.push(reason),
  })
  const open = (id: string) => {
    const frames: Buffer[] = []
    const writer = new StreamWriter(
      {
        facts: { id, owner: OWNER },
        source: {
          first: 0,
          get next() {
            return frames.length
          },
          frame: (number) => frames[number] ?? null,
        },
        keepMs: 1000,
        onRemoteReaders: () => undefined,
        onCancel: () => undefined,
        onOver: () => undefined,
      },
      queue,
    )
    return {
      writer,
      say: (text: string) => {
        frames.push(Buffer.from(text))
        writer.appended(text.length)
      },
    }
  }
  /** Answers the n-th call as Redis would. */
  const accept = (index: number) =>
    calls[index]?.answer(calls[index].batches.map(({ from, frames }) => from + frames.length))
  return { queue, calls, refusals, notes, open, accept }
}

test('what comes within a moment is one call; what comes meanwhile is the next, after the answer', async (t) => {
  const { queue, calls, open, accept } = createQueue()
  const [a, b] = [open('a'), open('b')]
  a.say('a0')
  b.say('b0')
  a.say('a1')
  await until(() => calls.length === 1)
  t.same(
    calls[0]?.batches.map(({ frames }) => frames.map(String)),
    [['a0', 'a1'], ['b0']],
  )
  a.say('a2')
  queue.hurry()
  await new Promise((resolve) => setTimeout(resolve, 60))
  t.equal(calls.length, 1, 'one at a time')
  accept(0)
  await until(() => calls.length === 2)
  t.same(
    calls[1]?.batches.map(({ writer, from }) => [writer.id, from]),
    [['a', 2]],
  )
  accept(1)
  await queue.empty()
  t.equal(await a.writer.stored(3), true)
})

test('a call that fails is sent again, with all that came since', async (t) => {
  const { queue, calls, notes, open, accept } = createQueue()
  const a = open('a')
  a.say('0')
  queue.hurry()
  await until(() => calls.length === 1)
  notes.isUp = false
  calls[0]?.answer(new Error('no answer in time'))
  a.say('1')
  await new Promise((resolve) => setTimeout(resolve, 60))
  t.equal(calls.length, 1, 'nothing is sent without a connection')
  notes.isUp = true
  queue.resume()
  await until(() => calls.length === 2)
  t.same([calls[1]?.batches[0]?.from, calls[1]?.batches[0]?.frames.map(String)], [0, ['0', '1']])
  accept(1)
  await queue.empty()
})

test('a refusal of one log is told, and does not keep the others from being stored', async (t) => {
  const { queue, calls, refusals, open, accept } = createQueue()
  const [a, b] = [open('a'), open('b')]
  a.say('0')
  b.say('0')
  await until(() => calls.length === 1)
  calls[0]?.answer(['OOM command not allowed', 1])
  t.equal(await b.writer.stored(1), true)
  t.same(refusals, ['OOM command not allowed'])
  await until(() => calls.length === 2)
  t.same(
    calls[1]?.batches.map(({ writer }) => writer.id),
    ['a'],
  )
  accept(1)
  await queue.empty()
  t.same(refusals, ['OOM command not allowed', null])
})

test('a call takes so many logs and bytes; the rest follows at once', async (t) => {
  const { queue, calls, open, accept } = createQueue()
  const small = Array.from({ length: 100 }, (_, i) => open(`s${i}`))
  for (const { say } of small) say('x')
  await until(() => calls.length === 1)
  t.equal(calls[0]?.batches.length, 64)
  accept(0)
  await until(() => calls.length === 2)
  t.equal(calls[1]?.batches.length, 36)
  accept(1)
  await queue.empty()
  const large = Array.from({ length: 5 }, (_, i) => open(`l${i}`))
  for (const { say } of large) say('x'.repeat(100_000))
  await until(() => calls.length === 3)
  t.equal(calls[2]?.batches.length, 3)
  accept(2)
  await until(() => calls.length === 4)
  accept(3)
  await queue.empty()
})

test('a stream that ends is out at once, and the queue is empty then; a closed queue sends nothing', async (t) => {
  const { queue, calls, open, accept } = createQueue()
  const a = open('a')
  a.say('0')
  a.writer.close(COMPLETE)
  let isEmpty = false
  void queue.empty().then(() => {
    isEmpty = true
  })
  await until(() => calls.length === 1)
  t.equal(isEmpty, false)
  accept(0)
  await until(() => isEmpty)
  t.equal(a.writer.isOpen, false)
  const b = open('b')
  b.say('0')
  queue.close()
  await queue.empty()
  await new Promise((resolve) => setTimeout(resolve, 60))
  t.equal(calls.length, 1)
})
