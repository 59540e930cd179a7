// The laws of kept streams: what a client got over all its connections is the uncut stream; a gap and a dead upstream are said; and the
// exchange behind settles once, whatever becomes of its clients.
import fc from 'fast-check'
import { test } from 'tap'
import { NumberedReader } from '../../src/server/kept/numbered-reader.js'
import { type KeptStream } from '../../src/streams/kept/kept-stream.js'
import { type FrameReader, type StreamEnd } from '../../src/streams/reader.js'
import { createFrameScanner } from '../../src/wire/frame.js'
import { FakeSink } from '../helpers/fake-sink.js'
import { COMPLETE, CUT, createKept, readAll } from '../helpers/kept.js'
import { createKeptRig } from '../helpers/kept-sink.js'
import { PipelineRig, turn } from '../helpers/pipeline.js'
import { breaches } from '../helpers/pipeline-breaches.js'
import { ANTHROPIC, OPENAI, STREAMS, type Wire } from '../helpers/pipeline-wires.js'
import { DIALECTS, readFixtures } from '../helpers/protocol-fixtures.js'

type Framing = 'sse' | 'ndjson'
type Recording = { readonly name: string; readonly framing: Framing; readonly frames: readonly Buffer[] }

/** Every recorded stream of every wire, and one of each trouble: comments, ids of the upstream's, other line ends, several data lines. */
const CORPUS: readonly Recording[] = [
  ...DIALECTS.flatMap(({ id, framing }) =>
    readFixtures(id, 'streams').map(({ name, bytes }) => ({
      name: `${id}/${name}`,
      framing,
      frames: framesOf(framing, bytes),
    })),
  ),
  {
    name: 'troubles',
    framing: 'sse',
    frames: [
      ...[': open\n\n', 'id: 99\ndata: {"a":1}\n\n', 'data: {"b":2}\r\n\r\n', 'event: x\ndata: one\ndata: two\n\n'],
      ...['retry: 5\n\n', ': ping\n\n', 'data: \u00e4\u20ac\n\n', 'event: bare\n\n', 'data: [DONE]\n\n'],
    ].map((text) => Buffer.from(text)),
  },
]

/** All frames as they came, those without data included. */
function framesOf(framing: Framing, bytes: Buffer): Buffer[] {
  const frames: Buffer[] = []
  const scanner = createFrameScanner(framing, (_payload, { source, start, end }) => {
    frames.push(Buffer.from(source.subarray(start, end)))
  })
  scanner.push(bytes)
  scanner.end()
  return frames
}

/** What an uncut client gets of it: the frames, without what has no number. */
function uncut({ framing, frames }: Recording): string[] {
  const { stream } = createKept({ framing })
  for (const frame of frames) stream.append(frame)
  stream.close(COMPLETE)
  return readAll(stream.attach({ how: 'first', offset: 0, onReadable: idle }))
}

function idle(): void {}

/**
 * A client with a cursor over connections that break: it takes a frame when it is whole, remembers the number after its last one, and
 * forgets what was begun. In NDJSON it counts lines.
 */
class CursorClient {
  readonly frames: string[] = []
  next = 0
  isOver = false
  readonly #framing: Framing
  #buffer = ''

  constructor(framing: Framing) {
    this.#framing = framing
  }

