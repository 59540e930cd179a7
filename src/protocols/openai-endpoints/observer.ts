// Observes the frames of an endpoint's stream: usage, errors, the text that was generated, and the end. Streams of the older kind end
// with `[DONE]`; those of events with one whose type says so, or, where HTTP marks the end of the body, with that.
import { type ErrorData } from '../../model/error.js'
import { type FinishReason } from '../../model/event.js'
import { isJsonArray, isJsonObject, type JsonObject } from '../../model/json.js'
import { type UsageReport } from '../../model/usage.js'
import {
  FRAME_BROKEN,
  FRAME_CONTENT,
  FRAME_END,
  FRAME_ERROR,
  FRAME_OTHER,
  type StreamObserver,
} from '../contract/protocol.js'
import { isSilent, parsePayload } from '../frame-payload.js'
import { decodeStreamError } from '../openai-error.js'
import { decodeUsage } from './usage.js'

export type ObserverOptions = {
  /** Without an end marker the stream is not complete, however its body ended. */
  readonly needsMarker: boolean
  readonly isDelimited: boolean
}

const DONE = '[DONE]'
/** `image_generation.completed`, `transcript.text.done`, `speech.audio.done`; not the `.done` of a segment of many. */
const LAST_EVENT = /^(?:image_\w+\.completed|transcript\.text\.done|speech\.audio\.done)$/
const ERROR_EVENT = 'error'

/** Watches one stream. */
export class EndpointObserver implements StreamObserver {
  readonly #options: ObserverOptions
  #isDone = false
  usage: UsageReport | null = null
  error: ErrorData | null = null
  contentBytes = 0
  readonly finish: FinishReason | null = null

  constructor(options: ObserverOptions) {
    this.#options = options
  }

  observe(data: Buffer): number {
    if (isSilent(data)) {
      if (data.toString('latin1').trim() === DONE) this.#isDone = true
      return this.#isDone ? FRAME_END : FRAME_OTHER
    }
    const frame = parsePayload(data)
    if (frame === null) return FRAME_BROKEN
    const error = errorIn(frame)
    if (error !== null) {
      this.error = decodeStreamError(error)
      return FRAME_ERROR
    }
    this.usage = decodeUsage(frame.usage) ?? this.usage
    this.contentBytes += textBytes(frame)
    if (typeof frame.type === 'string' && LAST_EVENT.test(frame.type)) this.#isDone = true
    return this.#isDone ? FRAME_END : FRAME_CONTENT
  }

  isComplete(): boolean {
    const { needsMarker, isDelimited } = this.#options
    return this.error === null && (this.#isDone || (isDelimited && !needsMarker))
  }
}

function errorIn(frame: JsonObject): JsonObject | null {
  if (isJsonObject(frame.error)) return frame
  return frame.type === ERROR_EVENT || frame.object === ERROR_EVENT ? { error: frame } : null
}

/** Of completions and of transcripts. */
function textBytes({ choices, delta }: JsonObject): number {
  if (typeof delta === 'string') return delta.length
  if (!isJsonArray(choices)) return 0
  let bytes = 0
  for (const choice of choices) if (isJsonObject(choice) && typeof choice.text === 'string') bytes += choice.text.length
  return bytes
}
