// What the payload of a frame must be on every upstream wire: one JSON object. Any other payload has lost content, so its stream is never
// complete; only blank data and a bare `[DONE]`, which servers of any wire may send, are ignored.
import { errorData } from '../errors.js'
import { type ErrorData } from '../model/error.js'
import { isJsonObject, type JsonObject } from '../model/json.js'
import { skipSpace } from '../wire/json-scan.js'
import { FRAME_BROKEN, FRAME_OTHER, type StreamObserver } from './contract/protocol.js'

/** The object of a payload; null if it is not one. */
export function parsePayload(data: Buffer): JsonObject | null {
  try {
    const value: unknown = JSON.parse(data.toString('utf8'))
    return isJsonObject(value) ? value : null
  } catch {
    return null
  }
}

const END_MARKER = Buffer.from('[DONE]')

/** True for a payload that is not an object but is allowed in a stream. */
export function isSilent(data: Buffer): boolean {
  const start = skipSpace(data, 0)
  return start === data.length || data.subarray(start).equals(END_MARKER)
}

/** The FRAME_* bits of a payload that is not an object. */
export function bitsWithoutObject(data: Buffer): number {
  return isSilent(data) ? FRAME_OTHER : FRAME_BROKEN
}

/** The error that a frame with these bits, among them one of FRAME_FAILED, ends the answer with. */
export function failureOf(bits: number, { error }: StreamObserver): ErrorData {
  return (bits & FRAME_BROKEN) !== 0 ? brokenFrame() : (error ?? errorData('upstream_cut'))
}

/** The error that a frame with FRAME_BROKEN ends a stream with. */
export function brokenFrame(): ErrorData {
  return errorData('upstream_malformed', { message: 'The provider sent a frame that is not a JSON object.' })
}
