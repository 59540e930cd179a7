// A kept stream and its mirror: what goes out, when, and what of readers elsewhere comes back.
import { test } from 'tap'
import { mirror } from '../../../src/streams/redis/kept-mirror.js'
import { StreamWriter, type WriterOptions } from '../../../src/streams/redis/stream-writer.js'
import { COMPLETE, createKept, frame } from '../../helpers/kept.js'

function createMirror(options: Parameters<typeof createKept>[0] = {}) {
  const kept = createKept(options)
  const results: string[] = []
  const queue = { mark: () => undefined, hurry: () => undefined, forget: () => undefined }
  const store = { write: (asked: WriterOptions) => new StreamWriter(asked, queue) }
  const writer = mirror(kept.stream, store, { keepMs: 1000, onOver: (result) => results.push(result) })
  /** What goes to Redis next, which takes it. */
  const send = () => {
    const batch = writer.batch()
    writer.settle(batch.from + batch.frames.length, batch)
    return batch.frames.map((each) => Buffer.from(each).toString().trim())
  }
  return { ...kept, writer, results, send }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('every frame goes out once, in order, and the end after the last one', async (t) => {
  const { stream, writer, results, send } = createMirror()
  stream.append(frame('0'))
  stream.append(Buffer.concat([frame('1'), frame('2')]))
  await turn()
  t.same(send(), ['data: 0', 'data: 1', 'data: 2'])
  stream.append(frame('3'))
  stream.close(COMPLETE)
  await turn()
  t.same(send(), ['data: 3'])
  t.same([results, writer.isOpen, await writer.stored(4)], [['stored'], false, true])
})

test('what gets no answer is read again from the stream', async (t) => {
  const { stream, writer, send } = createMirror()
  for (const text of ['0', '1', '2']) stream.append(frame(text))
  await turn()
  t.equal(writer.batch().frames.length, 3)
  stream.append(frame('3'))
  t.same(send(), ['data: 0', 'data: 1', 'data: 2', 'data: 3'])
})

test('a stream that loses its beginning before it is stored is a gap', async (t) => {
  const { stream, writer, results, send } = createMirror({ maxStreamBytes: 64 * 1024 })
  stream.append(frame('0'))
  await turn()
  t.same(send(), ['data: 0'])
  for (let i = 0; i < 200; i++) stream.append(frame('x'.repeat(1000)))
  await turn()
  await turn()
  t.ok(stream.first > 1)
  t.same(send(), [])
  t.same([results, writer.isOpen], [['gap'], false])
  stream.append(frame('more'))
  stream.close(COMPLETE)
  await turn()
  t.same(results, ['gap'], 'it goes on for its own readers')
})

test('readers elsewhere keep the stream going as readers here do, and cancel it', (t) => {
  const { stream, timers, events, writer } = createMirror()
  writer.remote.attach('south', Number.POSITIVE_INFINITY)
  timers.advance(10_000)
  t.same([stream.readerCount, events], [1, []])
  writer.remote.detach('south')
  timers.advance(500)
  writer.remote.attach('south', Number.POSITIVE_INFINITY)
  timers.advance(10_000)
  t.same(events, [])
  writer.remote.clear()
  timers.advance(1000)
  t.same([stream.readerCount, events], [0, ['abandoned']])
  writer.cancel()
  t.same(events, ['abandoned', 'abandoned'])
  t.end()
})

test('a mirror is no reader: it stops no grace, and holds nothing for itself', async (t) => {
  const { stream, timers, events } = createMirror()
  stream.append(frame('0'))
  await turn()
  timers.advance(1000)
  t.same([stream.readerCount, events], [0, ['abandoned']])
})
