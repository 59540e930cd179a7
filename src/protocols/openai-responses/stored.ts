// Answers that are stored, as their clients see them: their ids, the input that they continue, and the lists of their items. The texts are
// joined as they are; only a page of items is parsed.
import { GatewayError } from '../../errors.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { type Member, scanMembers, spliceMembers } from '../../wire/body/members.js'
import { createFrameScanner } from '../../wire/frame.js'
import {
  type AnswerState,
  type EarlierTurns,
  type ItemQuery,
  type JoinedTurns,
  type StoredAnswers,
  type StoredState,
} from '../contract/stored.js'
import { stringOf, textOf } from '../scalars.js'
import { encodeResponseId, itemBaseOf } from './ids.js'
import { ownMembers, withOwn } from './own-members.js'
import { encodeResponseObject } from './surface/echo.js'
import { failureOf } from './surface/stream-encoder.js'

const PATH = '/v1/responses'
const INPUT = 'input'
/** What the gateway does itself, and no upstream may be asked for. */
const DONE_HERE: ReadonlySet<string> = new Set(['previous_response_id', 'background'])
const MAX_SHOWN_CHARS = 80
const QUOTE = 0x22

export const stored: StoredAnswers = Object.freeze({
  path: PATH,
  encodeId: encodeResponseId,
  ownMembers,
  joinTurns,
  encodeState,
  answerIn,
  sequenceOf,
  readState,
  withCancelled,
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

function notFoundText(what: string, id: string): string {
  const shown = id.length > MAX_SHOWN_CHARS ? `${id.slice(0, MAX_SHOWN_CHARS)}...` : id
  return `${what} with id '${shown}' not found.`
}

function encodeState({ own, model, createdSec, status, error }: AnswerState, echo: JsonObject | null): JsonObject {
  const failure = error === null ? null : failureOf(error)
  return encodeResponseObject({ id: own.id, createdSec, model, status, error: failure }, [], { ...echo, own })
}

/** `instructions` are not among the items: they do not carry over. */
function joinTurns(
  body: Uint8Array<ArrayBuffer>,
  members: readonly Member[],
  earlier: EarlierTurns | null,
): JoinedTurns {
  const span = members.findLast(({ key }) => key === INPUT)
  const own = listOf(span === undefined ? EMPTY_LIST : bytesOf(body.subarray(span.valueStart, span.valueEnd)))
  const input = earlier === null ? own : joinLists([earlier.input, outputOf(earlier.response), own])
  const isChanged = earlier !== null || members.some(({ key }) => DONE_HERE.has(key))
  if (!isChanged) return { body, input }
  const kept = members.filter(({ key }) => !DONE_HERE.has(key))
  const texts = kept.map((member) =>
    member === span ? Buffer.concat([INPUT_NAME, input]) : body.subarray(member.keyStart, member.valueEnd),
  )
  return { body: joinBody(texts), input }
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
  joined[0] = 0x7b
  let at = 1
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  joined[at] = 0x7d
  return joined
}

/** The list of output items in the text of a response object. */
function outputOf(response: Uint8Array): Uint8Array {
  return memberOf(response, 'output') ?? EMPTY_LIST
}

function answerIn(frame: Uint8Array): Uint8Array | null {
  const pieces: Buffer[] = []
  const scanner = createFrameScanner('sse', (payload) => pieces.push(Buffer.from(payload)))
  scanner.push(bytesOf(frame))
  scanner.end()
  const payload = pieces.findLast(({ length }) => length > 0)
  return payload === undefined ? null : memberOf(payload, 'response')
}

/** Within a text the quotes are escaped. */
const SEQUENCE = /"sequence_number" ?: ?(\d{1,15})/

function sequenceOf(frame: Uint8Array): number | null {
  const digits = SEQUENCE.exec(bytesOf(frame).toString('latin1'))?.[1]
  return digits === undefined ? null : Number(digits)
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

function withCancelled(answer: Uint8Array): Uint8Array {
  const members = scanMembers(answer)
  if (members === null) return answer
  return spliceMembers(answer as Uint8Array<ArrayBuffer>, members, new Map([['status', 'cancelled']]))
}

function memberOf(text: Uint8Array, name: string): Uint8Array | null {
  const span = scanMembers(text)?.findLast(({ key }) => key === name)
  return span === undefined ? null : text.subarray(span.valueStart, span.valueEnd)
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

function encodeItems({ id, input }: EarlierTurns & { readonly id: string }, query: ItemQuery): JsonObject {
  const parsed: unknown = JSON.parse(bytesOf(input).toString('utf8'))
  const items = isJsonArray(parsed as JsonValue) ? (parsed as JsonValue[]) : []
  const base = itemBaseOf(id)
  const listed = items.flatMap((item, i) => (isJsonObject(item) ? [encodeItem(item, `item_${base}_in${i}`)] : []))
  if (query.order === 'desc') listed.reverse()
  const from = query.after === null ? 0 : listed.findIndex((item) => item.id === query.after) + 1
  if (query.after !== null && from === 0) throw unknownCursor(query.after)
  const data = listed.slice(from, from + query.limit)
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: from + data.length < listed.length,
  }
}

function unknownCursor(id: string): GatewayError {
  return new GatewayError('invalid_request', { param: 'after', message: notFoundText('Item', id) })
}

/** In the long form, with an id: clients may send the short form of a message. */
function encodeItem(item: JsonObject, id: string): JsonObject {
  const named = { ...item, id: textOf(item.id) ?? id, type: textOf(item.type) ?? 'message' }
  const text = stringOf(item.content)
  if (named.type !== 'message' || text === null) return named
  const isModel = item.role === 'assistant'
  const part = isModel ? { type: 'output_text', annotations: [], text } : { type: 'input_text', text }
  return { ...named, status: item.status ?? 'completed', content: [part] }
}
