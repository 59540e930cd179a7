// Dialect half, stream: the vendor's events -> canonical events. One per stream; liberal in what it accepts. An end marker of another wire
// is never required. A delta that differs from one before it in its text, its number and its padding alone is not parsed.
import { errorData } from '../../../errors.js'
import { type StreamEvent } from '../../../model/event.js'
import { isJsonArray, type JsonObject } from '../../../model/json.js'
import { FrameShape, TRIAL_TEXT } from '../../../wire/frame-shape.js'
import { type DecoderOptions, type StreamDecoder } from '../../contract/protocol.js'
import { brokenFrame, isSilent, parsePayload } from '../../frame-payload.js'
import { decodeStreamError } from '../../openai-error.js'
import { completedResponse, failureIn, responseOf } from '../frame.js'
import { decodeMeta } from '../response.js'
import { decodeFinish, isCallItem } from '../status.js'
import { decodeUsage } from '../usage.js'
import { BlockQueue } from './block-queue.js'
import { ItemReader } from './item-reader.js'

/** Members that differ from event to event, and that nothing here reads. */
const UNREAD: readonly Buffer[] = Object.freeze([Buffer.from('"sequence_number"'), Buffer.from('"obfuscation"')])

/** Reads one stream. */
export class ResponsesDecoder implements StreamDecoder {
  readonly #emit: (event: StreamEvent) => void
  readonly #options: DecoderOptions
  readonly #queue: BlockQueue
  readonly #items: ItemReader
  readonly #shape = new FrameShape(UNREAD)
  /** A delta of that shape, but with another text. */
  #like: JsonObject | null = null
  #isStarted = false
  /** Nothing is read after `finish` or `error`. */
  #isOver = false

  constructor(emit: (event: StreamEvent) => void, options: DecoderOptions) {
    this.#emit = emit
    this.#options = options
    this.#queue = new BlockQueue(emit)
    this.#items = new ItemReader(this.#queue, options.target.provider)
  }

  push(data: Buffer): void {
    if (this.#isOver) return
    const text = this.#shape.textOf(data)
    if (text !== null && this.#like !== null) {
      this.#like.delta = text
      this.#read(this.#like)
      return
    }
    const event = parsePayload(data)
    if (event === null) {
      if (!isSilent(data)) this.#fail({ type: 'error', error: brokenFrame() })
      return
    }
    const failure = failureIn(event)
    if (failure === null) {
      this.#read(event)
      if (this.#shape.mayLearn) this.#learn(data, event)
    } else this.#fail({ type: 'error', error: decodeStreamError(failure) })
  }

  end(): void {
    if (!this.#isOver) this.#fail({ type: 'error', error: errorData('upstream_cut') })
  }

  #learn(data: Buffer, { type, delta }: JsonObject): void {
    if (typeof delta !== 'string' || delta === '' || typeof type !== 'string' || !type.endsWith('.delta')) return
    this.#shape.learnText(data, delta, (trial) => {
      this.#like = parsePayload(trial)
      return this.#like?.delta === TRIAL_TEXT
    })
  }

  #read(event: JsonObject): void {
    switch (event.type) {
      case 'response.created':
      case 'response.in_progress':
      case 'response.queued':
        this.#start(responseOf(event))
        return
      case 'response.completed':
      case 'response.incomplete':
        this.#finish(completedResponse(event) ?? {})
        return
      case 'response.output_item.added':
        this.#start({})
        this.#items.add(event)
        return
      case 'response.output_item.done':
        this.#start({})
        this.#items.finish(event)
        return
      case 'response.content_part.added':
        this.#start({})
        this.#items.addPart(event)
        return
      case 'response.output_text.delta':
        this.#start({})
        this.#items.text(event, false)
        return
      case 'response.output_text.annotation.added':
        this.#start({})
        this.#items.annotate(event)
        return
      case 'response.refusal.delta':
        this.#start({})
        this.#items.text(event, true)
        return
      case 'response.reasoning_summary_text.delta':
        this.#start({})
        this.#items.reasoning(event, 'summary')
        return
      case 'response.reasoning_text.delta':
        this.#start({})
        this.#items.reasoning(event, 'content')
        return
      case 'response.function_call_arguments.delta':
        this.#start({})
        this.#items.arguments(event)
        return
    }
  }

  #start(response: JsonObject): void {
    if (this.#isStarted) return
    this.#isStarted = true
    this.#emit({ type: 'start', meta: decodeMeta(response, this.#options.fallback) })
  }

  #finish(response: JsonObject): void {
    this.#start(response)
    const output = isJsonArray(response.output) ? response.output : []
    // Some servers send nothing but the finished response.
    if (!this.#items.hasItems) for (const [i, item] of output.entries()) this.#items.finish({ item, output_index: i })
    this.#queue.end()
    this.#isOver = true
    const reason = decodeFinish(response, this.#queue.hasCalls || output.some(isCallItem))
    this.#emit({
      type: 'finish',
      reason,
      usage: decodeUsage(response.usage, response.service_tier),
      stopSequence: null,
    })
  }

  #fail(event: StreamEvent): void {
    this.#isOver = true
    this.#emit(event)
  }
}
