// Answers that are stored, as their clients see them: their ids, the input that they continue, and their states. The texts are joined as
// they are.
import { errorData, GatewayError } from '../../errors.js'
import { type ErrorData } from '../../model/error.js'
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { scanMembers, spliceMembers } from '../../wire/body/members.js'
import { createFrameScanner } from '../../wire/frame.js'
import {
  type AnswerState,
  type EarlierTurns,
  type FoundTexts,
  type ItemReference,
  type JoinedTurns,
  type RequestText,
  type StoredAnswers,
  type StoredState,
} from '../contract/stored.js'
import { encodeResponseId } from './ids.js'
import { ownMembers, withOwn } from './own-members.js'
import { bytesOf, encodeItems, itemsIn, itemsOf, memberOf, notFoundText } from './stored/items.js'
import { encodeResponseObject } from './surface/echo.js'
import { itemNotFound } from './surface/references.js'
import { encodeEvent, encodeFailureEvent, type Failure, failureOf } from './surface/stream-encoder.js'

const PATH = '/v1/responses'
const INPUT = 'input'
/** What the gateway does itself, and no upstream may be asked for. */
const DONE_HERE: ReadonlySet<string> = new Set(['previous_response_id', 'background'])
const QUOTE = 0x22
const OPEN_BRACKET = 0x5b
const OPEN_BRACE = 0x7b

export const stored: StoredAnswers = Object.freeze({
  path: PATH,
  encodeId: encodeResponseId,
  ownMembers,
  joinTurns,
  withItems,
  encodeState,
  answerIn,
  sequenceOf,
  readState,
  withStatus,
  firstFrames,
  lastFrames,
  withCancelled,
  withLost,
  itemsIn,
  withOwn,
  previousNotFound: (id: string) =>
    refusal(id, {
      param: 'previous_response_id',
      ownCode: 'previous_response_not_found',
      what: 'Previous response',
    }),
  notBackground: () =>
    new GatewayError('invalid_request', { message: 'Only a response with background: true can be cancelled.' }),
  notFound: (id: string) => new GatewayError('not_found', { message: notFoundText('Response', id) }),
  encodeItems,
  encodeDeleted: (id: string) => ({ id, object: 'response', deleted: true }),
})

type Subject = { readonly param: string; readonly ownCode: string; readonly what: string }

/** Clients recognize the code, and then send their whole input (Soju06/codex-lb#1529): it must never change. */
function refusal(id: string, { param, ownCode, what }: Subject): GatewayError {
  return new GatewayError('invalid_request', { param, ownCode, message: notFoundText(what, id) })
}

function encodeState({ own, model, createdSec, status, error }: AnswerState, echo: JsonObject | null): JsonObject {
  const failure = error === null ? null : failureOf(error)
  return encodeResponseObject({ id: own.id, createdSec, model, status, error: failure }, [], { ...echo, own })
}

/** `instructions` are not among the items: they do not carry over. */
function joinTurns({ body, members }: RequestText, earlier: EarlierTurns | null, maxBytes: number): JoinedTurns {
  const span = members.findLast(({ key }) => key === INPUT)
  const own = listOf(span === undefined ? EMPTY_LIST : bytesOf(body.subarray(span.valueStart, span.valueEnd)))
  const input = earlier === null ? own : joinEarlier(earlier, own, maxBytes)
  const isChanged = earlier !== null || members.some(({ key }) => DONE_HERE.has(key))
  if (!isChanged) return { body, input }
  const kept = members.filter(({ key }) => !DONE_HERE.has(key))
  const texts = kept.map((member) =>
    member === span ? Buffer.concat([INPUT_NAME, input]) : body.subarray(member.keyStart, member.valueEnd),
  )
  return { body: joinBody(texts), input }
}

/** Every answer has its whole conversation: without a bound, each turn would make the next one longer. */
function joinEarlier(earlier: EarlierTurns, own: Buffer, maxBytes: number): Buffer {
  if (!readState(earlier.response).isOver) throw notOver()
  const output = outputOf(earlier.response)
  if (earlier.input.length + output.length + own.length > maxBytes) throw tooLong(maxBytes)
  return joinLists([earlier.input, output, own])
}

/** Of a validated input, in which every item is an object. */
function withItems(
  { body, members }: RequestText,
  references: readonly ItemReference[],
  items: FoundTexts,
): RequestText {
  const span = members.findLast(({ key }) => key === INPUT)
  const [inputStart, inputEnd] = [span?.valueStart ?? 0, span?.valueEnd ?? 0]
  const spans = itemsOf(bytesOf(body.subarray(inputStart, inputEnd)))
  const pieces: Uint8Array[] = []
  let from = 0
  let size = body.length
  for (const reference of references) {
    const place = spans[reference.index]
    const text = items.texts.get(reference.id)
    if (place === undefined || text === undefined) throw itemNotFound(reference)
    pieces.push(body.subarray(from, inputStart + place.start), text)
    from = inputStart + place.end
    size += text.length
    if (size > items.maxBytes) throw tooLong(items.maxBytes)
  }
  pieces.push(body.subarray(from))
  const whole = new Uint8Array(Buffer.concat(pieces))
  return { body: whole, members: scanMembers(whole) ?? [] }
}

function notOver(): GatewayError {
  const message = 'The previous response is not complete yet: it can be continued when it is.'
  return new GatewayError('invalid_request', { param: 'previous_response_id', message })
}