  take(text: string): void {
    this.#buffer += text
    const end = this.#framing === 'sse' ? /\r?\n\r?\n/ : /\n/
    for (let found = end.exec(this.#buffer); found !== null; found = end.exec(this.#buffer)) {
      const frame = this.#buffer.slice(0, found.index + found[0].length)
      this.#buffer = this.#buffer.slice(frame.length)
      this.#note(frame)
    }
  }

  lose(): void {
    this.#buffer = ''
  }

  #note(frame: string): void {
    const [, number, rest = frame] = this.#framing === 'sse' ? (/^id: (\d+)\n(.*)$/s.exec(frame) ?? []) : []
    if (this.#framing === 'sse' && Number(number) !== this.next) throw new Error(`${number} instead of ${this.next}`)
    this.frames.push(rest)
    this.next += 1
  }
}

/** Serves one connection until the client has had `bytes` bytes, or all there is now; true if it has ended by itself. */
function serve(stream: KeptStream, client: CursorClient, bytes: number): boolean {
  const plain = stream.attach({ how: 'resume', offset: client.next, onReadable: idle })
  const reader: FrameReader = stream.facts.framing === 'sse' ? new NumberedReader(plain) : plain
  let left = bytes
  // Latin 1, so that a cut may fall into a character.
  const write = (text: string): void => {
    client.take(text.slice(0, left))
    left -= Math.min(left, text.length)
  }
  while (left > 0) {
    const frame = reader.read()
    if (frame !== null) write(Buffer.from(frame).toString('latin1'))
    else break
  }
  const end = left > 0 ? reader.end() : null
  if (end?.error != null && client.next <= stream.next) write(`id: ${stream.next}\ndata: {"error":1}\n\n`)
  const isWhole = end !== null && left > 0
  if (!isWhole) client.lose()
  plain.detach()
  return isWhole
}

const corpusAt = fc.integer({ min: 0, max: CORPUS.length - 1 })

test('law 1: cut anywhere, any number of times, a client with a cursor gets the uncut stream', (t) => {
  t.ok(CORPUS.length > 30, `${CORPUS.length} streams`)
  const whole = new Map(CORPUS.map((recording) => [recording, uncut(recording)]))
  const connection = fc.record({
    /** Frames that come before it. */
    frames: fc.integer({ min: 0, max: 4 }),
    /** As one entry of the log, or each as its own. */
    isJoined: fc.boolean(),
    bytes: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 2000 })),
  })
  const drawn = fc.tuple(corpusAt, fc.array(connection, { minLength: 1, maxLength: 60 }), fc.boolean())
  fc.assert(
    fc.property(drawn, ([at, connections, isFailed]) => {
      const recording = CORPUS[at] as Recording
      const { framing, frames } = recording
      const { stream } = createKept({ framing, maxLagBytes: Number.POSITIVE_INFINITY })
      const client = new CursorClient(framing)
      const end: StreamEnd = isFailed && framing === 'sse' ? CUT : COMPLETE
      let sent = 0
      for (const { frames: count, isJoined, bytes } of connections) {
        const coming = frames.slice(sent, sent + count)
        sent += coming.length
        if (isJoined) stream.append(Buffer.concat(coming))
        else for (const each of coming) stream.append(each)
        serve(stream, client, bytes)
      }
      for (const each of frames.slice(sent)) stream.append(each)
      stream.close(end)
      for (let tries = 0; !serve(stream, client, 500 + 100 * tries); tries++) if (tries > 1000) return false
      const expected = (whole.get(recording) ?? []).map((text) => Buffer.from(text).toString('latin1'))
      if (end === CUT) expected.push('data: {"error":1}\n\n')
      return client.frames.join('|') === expected.join('|')
    }),
    { numRuns: 400 },
  )
  t.end()
})

test('law 1, one by one: each stream cut after each of its bytes', (t) => {
  for (const recording of CORPUS.filter(({ frames }) => Buffer.concat(frames).length < 6000)) {
    const { framing, frames } = recording
    const { stream } = createKept({ framing })
    for (const each of frames) stream.append(each)
    stream.close(COMPLETE)
    const expected = uncut(recording).map((text) => Buffer.from(text).toString('latin1'))
    const length = expected.join('').length + expected.length * 12
    for (let bytes = 0; bytes < length; bytes += 1 + Math.floor(length / 300)) {
      const client = new CursorClient(framing)
      serve(stream, client, bytes)
      if (!serve(stream, client, Number.MAX_SAFE_INTEGER) || client.frames.join('|') !== expected.join('|')) {
        t.fail(`${recording.name} cut after ${bytes} bytes`)
      }
    }
  }
  t.end()
})

const WIRES: readonly Wire[] = [OPENAI, ANTHROPIC]

