// WebSocket mode: messages of clients -> bodies as they are posted, and payloads of events -> messages. The vendor's frames are the events
// of a stream as JSON text, with the name of their lane where the request had one.
//
//   {"type":"response.create", ...body, "stream_id":"a", "generate":false}      {"type":"response.steer", "previous_response_id", "input"}
//
// @see https://developers.openai.com/docs/guides/websocket-mode
import { isUtf8 } from 'node:buffer'
import { GatewayError } from '../../errors.js'
import { type ErrorData } from '../../model/error.js'
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { NO_USAGE } from '../../model/usage.js'
import { findDuplicate, type Member, scanMembers, spliceMembers } from '../../wire/body/members.js'
import { createFrameScanner } from '../../wire/frame.js'
import { asBuffer } from '../../wire/json.js'
import { isOneObject, skipSpace } from '../../wire/json-scan.js'
import {
  type EmptyHead,
  type RefusalOptions,
  type SocketMessage,
  type SocketMode,
  type SocketSteer,
  type SteerFailedOptions,
} from '../contract/socket-mode.js'
import { parsePayload } from '../frame-payload.js'
import { textOf } from '../scalars.js'
import { encodeResponseObject } from './surface/echo.js'
import { encodeEvent as encodeFrame } from './surface/stream-encoder.js'
import { encodeUsage } from './usage.js'

const LANE = 'stream_id'
const CREATE = 'response.create'
const STEER = 'response.steer'
const MAX_LANE_CHARS = 128
/** A small member as it is read from a message; a longer one is no name of ours. */
const MAX_SMALL_BYTES = 1024
/** What HTTP does not know, and what every answer on a WebSocket is. */
const AS_POSTED = new Map<string, JsonValue | undefined>([
  ['type', undefined],
  ['generate', undefined],
  [LANE, undefined],
  ['stream', true],
])
const WITHOUT_LANE = new Map<string, undefined>([[LANE, undefined]])
const NO_TAIL = Buffer.alloc(0)
const CLOSE_BRACE = 0x7d
const OPEN_BRACE = 0x7b
const COMMA = Buffer.from(',')

export const socketMode: SocketMode = Object.freeze({
  subprotocol: 'sluice.responses.v1',
  readMessage,
  encodeTail: (lane: string | null) => (lane === null ? NO_TAIL : Buffer.from(`"${LANE}":${JSON.stringify(lane)}}`)),
  encodeEvent,
  encodeFailure,
  encodeError: (error: JsonObject, { status, lane, headers }: RefusalOptions) => ({
    type: 'error',
    status,
    error,
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    ...laneOf(lane),
  }),
  encodeEmpty,
  answerId,
  encodeSteerFailed,
  tooManyTurns: (most: number) =>
    new GatewayError('rate_limited', {
      ownCode: 'websocket_stream_limit_reached',
      message: `A WebSocket may have at most ${most} responses that run or wait.`,
    }),
  tooOld: () =>
    new GatewayError('invalid_request', {
      ownCode: 'websocket_connection_limit_reached',
      message: 'This WebSocket has reached the longest time that a connection may last. Open a new one to continue.',
    }),
})

function laneOf(lane: string | null): JsonObject {
  return lane === null ? {} : { [LANE]: lane }
}

function readMessage(message: Uint8Array): SocketMessage {
  const bytes = asBuffer(message)
  const members = scanMembers(bytes)
  if (members === null) return fault(null, 'The message must be a single JSON object, in a text frame.', null)
  const read = (key: string): unknown => readSmall(bytes, members, key)
  const lane = read(LANE) ?? null
  if (lane !== null && !isLane(lane)) {
    return fault(null, `${LANE} must be a string of 1 to ${MAX_LANE_CHARS} characters.`, LANE)
  }
  const doubled = findDuplicate(members)
  if (doubled !== null) return fault(lane, 'Duplicate field in the message.', doubled)
  const type = read('type')
  if (type === STEER) return readSteer(bytes)
  if (type !== CREATE) return fault(lane, `The type must be ${CREATE} or ${STEER}.`, 'type')
  const generate = read('generate') ?? true
  if (typeof generate !== 'boolean') return fault(lane, 'generate must be a boolean.', 'generate')
  if (read('background') === true)
    return fault(lane, 'A WebSocket has no background responses: send POST.', 'background')
  // In its own memory, like an HTTP body, since a worker may take it.
  const body = new Uint8Array(spliceMembers(bytes as Buffer<ArrayBuffer>, members, AS_POSTED))
  return { kind: 'turn', lane, body, isWarmUp: !generate }
}

function isLane(lane: unknown): lane is string {
  return typeof lane === 'string' && lane.length > 0 && lane.length <= MAX_LANE_CHARS
}