function tooLong(maxBytes: number): GatewayError {
  const message = `The request and the turns that it continues exceed ${maxBytes} bytes (server.maxBodyBytes).`
  return new GatewayError('payload_too_large', { message })
}

const INPUT_NAME = Buffer.from(`"${INPUT}":`)
const EMPTY_LIST = Buffer.from('[]')
const COMMA = Buffer.from(',')

/** A text is a message of the user. The copy stays when the body goes to a worker. */
function listOf(value: Buffer): Buffer {
  if (value[0] !== QUOTE) return Buffer.from(value)
  return Buffer.concat([Buffer.from('[{"type":"message","role":"user","content":'), value, Buffer.from('}]')])
}

/** The items of several lists as one. */
function joinLists(lists: readonly Uint8Array[]): Buffer {
  const inner = lists.map((list) => bytesOf(list.subarray(1, -1))).filter((items) => !isBlank(items))
  const pieces = inner.flatMap((items, i) => (i === 0 ? [items] : [COMMA, items]))
  return Buffer.concat([Buffer.from('['), ...pieces, Buffer.from(']')])
}

function isBlank(items: Buffer): boolean {
  return items.toString('latin1').trim() === ''
}

/** In memory of its own, which may be transferred to a worker. */
function joinBody(texts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const pieces = texts.flatMap((text, i) => (i === 0 ? [text] : [COMMA, text]))
  const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 2))
  joined[0] = OPEN_BRACE
  let at = 1
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  joined[at] = 0x7d
  return joined
}

/** The list of output items in the text of a response object, which a provider may have written otherwise. */
function outputOf(response: Uint8Array): Uint8Array {
  const output = memberOf(response, 'output')
  return output?.[0] === OPEN_BRACKET ? output : EMPTY_LIST
}

function answerIn(frame: Uint8Array): Uint8Array | null {
  const payload = payloadOf(frame)
  return payload === null ? null : memberOf(payload, 'response')
}

const NUMBER = /^\d{1,15}$/

function sequenceOf(frame: Uint8Array): number | null {
  const payload = payloadOf(frame)
  const digits = payload === null ? '' : textIn(payload, 'sequence_number')
  return NUMBER.test(digits) ? Number(digits) : null
}

function payloadOf(frame: Uint8Array): Buffer | null {
  const pieces: Buffer[] = []
  const scanner = createFrameScanner('sse', (payload) => pieces.push(Buffer.from(payload)))
  scanner.push(bytesOf(frame))
  scanner.end()
  return pieces.findLast(({ length }) => length > 0) ?? null
}

function readState(answer: Uint8Array): StoredState {
  const status = textIn(answer, 'status')
  const isOver = status !== '"queued"' && status !== '"in_progress"'
  return { isOver, isCancelled: status === CANCELLED, isBackground: textIn(answer, 'background') === 'true' }
}

const CANCELLED = '"cancelled"'

function textIn(answer: Uint8Array, name: string): string {
  const value = memberOf(answer, name)
  return value === null ? '' : bytesOf(value).toString('utf8')
}

function withStatus(answer: Uint8Array, status: string, error?: ErrorData): Uint8Array {
  const failure = error === undefined ? null : failureOf(error)
  return withMembers(
    answer,
    new Map<string, JsonValue>([
      ['status', status],
      ['error', failure],
    ]),
  )
}

function firstFrames(answer: Uint8Array): readonly Buffer[] {
  const response = bytesOf(withStatus(answer, 'queued')).toString('utf8')
  return FIRST_EVENTS.map((type, i) => Buffer.from(encodeEvent(type, `"response":${response}`, i)))
}

const FIRST_EVENTS = Object.freeze(['response.created', 'response.queued'])

function lastFrames(answer: Uint8Array): readonly Buffer[] {
  const response = `"response":${bytesOf(answer).toString('utf8')}`
  const status = textIn(answer, 'status').slice(1, -1)
  const sequence = FIRST_EVENTS.length
  if (status === 'completed' || status === 'incomplete') {
    return [Buffer.from(encodeEvent(`response.${status}`, response, sequence))]
  }
  const failed = encodeEvent('response.failed', response, sequence + 1)
  return [Buffer.from(encodeFailureEvent(failureOfAnswer(answer), sequence)), Buffer.from(failed)]
}

/** An answer that was cancelled has no error. */
function failureOfAnswer(answer: Uint8Array): Failure {
  const text = textIn(answer, 'error')
  return text === '' || text === 'null' ? WAS_CANCELLED : (JSON.parse(text) as Failure)
}

const WAS_CANCELLED: Failure = Object.freeze({ code: 'client_gone', message: 'The response was cancelled.' })

function withCancelled(answer: Uint8Array): Uint8Array {
  return withMembers(answer, new Map([['status', 'cancelled']]))
}

function withLost(answer: Uint8Array): Uint8Array {
  const error = failureOf(errorData('upstream_cut', { message: LOST }))
  return withMembers(
    answer,
    new Map<string, JsonValue>([
      ['status', 'failed'],
      ['error', error],
    ]),
  )
}

const LOST = 'The gateway that ran this response ended before it was complete.'

function withMembers(answer: Uint8Array, changes: ReadonlyMap<string, JsonValue>): Uint8Array {
  const members = scanMembers(answer)
  return members === null ? answer : spliceMembers(answer as Uint8Array<ArrayBuffer>, members, changes)
}
