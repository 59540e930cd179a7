// What of a stream goes to Redis, by the script's replies alone.
import { test } from 'tap'
import { decodeEnd } from '../../../src/streams/redis/stored-end.js'
import { type FrameSource, StreamWriter } from '../../../src/streams/redis/stream-writer.js'
import { COMPLETE, OWNER } from '../../helpers/stored-streams.js'

function createWriter() {
  const frames: Buffer[] = []
  const source = {
    first: 0,
    get next() {
      return frames.length
    },
    frame: (number: number) => frames[number] ?? null,
  }
  const notes = { marks: 0, hurries: 0, forgotten: 0, events: [] as string[] }
  const writer = new StreamWriter(
    {
      facts: { id: 'str_a', owner: OWNER },
      source: source satisfies FrameSource,
      keepMs: 1000,
      onRemoteReaders: (areThere) => notes.events.push(String(areThere)),
      onCancel: () => notes.events.push('cancel'),
      onOver: (result) => notes.events.push(result),
    },
    {
      mark: () => {
        notes.marks += 1
      },
      hurry: () => {
        notes.hurries += 1
      },
      forget: () => {
        notes.forgotten += 1
      },
    },
  )
  const say = (text: string) => {
    frames.push(Buffer.from(text))
    writer.appended(text.length)
  }
  const sent = () => {
    const batch = writer.batch()
    return { batch, texts: batch.frames.map(String), from: batch.from, ending: batch.ending }
  }
  return { writer, source, notes, say, sent }
}

test('frames go out in order from the first that was not acknowledged; the facts until they are', (t) => {
  const { writer, notes, say, sent } = createWriter()
  say('0')
  say('1')
  t.equal(notes.marks, 1, 'once for all of a batch')
  t.match(writer.factsToTell, /str_a/)
  const first = sent()
  t.same([first.from, first.texts], [0, ['0', '1']])
  say('2')
  // No reply came: the same again, with what came since.
  const again = sent()
  t.same([again.from, again.texts], [0, ['0', '1', '2']])
  writer.settle(3, again.batch)
  t.equal(writer.factsToTell, '')
  t.same(sent().texts, [])
  // Redis came back with an older state.
  writer.settle(1, again.batch)
  t.same(sent().texts, ['1', '2'])
  t.end()
})

test('much at once does not wait, and goes out in several batches', (t) => {
  const { writer, notes, say, sent } = createWriter()
  say('x'.repeat(3000))
  t.equal(notes.hurries, 0)
  for (let i = 0; i < 9; i++) say('y'.repeat(3000))
  t.ok(notes.hurries > 0)
  const { batch } = sent()
  t.equal(batch.frames.length, 5)
  const { marks } = notes
  writer.settle(5, batch)
  t.equal(notes.marks, marks + 1, 'the rest waits for its turn')
  t.equal(sent().batch.frames.length, 5)
  t.end()
})

test('a frame larger than a batch is a batch', (t) => {
  const { say, sent } = createWriter()
  say('x'.repeat(100_000))
  say('y')
  t.equal(sent().batch.bytes, 100_000)
  t.end()
})

test('the end goes out with the last frame, not before', async (t) => {
  const { writer, notes, say, sent } = createWriter()
  for (let i = 0; i < 10; i++) say('y'.repeat(3000))
  writer.close(COMPLETE)
  writer.close({ ...COMPLETE, outcome: 'failed' })
  const first = sent()
  t.equal(first.ending, '')
  writer.settle(5, first.batch)
  const last = sent()
  t.match(decodeEnd(last.ending), { end: { outcome: 'complete' }, beyond: 0 }, 'only the first end counts')
  const storing = writer.stored(10)
  writer.settle(10, last.batch)
  t.equal(await storing, true)
  t.same([writer.isOpen, notes.forgotten, notes.events], [false, 1, ['stored']])
  writer.appended(1)
  writer.mark()
  t.equal(await writer.stored(11), false)
})

test('a log that Redis lost is stored from what is held, facts included', (t) => {
  const { writer, source, say, sent } = createWriter()
  for (const text of ['0', '1', '2', '3']) say(text)
  writer.settle(4, sent().batch)
  source.first = 2
  writer.settle(-1, sent().batch)
  t.match(writer.factsToTell, /str_a/)
  t.same([sent().from, sent().texts], [2, ['2', '3']])
  t.end()
})

