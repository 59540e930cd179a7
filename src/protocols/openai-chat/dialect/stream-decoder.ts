// Dialect half, stream: frames of chat completion chunks -> canonical events. One per stream; liberal in what it accepts. A chunk that differs
// from the previous one only in its text, or in its fragment of arguments, is not parsed.
import { errorData } from '../../../errors.js'
import { type ResponseMeta, type StreamEvent } from '../../../model/event.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { type UsageReport } from '../../../model/usage.js'
import { FrameShape, TRIAL_TEXT } from '../../../wire/frame-shape.js'
import { type DecoderOptions, type StreamDecoder } from '../../contract/protocol.js'
import { brokenFrame, isSilent, parsePayload } from '../../frame-payload.js'
import { decodeStreamError } from '../../openai-error.js'
import { numberOf, stringOf, textOf } from '../../scalars.js'
import { errorIn, firstChoice, isDoneMarker, PADDING } from '../chunk.js'
import { decodeFinishReason } from '../finish-reason.js'
import { decodeImages } from '../images.js'
import { usageOfChunk } from '../usage.js'
import { BlockSequencer } from './block-sequencer.js'
import { type Blocks, type Piece, SolePiece } from './sole-piece.js'

/** Reads one stream. */
export class ChatStreamDecoder implements StreamDecoder {
  readonly #emit: (event: StreamEvent) => void
  readonly #options: DecoderOptions
  readonly #shape = new FrameShape(PADDING)
  /** What a chunk of that shape brings, but with another text. */
  #like: Piece | null = null
  /** Null until the first choice: only then is it known that this is an answer. */
  #blocks: BlockSequencer | null = null
  #finishReason: string | null = null
  #usage: UsageReport | null = null
  /** Nothing is read after `finish` or `error`. */
  #isOver = false

  constructor(emit: (event: StreamEvent) => void, options: DecoderOptions) {
    this.#emit = emit
    this.#options = options
  }

  push(data: Buffer): void {
    if (this.#isOver) return
    const text = this.#shape.textOf(data)
    if (text !== null && this.#pushAlike(text)) return
    if (isDoneMarker(data)) {
      this.#finish()
      return
    }
    const chunk = parsePayload(data)
    if (chunk === null) {
      if (!isSilent(data)) this.#fail({ type: 'error', error: brokenFrame() })
      return
    }
    const error = errorIn(chunk)
    if (error === null) {
      this.#pushChunk(chunk)
      if (this.#shape.mayLearn) this.#learn(data, chunk)
    } else this.#fail({ type: 'error', error: decodeStreamError(error) })
  }

  end(): void {
    if (this.#isOver) return
    const isFinished = this.#finishReason !== null && !this.#options.target.quirks.doneMarker
    if (isFinished) this.#finish()
    else this.#fail({ type: 'error', error: errorData('upstream_cut') })
  }

  /** A chunk like the learned one, with this text. */
  #pushAlike(text: string): boolean {
    const blocks = this.#blocks
    const like = this.#like
    if (blocks === null || like === null) return false
    const { kind, call } = like
    if (kind !== 'call') blocks.text(kind, text)
    else if (call !== null) blocks.call({ index: call.index, id: call.id, name: call.name, arguments: text })
    return true
  }

  /** From a chunk that brought one piece of text, and nothing else. */
  #learn(data: Buffer, chunk: JsonObject): void {
    const piece = readPiece(chunk)
    if (piece === null || piece.text === '') return
    this.#shape.learnText(data, piece.text, (trial) => {
      const tried = parsePayload(trial)
      this.#like = tried === null ? null : readPiece(tried)
      return this.#like?.text === TRIAL_TEXT
    })
  }

  #pushChunk(chunk: JsonObject): void {
    // The last value counts: some vendors repeat running totals in every chunk.
    this.#usage = usageOfChunk(chunk) ?? this.#usage
    const choice = firstChoice(chunk)
    if (choice === null) return
    this.#blocks ??= this.#start(chunk)
    // Azure's asynchronous filter sends choices without a delta.
    if (isJsonObject(choice.delta)) pushDelta(this.#blocks, choice.delta)
    this.#finishReason = textOf(choice.finish_reason) ?? this.#finishReason
  }

