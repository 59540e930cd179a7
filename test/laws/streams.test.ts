// Laws 2 to 5 over every recorded stream: a round trip through our own surface, cuts at every byte, the order of events,
// and streams that agree with the whole answers they are paired with. And: the observer says what the decoder says.
// They are in helpers/protocol-laws.ts; protocols.test.ts sees each of them fail.
import { test } from 'tap'
import { type StreamEvent } from '../../src/model/event.js'
import { findViolation } from '../../src/model/law.js'
import { type Dialect, FRAME_BROKEN, FRAME_END, FRAME_ERROR } from '../../src/protocols/contract/protocol.js'
import { PROTOCOLS } from '../../src/protocols/index.js'
import {
  DIALECTS,
  FALLBACK,
  PROTOCOL_FOLDERS,
  readFixtures,
  SURFACES,
  scanPayloads,
  targetFor,
} from '../helpers/protocol-fixtures.js'
import {
  decodePayloads,
  findCutBreaks,
  findDisorder,
  findReadOtherwise,
  findUnlikeObserver,
  findUnlikePair,
} from '../helpers/protocol-laws.js'

test('every protocol folder is registered, under its own name, and every dialect has recordings', async (t) => {
  const ids = PROTOCOLS.map((protocol) => protocol.id)
  t.equal(new Set(ids).size, ids.length)
  for (const folder of PROTOCOL_FOLDERS) t.ok(ids.includes(folder), folder)
  // A folder with several forms of request has one protocol for each.
  for (const id of ids)
    t.ok(
      PROTOCOL_FOLDERS.some((folder) => id === folder || id.startsWith(`${folder}-`)),
      id,
    )
  for (const { id, surface, dialect } of PROTOCOLS) {
    t.same([surface?.id ?? id, dialect?.id ?? id], [id, id])
    if (dialect !== null) t.ok(readFixtures(id, 'streams').length >= 5, `${id} has recorded streams`)
  }
})

for (const dialect of DIALECTS) {
  test(`3. ${dialect.id}: a stream cut at any byte gives the same events`, async (t) => {
    for (const recording of readFixtures(dialect.id, 'streams')) t.same(findCutBreaks(dialect, recording), [])
  })

  test(`4. ${dialect.id}: events keep their order, in ill streams too`, async (t) => {
    for (const recording of readFixtures(dialect.id, 'streams')) t.same(findDisorder(dialect, recording), [])
  })

  test(`5. ${dialect.id}: a stream adds up to the whole answer it is paired with`, async (t) => {
    const answers = new Map(readFixtures(dialect.id, 'responses').map((answer) => [answer.name, answer.bytes]))
    let pairs = 0
    for (const recording of readFixtures(dialect.id, 'streams')) {
      const answer = answers.get(recording.name)
      if (answer === undefined) continue
      pairs += 1
      t.same(findUnlikePair(dialect, recording, answer), [])
    }
    t.ok(pairs >= 3, `${pairs} pairs`)
  })

  test(`${dialect.id}: the observer of a passing stream says what the decoder says`, async (t) => {
    for (const recording of readFixtures(dialect.id, 'streams')) t.same(findUnlikeObserver(dialect, recording), [])
  })
}