/** A kept exchange in mid-stream, with one place for it. */
async function midStream(wire: Wire) {
  const kept = createKeptRig()
  const rig = new PipelineRig({ concurrency: 1 })
  const client = new FakeSink()
  await rig.ask({
    surface: wire,
    model: wire === OPENAI ? 'one' : 'other',
    sink: client,
    wrap: (sink) => kept.wrap(sink),
  })
  const { head, content } = STREAMS[rig.call.wire]
  rig.call.head().send(head, content[0])
  await turn()
  const stream = kept.streamOf(client.heads[0]?.headers ?? [])
  return { kept, rig, client, stream, wire }
}

for (const wire of WIRES) {
  test(`law 3: ${wire}: a stream whose client has left settles once, at the end of its upstream, and holds its slot until then`, async (t) => {
    const { kept, rig, client, stream } = await midStream(wire)
    client.leave()
    await turn()
    t.equal(rig.records.length, 0)
    t.equal(rig.limiter.slots, 1)
    t.equal(rig.call.aborts, 0)
    kept.timers.advance(900)
    const back = stream.attach({ how: 'resume', offset: 1, onReadable: idle })
    const { content, finish, marker } = STREAMS[rig.call.wire]
    rig.call.send(content[1], content[2], finish, marker).end()
    await turn()
    t.equal(rig.records.length, 1)
    t.match(rig.record, {
      outcome: 'complete',
      usage: { inputTokens: 11, outputTokens: 7 },
      stream: stream.facts.id.slice(0, 12),
    })
    t.equal(rig.limiter.slots, 0)
    t.same(breaches(rig, [client]), [])
    kept.timers.advance(4000)
    const rest = readAll(back).join('')
    t.ok(rest.includes(STREAMS[wire].endMarker))
    t.equal(back.end()?.outcome, 'complete')
    t.equal(rig.records.length, 1, 'readers settle nothing')
    t.same(kept.counters.readers, ['first client_gone'])
  })

  test(`law 6: ${wire}: a grace that runs out aborts the upstream and settles as left by the client`, async (t) => {
    const { kept, rig, client, stream } = await midStream(wire)
    client.leave()
    kept.timers.advance(999)
    t.equal(rig.call.aborts, 0)
    kept.timers.advance(1)
    await turn()
    t.equal(rig.call.aborts, 1)
    t.equal(rig.records.length, 1)
    t.match(rig.record, { outcome: 'client_gone', status: 200 })
    t.same(breaches(rig, [client]), [])
    const late = stream.attach({ how: 'resume', offset: 0, onReadable: idle })
    readAll(late)
    t.equal(late.end()?.error?.code, 'client_gone')
  })

  test(`law 6: ${wire}: without content, too`, async (t) => {
    const kept = createKeptRig()
    const rig = new PipelineRig()
    const client = new FakeSink()
    await rig.ask({
      surface: wire,
      model: wire === OPENAI ? 'one' : 'other',
      sink: client,
      wrap: (sink) => kept.wrap(sink),
    })
    client.leave()
    await turn()
    t.match(rig.record, { outcome: 'client_gone', status: 499, stream: null }, 'it had no id to come back with')
    t.equal(kept.streams.size, 0)
    t.same(breaches(rig, [client]), [])
  })

  test(`law 2: ${wire}: an upstream that dies is said to every reader, never a clean end`, async (t) => {
    const { rig, client, stream } = await midStream(wire)
    const other = stream.attach({ how: 'resume', offset: 0, onReadable: idle })
    rig.call.cut()
    await turn()
    t.equal(rig.records.length, 1)
    t.match(rig.record, { outcome: 'upstream_cut' })
    readAll(other)
    t.equal(other.end()?.outcome, 'upstream_cut')
    t.match(client.text, new RegExp(`id: ${stream.next}\\n.*error`, 's'))
    t.notMatch(client.text, STREAMS[wire].endMarker)
    t.same(breaches(rig, [client]), [])
  })

  test(`law 2: ${wire}: a drain is said as well`, async (t) => {
    const { rig, client, stream } = await midStream(wire)
    client.leave()
    rig.pipeline.endAll()
    await turn()
    t.match(rig.record, { outcome: 'drained' })
    t.equal(stream.streamEnd?.outcome, 'drained')
    t.same(breaches(rig, [client]), [])
  })
}
