// Observes a stream of this wire that is not transcoded. Plain text chunks, nearly all of a
// stream, are recognized by their bytes; only chunks with a call, an end or an error are parsed. A needle `"key":` cannot occur inside a
// JSON string, whose quotes are escaped; it may be a key of arguments, so the parse decides.
import { type ErrorData } from '../../../model/error.js'
import { type FinishReason } from '../../../model/event.js'
import { type UsageReport } from '../../../model/usage.js'
import { isOneObject, skipSpace, stringEnd } from '../../../wire/json-scan.js'
import { FRAME_CONTENT, FRAME_ERROR, FRAME_OTHER, type StreamObserver } from '../../contract/protocol.js'
import { bitsWithoutObject } from '../../frame-payload.js'
import { mapFinishReason } from '../finish-reason.js'
import { decodeUsageTail, findUsage } from '../usage.js'
import { parseReply } from './reply.js'

const INLINE_KEY = Buffer.from('"inlineData":')
const TEXT_KEY = Buffer.from('"text":')
const RARE_KEYS: readonly Buffer[] = ['"finishReason":', '"functionCall":', '"error":', '"blockReason":'].map((key) =>
  Buffer.from(key),
)
const QUOTE = 0x22

/** Watches one stream. */
export class GeminiObserver implements StreamObserver {
  #usageTail: Buffer | null = null
  #error: ErrorData | null = null
  #contentBytes = 0
  #hasCalls = false
  #reason: string | null = null

  get usage(): UsageReport | null {
    return this.#usageTail === null ? null : decodeUsageTail(this.#usageTail)
  }

  get error(): ErrorData | null {
    return this.#error
  }

  get contentBytes(): number {
    return this.#contentBytes
  }

  get finish(): FinishReason | null {
    return this.#reason === null ? null : mapFinishReason(this.#reason, this.#hasCalls)
  }

  /**
   * Returns FRAME_* bits; never FRAME_STRIP, as usage is in every chunk here, and never FRAME_END: some models name a reason in
   * every chunk, and the answer ends with its body.
   */
  observe(data: Buffer): number {
    for (const key of RARE_KEYS) if (data.includes(key)) return this.#observeParsed(data)
    if (!isOneObject(data)) return bitsWithoutObject(data)
    this.#keepUsage(data)
    const bytes = countTextBytes(data)
    this.#contentBytes += bytes
    if (bytes > 0) return FRAME_CONTENT
    // An image, or a sound.
    return data.includes(INLINE_KEY) ? FRAME_CONTENT : FRAME_OTHER
  }

  /** A finishReason was seen, and no error. */
  isComplete(): boolean {
    return this.#reason !== null && this.#error === null
  }

  #keepUsage(data: Buffer): void {
    const tail = findUsage(data)
    if (tail !== null) this.#usageTail = Buffer.from(tail)
  }

  #observeParsed(data: Buffer): number {
    const reply = parseReply(data)
    if (reply === null) return bitsWithoutObject(data)
    this.#keepUsage(data)
    if (reply.error !== null) {
      this.#error = reply.error
      return FRAME_ERROR
    }
    let bits = FRAME_OTHER
    for (const part of reply.parts) {
      if (part.kind === 'image' || part.kind === 'opaque') {
        bits |= FRAME_CONTENT
        continue
      }
      if (part.kind === 'tool-call') this.#hasCalls = true
      const words = part.kind === 'tool-call' ? part.arguments : part.text
      this.#contentBytes += Buffer.byteLength(words)
      if (words !== '') bits |= FRAME_CONTENT
    }
    if (reply.finishReason !== null) this.#reason = reply.finishReason
    return bits
  }
}

/** Bytes within the quotes of all `"text":` members, escapes included. */
function countTextBytes(data: Buffer): number {
  let bytes = 0
  let at = data.indexOf(TEXT_KEY)
  while (at >= 0) {
    const from = skipSpace(data, at + TEXT_KEY.length)
    const end = data[from] === QUOTE ? stringEnd(data, from) : from
    bytes += Math.max(0, end - from - 1)
    at = data.indexOf(TEXT_KEY, end)
  }
  return bytes
}
