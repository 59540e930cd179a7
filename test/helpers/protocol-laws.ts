// Laws 1 to 5, and the observer's, as functions: a dialect and a recording in, breaches out, none where the law holds.
// test/laws/requests.test.ts and streams.test.ts apply them to every protocol, protocols.test.ts to made-up ones that break them.
import { isDeepStrictEqual } from 'node:util'
import { Aggregator } from '../../src/model/aggregate.js'
import { type StreamEvent } from '../../src/model/event.js'
import { type JsonObject } from '../../src/model/json.js'
import { findViolation } from '../../src/model/law.js'
import { type ChatResponse } from '../../src/model/response.js'
import { type Target } from '../../src/model/target.js'
import {
  type Dialect,
  FRAME_CONTENT,
  FRAME_END,
  FRAME_ERROR,
  type Surface,
} from '../../src/protocols/contract/protocol.js'
import { parseRequestBody, spliceMembers } from '../../src/wire/body/members.js'
import { parseJsonBody } from '../../src/wire/json.js'
import { cutAtEveryByte } from './chunks.js'
import { fakeTarget } from './fake-protocol.js'
import { decodeChunks, FALLBACK, type Fixture, scanPayloads, targetFor } from './protocol-fixtures.js'

/** A vendor without quirks, whose name for the model is the client's. */
export function ownTarget(dialect: Dialect, body: JsonObject): Target {
  const target = fakeTarget(dialect.id, String(body.model))
  const maxTokensField = 'max_completion_tokens' in body ? 'max_completion_tokens' : 'max_tokens'
  const reasoningRequest = 'reasoning' in body ? 'reasoning' : 'reasoning_effort'
  return { ...target, quirks: { ...target.quirks, maxTokensField, reasoningRequest } }
}

/** Law 1: a request to its own protocol passes byte by byte, and nothing of it is dropped. */
export function findChangedBytes(surface: Surface, dialect: Dialect, { name, bytes }: Fixture): string[] {
  const body = new Uint8Array(bytes)
  const { json, members } = parseRequestBody(body)
  const facts = { ...surface.readFacts(json), includeUsage: true }
  const { edits, dropped } = dialect.editRequest(facts, json, ownTarget(dialect, json))
  const breaches = dropped.map((field) => `${name}: ${field} is dropped`)
  return bytes.equals(spliceMembers(body, members, edits)) ? breaches : [...breaches, `${name}: other bytes`]
}

/** The observer of a passing stream says what the decoder says. */
export function findUnlikeObserver(dialect: Dialect, { name, bytes }: Fixture): string[] {
  const target = targetFor(dialect, bytes)
  const events = decodeChunks(dialect, target, [bytes])
  const observer = dialect.createObserver({ stripUsage: false, target })
  let bits = 0
  for (const payload of scanPayloads(dialect.framing, [bytes])) {
    bits |= observer.observe(Buffer.from(payload, 'latin1'))
  }
  const last = events.at(-1)
  const isComplete = observer.isComplete()
  const breaches: string[] = []
  const check = (isRight: boolean, what: string): void => {
    if (!isRight) breaches.push(`${name}: ${what}`)
  }
  check(isComplete === (last?.type === 'finish'), 'complete')
  if (last?.type === 'finish') check(isDeepStrictEqual(observer.usage, last.usage), 'usage')
  check(((bits & FRAME_ERROR) !== 0) === (observer.error !== null), 'error')
  if (observer.error !== null && last?.type === 'error') {
    check(isDeepStrictEqual(observer.error, last.error), 'the same error')
  }
  const hasContent = events.some((event) => event.type === 'block-delta' && event.delta !== '')
  if (hasContent) check((bits & FRAME_CONTENT) !== 0, 'content')
  if ((bits & FRAME_END) !== 0 && observer.error === null) check(isComplete, 'end')
  return breaches
}

/** Law 3: a stream that is cut at any byte, or has CR LF, gives the same events. */
export function findCutBreaks(dialect: Dialect, { name, bytes }: Fixture): string[] {
  const target = targetFor(dialect, bytes)
  const whole = decodeChunks(dialect, target, [bytes])
  const isWhole = (chunks: readonly Buffer[]) => isDeepStrictEqual(decodeChunks(dialect, target, chunks), whole)
  const breaches = isWhole(cutAtEveryByte(bytes)) ? [] : [`${name}: byte by byte`]
  // A decoder sees payloads only, so the same payloads are the same events; decoding at each cut would cost minutes.
  const payloads = scanPayloads(dialect.framing, [bytes])
  for (let at = 0; at <= bytes.length; at++) {
    const cut = scanPayloads(dialect.framing, [bytes.subarray(0, at), bytes.subarray(at)])
    if (cut.length !== payloads.length || cut.some((payload, i) => payload !== payloads[i])) {
      breaches.push(`${name}: cut at ${at}`)
    }
  }
  const crlf = Buffer.from(bytes.toString('latin1').replaceAll('\n', '\r\n'), 'latin1')
  return isWhole(cutAtEveryByte(crlf)) ? breaches : [...breaches, `${name}: with CR LF`]
}

/** A frame is decoded to the same events whether it resembles those before it or not: as recorded, and with each frame twice. */
export function findLikeness(dialect: Dialect, { name, bytes }: Fixture): string[] {
  const payloads = scanPayloads(dialect.framing, [bytes])
  const twice = payloads.flatMap((payload) => [payload, payload])
  return [payloads, twice].flatMap((frames, i) =>
    isReadAlike(dialect, bytes, frames) ? [] : [`${name}: ${i === 0 ? 'as recorded' : 'each frame twice'}`],
  )
}