for (const dialect of DIALECTS) {
  test(`${dialect.id}: a frame cut short anywhere, or with bytes behind it, is broken to observer and decoder`, async (t) => {
    let broken = 0
    for (const { name, bytes } of readFixtures(dialect.id, 'streams')) {
      const frames = scanPayloads(dialect.framing, [bytes]).filter((frame) => frame.startsWith('{'))
      for (const [at, frame] of frames.entries()) {
        const before = frames.slice(0, at)
        if (!isLive(dialect, bytes, before)) break
        // The last few are enough to have learnt what a frame of this stream looks like.
        for (const ill of illForms(frame)) {
          if (isObjectText(ill)) continue
          broken += 1
          if (!isBroken(dialect, bytes, [...before.slice(-LEARNT_FRAMES), ill])) t.fail(`${name} frame ${at}: ${ill}`)
        }
      }
    }
    t.ok(broken > 500, `${broken} broken frames`)
  })

  test(`${dialect.id}: what is no object of JSON breaks the stream; blank data and an end marker of another wire do not`, async (t) => {
    for (const { name, bytes } of readFixtures(dialect.id, 'streams')) {
      const frames = scanPayloads(dialect.framing, [bytes])
      const before = isLive(dialect, bytes, frames.slice(0, 1)) ? frames.slice(0, 1) : []
      for (const ill of NO_OBJECTS) t.ok(isBroken(dialect, bytes, [...before, ill]), `${name}: ${ill}`)
      const padded = frames.flatMap((frame) => [' ', '\t', frame])
      t.same(decodePayloads(dialect, bytes, padded), decodePayloads(dialect, bytes, frames), name)
    }
    if (dialect.id === 'openai-chat') return
    for (const { name, bytes } of readFixtures(dialect.id, 'streams')) {
      const frames = scanPayloads(dialect.framing, [bytes])
      const marked = frames.flatMap((frame) => [frame, '[DONE]'])
      t.same(decodePayloads(dialect, bytes, marked), decodePayloads(dialect, bytes, frames), name)
    }
  })
}

for (const surface of SURFACES) {
  const dialect = DIALECTS.find((one) => one.id === surface.id)
  if (dialect === undefined) continue
  test(`2. ${surface.id}: what our surface writes of a stream, our dialect reads as the same stream`, async (t) => {
    for (const recording of readFixtures(dialect.id, 'streams'))
      t.same(findReadOtherwise(surface, dialect, recording), [])
  })
}

/** One to be learnt from, and one that is like it. */
const LEARNT_FRAMES = 2
const NO_OBJECTS = [
  '{"this is": not JSON',
  'null',
  '7',
  '"text"',
  '[1]',
  'hello',
  '{"a":1}}',
  '{"a":{}},"b":{}}',
  '{a:1}',
  '\xff',
]
/** A prime, so that cuts fall anywhere. */
const CUT_STEP = 13

/** A frame as a fault may leave it; each begins with the brace that it began with, and most end with one. */
function* illForms(frame: string): Generator<string> {
  yield `${frame}}`
  yield `${frame},"error":{}}`
  for (let at = 1; at < frame.length; at += CUT_STEP) {
    yield frame.slice(0, at)
    yield `${frame.slice(0, at)}}`
  }
  // Within the text of a frame: a quote that nothing escapes, a control character, half an escape.
  const text = frame.indexOf('"', frame.indexOf(':"') + 2)
  for (const quote of [text, frame.lastIndexOf('"')]) {
    if (quote < 0) continue
    for (const slip of ['"', '\n', '\u0001', '\\', '\\x', '\\u12'])
      yield frame.slice(0, quote) + slip + frame.slice(quote)
  }
}

/** A cut may fall so that the rest is an object all the same. */
function isObjectText(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

/** The stream goes on after these frames. */
function isLive(dialect: Dialect, bytes: Buffer, payloads: readonly string[]): boolean {
  const observer = dialect.createObserver({ stripUsage: false, target: targetFor(dialect, bytes) })
  const bits = payloads.reduce((seen, payload) => seen | observer.observe(Buffer.from(payload, 'latin1')), 0)
  return (bits & (FRAME_END | FRAME_ERROR)) === 0
}

/** Observer and decoder both say so of the last of these frames, and of none before. */
function isBroken(dialect: Dialect, bytes: Buffer, payloads: readonly string[]): boolean {
  const target = targetFor(dialect, bytes)
  const observer = dialect.createObserver({ stripUsage: false, target })
  const events: StreamEvent[] = []
  const decoder = dialect.createDecoder((event) => events.push(event), { fallback: FALLBACK, target })
  for (const [at, payload] of payloads.entries()) {
    const data = Buffer.from(payload, 'latin1')
    const isLast = at === payloads.length - 1
    if (((observer.observe(data) & FRAME_BROKEN) !== 0) !== isLast) return false
    decoder.push(data)
    const last = events.at(-1)
    if ((last?.type === 'error' && last.error.code === 'upstream_malformed') !== isLast) return false
  }
  return findViolation(events) === null
}
