// Observes a stream of this wire that is not transcoded, since its client waits for the whole answer. Text lines, nearly all of a
// stream, are recognized by their bytes; only lines with calls, the end or an error are parsed. A needle `"key":` cannot occur inside a
// JSON string, whose quotes are escaped; it may be a key of arguments, so the parse decides.
import { type ErrorData } from '../../../model/error.js'
import { type FinishReason } from '../../../model/event.js'
import { type UsageReport } from '../../../model/usage.js'
import { isOneObject, skipSpace, stringEnd } from '../../../wire/json-scan.js'
import { FRAME_CONTENT, FRAME_END, FRAME_ERROR, FRAME_OTHER, type StreamObserver } from '../../contract/protocol.js'
import { bitsWithoutObject } from '../../frame-payload.js'
import { mapDoneReason, parseReply } from './reply.js'

const CONTENT_KEY = Buffer.from('"content":')
const THINKING_KEY = Buffer.from('"thinking":')
const RARE_KEYS: readonly Buffer[] = ['"tool_calls":', '"error":'].map((key) => Buffer.from(key))
const DONE_KEY = Buffer.from('"done":')
const LETTER_T = 0x74
const QUOTE = 0x22

/** Watches one stream. */
export class OllamaObserver implements StreamObserver {
  #usage: UsageReport | null = null
  #error: ErrorData | null = null
  #contentBytes = 0
  #isDone = false
  #hasCalls = false
  #finish: FinishReason | null = null

  get usage(): UsageReport | null {
    return this.#usage
  }

  get error(): ErrorData | null {
    return this.#error
  }

  get contentBytes(): number {
    return this.#contentBytes
  }

  get finish(): FinishReason | null {
    return this.#finish
  }

  /** Returns FRAME_* bits; never FRAME_STRIP, as usage comes with the end marker here. */
  observe(data: Buffer): number {
    if (isRare(data)) return this.#observeParsed(data)
    if (!isOneObject(data)) return bitsWithoutObject(data)
    const bytes = countBytes(data, CONTENT_KEY) + countBytes(data, THINKING_KEY)
    this.#contentBytes += bytes
    return bytes > 0 ? FRAME_CONTENT : FRAME_OTHER
  }

  /** `done: true` was seen, and no error. */
  isComplete(): boolean {
    return this.#isDone && this.#error === null
  }

  #observeParsed(data: Buffer): number {
    const reply = parseReply(data)
    if (reply === null) return bitsWithoutObject(data)
    if (reply.error !== null) {
      this.#error = reply.error
      return FRAME_ERROR
    }
    let bytes = Buffer.byteLength(reply.content) + Buffer.byteLength(reply.thinking)
    for (const call of reply.calls) bytes += Buffer.byteLength(call.arguments)
    if (reply.calls.length > 0) this.#hasCalls = true
    this.#contentBytes += bytes
    const bits = bytes > 0 ? FRAME_CONTENT : FRAME_OTHER
    if (!reply.isDone) return bits
    this.#usage = reply.usage
    this.#isDone = true
    this.#finish = mapDoneReason(reply.doneReason, this.#hasCalls)
    return bits | FRAME_END
  }
}

function isRare(data: Buffer): boolean {
  for (const key of RARE_KEYS) if (data.includes(key)) return true
  const at = data.lastIndexOf(DONE_KEY)
  return at >= 0 && data[skipSpace(data, at + DONE_KEY.length)] === LETTER_T
}

/** Bytes within the quotes of the string under `key`, escapes included; 0 if there is none. */
function countBytes(data: Buffer, key: Buffer): number {
  const found = data.indexOf(key)
  if (found < 0) return 0
  const from = skipSpace(data, found + key.length)
  return data[from] === QUOTE ? stringEnd(data, from) - from - 1 : 0
}