  #start(chunk: JsonObject): BlockSequencer {
    const { fallback } = this.#options
    const createdSec = numberOf(chunk.created) ?? 0
    const meta: ResponseMeta = {
      id: textOf(chunk.id) ?? fallback.id,
      model: textOf(chunk.model) ?? fallback.model,
      createdSec: createdSec > 0 ? createdSec : fallback.createdSec,
      usage: null,
    }
    this.#emit({ type: 'start', meta })
    return new BlockSequencer(this.#emit, `call_${meta.id}`)
  }

  #finish(): void {
    if (this.#blocks === null) {
      const message = 'The provider ended its stream without an answer.'
      this.#fail({ type: 'error', error: errorData('upstream_malformed', { message }) })
      return
    }
    this.#isOver = true
    this.#blocks.finish()
    const reason = decodeFinishReason(this.#finishReason, this.#blocks.hasCalls)
    this.#emit({ type: 'finish', reason, usage: this.#usage, stopSequence: null })
  }

  #fail(event: StreamEvent): void {
    this.#isOver = true
    this.#emit(event)
  }
}

/** The piece of text that a chunk brings; null if it brings anything else, or more. */
function readPiece(chunk: JsonObject): Piece | null {
  const choice = firstChoice(chunk)
  if (choice === null || !isJsonObject(choice.delta) || textOf(choice.finish_reason) !== null) return null
  if (usageOfChunk(chunk) !== null) return null
  const sole = new SolePiece()
  pushDelta(sole, choice.delta)
  return sole.piece
}

function pushDelta(blocks: Blocks, delta: JsonObject): void {
  // Either name, whatever the profile says; some vendors send both with the same text.
  blocks.text('reasoning', textOf(delta.reasoning_content) ?? stringOf(delta.reasoning) ?? '')
  pushContent(blocks, delta.content)
  if (delta.annotations !== undefined) blocks.cite(delta.annotations)
  if (delta.images !== undefined) for (const source of decodeImages(delta.images)) blocks.image(source)
  blocks.text('refusal', stringOf(delta.refusal) ?? '')
  if (isJsonArray(delta.tool_calls)) for (const call of delta.tool_calls) pushCall(blocks, call)
  if (isJsonObject(delta.function_call)) pushFunction(blocks, delta.function_call, { index: 0, id: '' })
}

/** Mistral's reasoning models send parts: `[{type: thinking, thinking: [{type: text, text}]}, {type: text, text}]`. */
function pushContent(blocks: Blocks, content: JsonValue | undefined): void {
  if (typeof content === 'string') blocks.text('text', content)
  if (!isJsonArray(content)) return
  for (const part of content) {
    if (!isJsonObject(part)) continue
    if (part.type === 'thinking') blocks.text('reasoning', thinkingText(part))
    else blocks.text('text', stringOf(part.text) ?? '')
  }
}

/** The text of a Mistral thinking part. */
export function thinkingText(part: JsonObject): string {
  if (!isJsonArray(part.thinking)) return stringOf(part.thinking) ?? ''
  return part.thinking.map((piece) => (isJsonObject(piece) ? (stringOf(piece.text) ?? '') : '')).join('')
}

function pushCall(blocks: Blocks, call: JsonValue): void {
  if (!isJsonObject(call)) return
  const { index, id } = call
  const definition = isJsonObject(call.function) ? call.function : {}
  pushFunction(blocks, definition, { index: numberOf(index), id: stringOf(id) ?? '' })
}

/** Each member by its name: on Node 20, members behind a spread take 1 us each. */
function pushFunction(blocks: Blocks, call: JsonObject, { index, id }: { index: number | null; id: string }): void {
  const given = call.arguments
  const text = isJsonObject(given) ? JSON.stringify(given) : (stringOf(given) ?? '')
  blocks.call({ index, id, name: stringOf(call.name) ?? '', arguments: text })
}