test('what is neither stored nor held is a gap, which closes the log; a waiting caller hears of it', async (t) => {
  const { writer, source, notes, say, sent } = createWriter()
  for (const text of ['0', '1', '2', '3']) say(text)
  writer.settle(1, { ...sent().batch, frames: [] })
  source.first = 2
  const storing = writer.stored(4)
  const gap = sent()
  t.same([gap.from, gap.texts], [1, []])
  t.match(decodeEnd(gap.ending), { end: { outcome: 'upstream_cut' } })
  writer.settle(1, gap.batch)
  t.same([notes.events, writer.isOpen, await storing], [['gap'], false, false])
})

test('nodes that read are let go when the log is closed in the writer’s place', (t) => {
  const { writer, notes, sent } = createWriter()
  writer.remote.attach('south', 10)
  writer.settle(-2, sent().batch)
  t.same(notes.events, ['true', 'false', 'fenced'])
  writer.settle(-2, sent().batch)
  writer.cancel()
  t.same(notes.events.slice(3), ['cancel'], 'once')
  t.end()
})

const AWAITED = -3
const BROKEN = -4
const LOOKS = 80

test('a handle sends no frames: it is sent at once, with each beat in which it has grown, when one waits, and at its end', async (t) => {
  const { writer, notes, say, sent } = createWriter()
  writer.follow('str_of')
  t.equal(notes.marks, 1)
  say('0')
  say('x'.repeat(10_000))
  t.same([notes.marks, notes.hurries], [1, 0])
  const first = sent()
  t.same([first.from, first.texts, first.batch.bytes, first.batch.origin], [2, [], 0, 'str_of'])
  t.match(writer.factsToTell, /str_a/)
  writer.settle(5, first.batch)
  t.same([notes.marks, writer.factsToTell], [1, ''], 'the other log is further; there is nothing to say')
  t.equal(await writer.stored(2), true)
  writer.beat()
  writer.beat()
  t.equal(notes.marks, 2)
  for (const text of ['2', '3', '4', '5']) say(text)
  const storing = writer.stored(6)
  t.equal(notes.marks, 3)
  writer.settle(5, sent().batch)
  t.equal(notes.marks, 4, 'it asks again')
  writer.settle(6, sent().batch)
  t.equal(await storing, true)
  t.equal(notes.marks, 4)
  writer.close(COMPLETE)
  const last = sent()
  writer.settle(5, last.batch)
  t.same([notes.marks, notes.events], [6, []])
  writer.settle(6, sent().batch)
  t.same([notes.events, writer.isOpen], [['stored'], false])
})

test('a handle whose other log will not have its frames sends them itself, and its facts with them', (t) => {
  for (const isKnown of [false, true]) {
    const { writer, say, sent } = createWriter()
    writer.follow('str_of')
    for (const text of ['0', '1']) say(text)
    if (isKnown) writer.settle(2, sent().batch)
    writer.settle(BROKEN, sent().batch)
    t.match(writer.factsToTell, /str_a/)
    const own = sent()
    t.same([own.from, own.texts, own.batch.origin], [0, ['0', '1'], ''])
    writer.settle(2, own.batch)
    say('2')
    t.same(sent().texts, ['2'])
  }
  t.end()
})

test('a handle waits for the other log for some turns, and then sends its frames itself', (t) => {
  const { writer, notes, say, sent } = createWriter()
  writer.follow('str_of')
  say('0')
  for (let look = 1; look < LOOKS; look++) {
    writer.settle(AWAITED, sent().batch)
    t.equal(notes.marks, 1 + look)
    if (sent().batch.origin === '') t.fail(`after ${look}`)
  }
  writer.settle(AWAITED, sent().batch)
  t.same([sent().texts, sent().batch.origin], [['0'], ''])
  t.end()
})

test('a handle that Redis has lost is told anew; one that was closed in its place is over', (t) => {
  const { writer, notes, say, sent } = createWriter()
  writer.follow('str_of')
  say('0')
  writer.settle(1, sent().batch)
  writer.settle(-1, sent().batch)
  t.match(writer.factsToTell, /str_a/)
  t.equal(sent().batch.origin, 'str_of')
  writer.settle(-2, sent().batch)
  t.same(notes.events, ['fenced'])
  t.end()
})