/** True if the same events come of these frames and of the same ones with white space behind each, so that none is like another. */
export function isReadAlike(dialect: Dialect, bytes: Buffer, frames: readonly string[]): boolean {
  const unlike = frames.map((frame, i) => (frame.startsWith('{') ? frame + ' '.repeat(i + 1) : frame))
  return isDeepStrictEqual(decodePayloads(dialect, bytes, frames), decodePayloads(dialect, bytes, unlike))
}

/** Law 4: events keep their order, in ill streams too. */
export function findDisorder(dialect: Dialect, { name, bytes }: Fixture): string[] {
  const frames = scanPayloads(dialect.framing, [bytes])
  const breaches: string[] = []
  const judge = (fault: string, events: readonly StreamEvent[]) => {
    const violation = findViolation(events)
    if (violation !== null) breaches.push(`${name} ${fault}: ${violation}`)
  }
  for (const [fault, payloads] of illStreams(frames)) judge(fault, decodePayloads(dialect, bytes, payloads))
  judge('as recorded', decodeChunks(dialect, targetFor(dialect, bytes), [bytes]))
  return breaches
}

/** Law 5: a stream adds up to the whole answer it is paired with. */
export function findUnlikePair(dialect: Dialect, { name, bytes }: Fixture, answer: Buffer): string[] {
  const target = targetFor(dialect, bytes)
  const events = decodeChunks(dialect, target, [bytes])
  const whole = dialect.decodeResponse(parseJsonBody(answer), FALLBACK, target)
  return compare(name, aggregate(events), whole)
}

/** Law 2: what the surface writes of a complete stream, the dialect of the same wire reads as the same stream. */
export function findReadOtherwise(surface: Surface, dialect: Dialect, { name, bytes }: Fixture): string[] {
  const events = decodeChunks(dialect, targetFor(dialect, bytes), [bytes])
  if (events.at(-1)?.type !== 'finish') return []
  const rewritten = Buffer.from(encodeEvents(surface, events))
  const reread = decodeChunks(dialect, targetFor(dialect, rewritten), [rewritten])
  const violation = findViolation(reread)
  if (violation !== null) return [`${name}: ${violation}`]
  const { finishReason, ...expected } = aggregate(events)
  const found = aggregate(reread)
  // A vendor's reason of its own is `other`: surfaces of wires without a word for that write their plain end.
  const isPlainEnd = finishReason === 'other' && found.finishReason === 'stop'
  return compare(name, found, { ...expected, finishReason: isPlainEnd ? 'stop' : finishReason })
}

/** Events of these payloads, with the end of the stream behind them. `bytes`: the recording that they are of. */
export function decodePayloads(dialect: Dialect, bytes: Buffer, payloads: readonly string[]): StreamEvent[] {
  const events: StreamEvent[] = []
  const options = { fallback: FALLBACK, target: targetFor(dialect, bytes) }
  const decoder = dialect.createDecoder((event) => events.push(event), options)
  for (const payload of payloads) decoder.push(Buffer.from(payload, 'latin1'))
  decoder.end()
  return events
}

function encodeEvents(surface: Surface, events: readonly StreamEvent[]): string {
  let written = ''
  const encoder = surface.createEncoder(
    (frame) => {
      written += frame
    },
    { includeUsage: true },
  )
  for (const event of events) encoder.push(event)
  return written
}

function aggregate(events: readonly StreamEvent[]): ChatResponse {
  const aggregator = new Aggregator(FALLBACK)
  for (const event of events) aggregator.push(event)
  return aggregator.response()
}

/** What two recordings of one answer must share: not their ids and times. */
function compare(name: string, found: ChatResponse, wanted: ChatResponse): string[] {
  return (['content', 'finishReason', 'stopSequence', 'usage', 'refusal'] as const)
    .filter((field) => !isDeepStrictEqual(found[field], wanted[field]))
    .map((field) => `${name}: ${field} is ${JSON.stringify(found[field])}, not ${JSON.stringify(wanted[field])}`)
}

const GARBAGE = [
  '{',
  'null',
  '[]',
  '"x"',
  '{}',
  '[DONE]',
  '{"choices":7}',
  '{"type":9}',
  '{"candidates":[null]}',
  '\xff',
  '{"error":{}}',
]

/** The faults of upstreams that were seen, each at every place of the stream. */
function* illStreams(frames: readonly string[]): Generator<[string, string[]]> {
  for (let at = 0; at <= frames.length; at++) {
    const before = frames.slice(0, at)
    const after = frames.slice(at)
    yield [`cut after frame ${at}`, before]
    yield [`without its first ${at} frames`, after]
    yield [`without frame ${at}`, [...before, ...after.slice(1)]]
    yield [`frame ${at} twice`, [...before, ...after.slice(0, 1), ...after]]
    yield [`frame ${at} last`, [...before, ...after.slice(1), ...after.slice(0, 1)]]
    for (const garbage of GARBAGE) yield [`${garbage} before frame ${at}`, [...before, garbage, ...after]]
  }
  yield ['backwards', [...frames].reverse()]
  yield ['twice', [...frames, ...frames]]
}