/** A member's value; undefined if there is none; NaN, which is nothing that is expected, if it is long or no JSON. */
function readSmall(bytes: Buffer, members: readonly Member[], key: string): unknown {
  const member = members.find((each) => each.key === key)
  if (member === undefined) return undefined
  if (member.valueEnd - member.valueStart > MAX_SMALL_BYTES) return NaN
  try {
    return JSON.parse(bytes.toString('utf8', member.valueStart, member.valueEnd))
  } catch {
    return NaN
  }
}

/** The input goes back to its client, so it is read whole; the message has a size that the engine allows. */
function readSteer(bytes: Buffer): SocketMessage {
  const parsed = bytes.length > MAX_STEER_BYTES ? null : parsePayload(bytes)
  if (parsed === null) return fault(null, `A ${STEER} must be valid JSON of at most ${MAX_STEER_BYTES} bytes.`, null)
  const previousId = textOf(parsed.previous_response_id)
  if (previousId === null) return fault(null, 'previous_response_id must be a string.', 'previous_response_id')
  return { kind: 'steer', previousId, input: parsed.input ?? null }
}

/** It is parsed on the event loop, and never sent anywhere. */
const MAX_STEER_BYTES = 256 * 1024

function fault(lane: string | null, message: string, param: string | null): SocketMessage {
  return { kind: 'fault', lane, error: new GatewayError('invalid_request', { message, param }) }
}

const LANE_NAME = Buffer.from(`"${LANE}"`)
const ESCAPE = Buffer.from('\\u')

/** The lane of an event is ours to name: a member of that name that came from a provider, however it is written, is taken out. */
function encodeEvent(payload: Buffer, tail: Buffer): Buffer | null {
  if (!isOneObject(payload)) return null
  // A text frame that is not UTF-8 ends the socket and with it every turn (RFC 6455, 8.1): a provider must not do that.
  const text = isUtf8(payload) ? payload : Buffer.from(payload.toString('utf8'))
  return withTail(text.includes(LANE_NAME) || text.includes(ESCAPE) ? withoutLane(text) : text, tail)
}

function withoutLane(text: Buffer): Buffer {
  const members = scanMembers(text)
  if (members === null) return text
  return asBuffer(spliceMembers(text as Buffer<ArrayBuffer>, members, WITHOUT_LANE))
}

/** The members of the tail, which ends with a brace, at the end of an object that has members of its own. */
function withTail(text: Buffer, tail: Buffer): Buffer {
  if (tail.length === 0) return text
  const end = text.lastIndexOf(CLOSE_BRACE)
  const isEmpty = text[skipSpace(text, text.indexOf(OPEN_BRACE) + 1)] === CLOSE_BRACE
  return Buffer.concat([text.subarray(0, end), isEmpty ? NO_TAIL : COMMA, tail])
}

/** The error event has the status as well: some clients take it for a failed request only then. */
function encodeFailure(frame: string, { status }: ErrorData, lane: string | null): Buffer[] {
  const messages: Buffer[] = []
  const scanner = createFrameScanner('sse', (payload) => {
    const event = parsePayload(payload)
    if (event === null) return
    const more = event.type === 'error' ? { status } : {}
    messages.push(Buffer.from(JSON.stringify({ ...event, ...more, ...laneOf(lane) })))
  })
  scanner.push(Buffer.from(frame))
  scanner.end()
  return messages
}

function encodeEmpty(head: EmptyHead, echo: JsonObject): string[] {
  const begun = JSON.stringify(encodeResponseObject({ ...head, status: 'in_progress' }, [], echo))
  const usage = encodeUsage(NO_USAGE)
  const ended = JSON.stringify(encodeResponseObject({ ...head, status: 'completed', usage }, [], echo))
  return [
    encodeFrame(CREATED, `"response":${begun}`, 0),
    encodeFrame('response.in_progress', `"response":${begun}`, 1),
    encodeFrame('response.completed', `"response":${ended}`, 2),
  ]
}

const CREATED = 'response.created'
const FIRST = Buffer.from(`"${CREATED}"`)

function answerId(payload: Buffer): string | null {
  if (!payload.includes(FIRST)) return null
  const response = parsePayload(payload)?.response
  return response !== null && typeof response === 'object' && 'id' in response ? textOf(response.id) : null
}

const STEER_REFUSALS = {
  running: { code: 'steering_not_supported', message: 'The provider of this response does not support steering.' },
  over: { code: 'response_already_completed', message: 'The response is complete: continue it by response.create.' },
  unknown: { code: 'response_not_found', message: 'No such response on this WebSocket.' },
} as const

function encodeSteerFailed({ previousId, input }: SocketSteer, options: SteerFailedOptions): JsonObject {
  const { state, lane, sequence } = options
  return {
    type: 'response.steer.failed',
    sequence_number: sequence,
    error: { type: 'invalid_request_error', ...STEER_REFUSALS[state] },
    steer: { previous_response_id: previousId, input },
    ...laneOf(lane),
  }
}
