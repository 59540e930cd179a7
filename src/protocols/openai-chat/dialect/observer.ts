// Dialect half, same protocol on both sides: observes passing frames and classifies them. Parses only the few frames with usage or an
// error; everything else is read from the bytes (frame-scan.ts), after they are proved to be one object.
import { type ErrorData } from '../../../model/error.js'
import { type FinishReason } from '../../../model/event.js'
import { type UsageReport } from '../../../model/usage.js'
import { FrameShape } from '../../../wire/frame-shape.js'
import { isOneObject } from '../../../wire/json-scan.js'
import {
  FRAME_CONTENT,
  FRAME_END,
  FRAME_ERROR,
  FRAME_OTHER,
  FRAME_STRIP,
  type ObserverOptions,
  type StreamObserver,
} from '../../contract/protocol.js'
import { bitsWithoutObject, parsePayload } from '../../frame-payload.js'
import { decodeStreamError } from '../../openai-error.js'
import { errorIn, isDoneMarker, PADDING } from '../chunk.js'
import { decodeFinishReason } from '../finish-reason.js'
import { usageOfChunk } from '../usage.js'
import { FrameScan, SEEN_CALL, SEEN_CHOICES, SEEN_CONTENT, SEEN_ERROR, SEEN_FINISH, SEEN_USAGE } from './frame-scan.js'

/** Watches one stream. */
export class ChatStreamObserver implements StreamObserver {
  readonly #options: ObserverOptions
  readonly #scan = new FrameScan()
  readonly #shape = new FrameShape(PADDING)
  usage: UsageReport | null = null
  error: ErrorData | null = null
  contentBytes = 0
  finish: FinishReason | null = null
  #hasCalls = false
  #isDone = false
  #isFinished = false

  constructor(options: ObserverOptions) {
    this.#options = options
  }

  observe(data: Buffer): number {
    // Nothing may follow the end, and in particular no end marker may follow an error.
    if (this.#isDone || this.error !== null) return FRAME_STRIP
    if (isDoneMarker(data)) {
      this.#isDone = true
      return FRAME_END
    }
    const likeBefore = this.#shape.textBytesOf(data)
    if (likeBefore > 0) {
      this.contentBytes += likeBefore
      return FRAME_CONTENT
    }
    if (!isOneObject(data)) return bitsWithoutObject(data)
    this.#scan.scan(data)
    const { seen } = this.#scan
    if ((seen & SEEN_CALL) !== 0) this.#hasCalls = true
    if ((seen & ~SEEN_CALL) === (SEEN_CHOICES | SEEN_CONTENT)) this.#learn(data)
    // Without choices it may be older vLLM's {"object":"error","message":...}.
    if ((seen & (SEEN_USAGE | SEEN_ERROR)) !== 0 || (seen & SEEN_CHOICES) === 0) {
      const bits = this.#inspect(data)
      if (bits !== FRAME_OTHER) return bits
    }
    if ((seen & SEEN_FINISH) !== 0) this.#keepFinish(data)
    this.contentBytes += this.#scan.contentBytes
    return (seen & SEEN_CONTENT) !== 0 ? FRAME_CONTENT : FRAME_OTHER
  }

  isComplete(): boolean {
    if (this.error !== null) return false
    return this.#isDone || (this.#isFinished && !this.#options.target.quirks.doneMarker)
  }

  /** Only from a chunk with a single text, which is then everything that differs. */
  #learn(data: Buffer): void {
    const { textStart, textEnd, contentBytes } = this.#scan
    if (textStart >= 0 && contentBytes === textEnd - textStart) this.#shape.learn(data, textStart, textEnd)
    else this.#shape.forget()
  }

  /** Of several choices, the reason of the one that finished first counts. */
  #keepFinish(data: Buffer): void {
    this.#isFinished = true
    const { finishStart, finishEnd } = this.#scan
    this.finish ??= decodeFinishReason(data.toString('latin1', finishStart, finishEnd), this.#hasCalls)
  }

  #inspect(data: Buffer): number {
    const chunk = parsePayload(data)
    if (chunk === null) return bitsWithoutObject(data)
    const error = errorIn(chunk)
    if (error !== null) {
      this.error = decodeStreamError(error)
      return FRAME_ERROR
    }
    const usage = usageOfChunk(chunk)
    if (usage === null) return FRAME_OTHER
    this.usage = usage
    const isUsageOnly = Array.isArray(chunk.choices) && chunk.choices.length === 0
    return isUsageOnly && this.#options.stripUsage ? FRAME_STRIP : FRAME_OTHER
  }
}
