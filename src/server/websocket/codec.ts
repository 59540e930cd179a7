// The two encodings of the WebSocket protocol: the same objects as JSON text or as msgpack. Event payloads go into JSON frames as
// bytes, checked by one scan to be one object each; msgpack has to parse and pack them.
import { isUtf8 } from 'node:buffer'
import { errorData } from '../../errors.js'
import { isJsonObject, type JsonObject } from '../../model/json.js'
import { parsePayload } from '../../protocols/frame-payload.js'
import { isOneObject } from '../../wire/json-scan.js'
import { pack } from '../../wire/pack.js'
import { type ClientFrame, readJsonFrame, readPackedFrame } from './frame.js'

export type WsCodec = {
  /** The subprotocol's name. */
  readonly name: string
  readonly isBinary: boolean
  /**
   * Reads a client's message, whose memory stays the caller's.
   * @throws invalid_request, payload_too_large
   */
  decode(message: ArrayBuffer): ClientFrame
  /** Any message of ours. Valid until the next call. */
  encode(message: JsonObject): Uint8Array
  /** An event, or null if the payload is not a JSON object. Valid until the next call. `head` is of `eventHead`. */
  encodeEvent(head: Buffer, id: string, seq: number, payload: Buffer): Uint8Array | null
}

/** Size of the shared buffer in which an event is assembled; larger ones get their own. */
const SCRATCH_BYTES = 64 * 1024
/** Room for `<seq>,"data":` and the closing brace. */
const SEQ_ROOM_BYTES = 32
const CLOSE_BRACE = 0x7d

/** The beginning of every JSON event of one chat. */
export function eventHead(id: string): Buffer {
  return Buffer.from(`{"type":"event","id":${JSON.stringify(id)},"seq":`)
}

/** JSON text frames. */
export function createJsonCodec(): WsCodec {
  const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  return {
    name: 'sluice.v1',
    isBinary: false,
    decode: (message) => readJsonFrame(new Uint8Array(message)),
    encode: (message) => Buffer.from(JSON.stringify(message)),
    encodeEvent(head, _id, seq, event) {
      // Inserted as text: if it were not exactly one object, its bytes could become members of the surrounding frame.
      if (!isOneObject(event)) return null
      // A text frame that is not UTF-8 ends the socket and with it every chat (RFC 6455, 8.1): an upstream must not do that.
      const payload = isUtf8(event) ? event : Buffer.from(event.toString('utf8'))
      const needed = head.length + payload.length + SEQ_ROOM_BYTES
      const room = needed > scratch.length ? Buffer.allocUnsafe(needed) : scratch
      let at = head.copy(room)
      at += room.write(`${seq},"data":`, at, 'latin1')
      at += payload.copy(room, at)
      room[at] = CLOSE_BRACE
      return room.subarray(0, at + 1)
    },
  }
}

/** msgpack binary frames. */
export function createMsgpackCodec(): WsCodec {
  return {
    name: 'sluice.v1.msgpack',
    isBinary: true,
    decode: (message) => readPackedFrame(new Uint8Array(message)),
    encode: (message) => pack(message),
    encodeEvent(_head, id, seq, payload) {
      const data = parsePayload(payload)
      return data === null ? null : pack({ type: 'event', id, seq, data })
    },
  }
}

/** The error member of an error envelope in JSON bytes. */
export function readErrorMember(body: Uint8Array): JsonObject {
  const whole: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
  const member = isJsonObject(whole) ? whole.error : null
  return isJsonObject(member)
    ? member
    : { message: errorData('internal').message, type: 'server_error', param: null, code: null }
}
