// Reads the messages of a client on a WebSocket, as far as this event loop needs to. Of a JSON frame only the part around the request
// is parsed here; the request itself, which may be megabytes, is located by its brackets and passed on as bytes, for the pipeline to
// parse and validate like any other. So big numbers and duplicate members are handled as over HTTP.
//
//   {"type":"chat","id":"a1","request": { ... } }
//   |---------- envelope -----------| |-bytes-| |
import { GatewayError } from '../../errors.js'
import { isJsonObject, type JsonObject } from '../../model/json.js'
import { findDuplicate, type Member, scanMembers, spliceMembers } from '../../wire/body/members.js'
import { asBuffer, encodeText } from '../../wire/json.js'
import { unpackUntrusted } from '../../wire/pack.js'

export type ClientFrame = {
  /** All members; a request in JSON bytes is null. */
  readonly message: JsonObject
  /**
   * The body of the chat for the pipeline: it requests a stream, and is in its own ArrayBuffer of exact size.
   * @throws invalid_request if there is no object
   */
  chatBody(): Uint8Array<ArrayBuffer>
}

const OPEN_BRACE = 0x7b
/** The part around a request: a type and an id of 128 characters, with room for later versions. */
const MAX_ENVELOPE_BYTES = 4096
/**
 * A MessagePack frame is decoded and written as JSON on the event loop, at up to 15 ms a megabyte of text (Node 20.20, 2
 * cores); larger prompts go as JSON.
 */
const MAX_PACKED_BYTES = 4 * 1024 * 1024
const STREAMED = new Map([['stream', true]])

/**
 * Reads a frame of JSON text. The bytes may be the engine's: nothing of them is kept beyond `chatBody`.
 * @throws invalid_request if the envelope is not an object; the request itself may be anything
 */
export function readJsonFrame(bytes: Uint8Array): ClientFrame {
  const frame = asBuffer(bytes)
  const members = scanMembers(frame)
  if (members === null)
    throw new GatewayError('invalid_request', { message: 'The frame must be a single JSON object.' })
  const doubled = findDuplicate(members)
  if (doubled !== null) {
    throw new GatewayError('invalid_request', { message: 'Duplicate field in the frame.', param: doubled })
  }
  const request = members.find((member) => member.key === 'request') ?? null
  return {
    message: parseEnvelope(frame, request),
    chatBody: () => {
      if (request === null || frame[request.valueStart] !== OPEN_BRACE) throw noRequest()
      return asStream(frame.subarray(request.valueStart, request.valueEnd))
    },
  }
}

/**
 * Reads a frame of MessagePack.
 * @throws invalid_request, payload_too_large
 */
export function readPackedFrame(bytes: Uint8Array): ClientFrame {
  const message = unpackUntrusted(bytes, MAX_PACKED_BYTES)
  if (!isJsonObject(message)) throw new GatewayError('invalid_request', { message: 'A frame must be an object.' })
  const { request } = message
  return {
    message,
    chatBody: () => {
      if (!isJsonObject(request)) throw noRequest()
      return encodeText(JSON.stringify({ ...request, stream: true }))
    },
  }
}

function noRequest(): GatewayError {
  return new GatewayError('invalid_request', { message: 'The request must be an object.', param: 'request' })
}

function parseEnvelope(frame: Buffer, request: Member | null): JsonObject {
  const requestBytes = request === null ? 0 : request.valueEnd - request.valueStart
  if (frame.length - requestBytes > MAX_ENVELOPE_BYTES) {
    const message = `The frame exceeds ${MAX_ENVELOPE_BYTES} bytes outside its request.`
    throw new GatewayError('invalid_request', { message })
  }
  const envelope =
    request === null
      ? frame.toString('utf8')
      : `${frame.toString('utf8', 0, request.valueStart)}null${frame.toString('utf8', request.valueEnd)}`
  try {
    return JSON.parse(envelope) as JsonObject
  } catch (cause) {
    throw new GatewayError('invalid_request', { message: 'The frame is not valid JSON.', cause })
  }
}

/** Adds `stream: true`, or sets it if it is false. Anything but an object, or another value, is left for the pipeline to reject. */
function asStream(request: Buffer): Uint8Array<ArrayBuffer> {
  const members = scanMembers(request)
  const isOff = ({ key, valueStart, valueEnd }: Member) =>
    key !== 'stream' || /^(?:false|null)$/.test(request.toString('latin1', valueStart, valueEnd))
  if (members === null || !members.every(isOff)) return new Uint8Array(request)
  // In its own memory, like an HTTP body, since a worker may take it.
  return new Uint8Array(spliceMembers(request as Buffer<ArrayBuffer>, members, STREAMED))
}
