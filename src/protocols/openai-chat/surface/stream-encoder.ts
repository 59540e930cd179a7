// Surface half, stream: canonical events -> frames of chat completion chunks. The bytes around a delta are built once
// per block, so that a delta costs one JSON.stringify of a string and two concatenations.
import { type Citation } from '../../../model/citation.js'
import {
  type BlockHead,
  type FinishReason,
  type RefusalDetails,
  type ResponseMeta,
  type StreamEvent,
} from '../../../model/event.js'
import { believable, type Usage } from '../../../model/usage.js'
import { encodeSseFrame } from '../../../wire/sse.js'
import { type EncoderOptions, type StreamEncoder } from '../../contract/protocol.js'
import { encodeAnnotations } from '../annotations.js'
import { encodeFinishReason } from '../finish-reason.js'
import { encodeImage } from '../images.js'
import { encodeCompletionId, encodeSignature } from '../response.js'
import { encodeUsage } from '../usage.js'

/** Placeholder for the inserted text: a bare control character, which JSON text never contains. */
const SLOT = '\u0000'
const DELTA_MEMBERS = { text: 'content', refusal: 'refusal', reasoning: 'reasoning_content' } as const
const DONE_FRAME = encodeSseFrame('[DONE]')

/** Writes one stream. */
export class ChatStreamEncoder implements StreamEncoder {
  readonly #emit: (frame: string) => void
  readonly #includeUsage: boolean
  readonly #isLines: boolean
  /** `"id":...,"object":...,"created":...,"model":...` of every chunk. */
  #members = ''
  #beforeDelta = ''
  #afterDelta = ''
  #nextCall = 0
  #isCall = false
  #isText = false
  /** Of the open block, and of the texts before it: positions are those of the whole message. */
  #chars = 0
  #charsBefore = 0
  #citations: Citation[] = []

  constructor(emit: (frame: string) => void, options: EncoderOptions) {
    this.#emit = emit
    this.#includeUsage = options.includeUsage
    this.#isLines = options.framing === 'ndjson'
  }

  push(event: StreamEvent): void {
    switch (event.type) {
      case 'block-delta':
        if (event.delta !== '') this.#emit(this.#beforeDelta + JSON.stringify(event.delta) + this.#afterDelta)
        this.#chars += event.delta.length
        return
      case 'start':
        this.#start(event.meta)
        return
      case 'block-start':
        this.#startBlock(event.block)
        return
      case 'finish':
        if (event.refusal !== undefined) this.#explain(event.refusal)
        this.#finish(event.reason, believable(event.usage))
        return
      case 'citation':
        this.#citations.push(event.citation)
        return
      case 'block-end':
        if (this.#isText) this.#endText()
        if (event.signature !== null && this.#isCall) this.#signCall(event.signature)
        return
      // An error has its own frame (encodeErrorFrame), which is never followed by an end marker.
      case 'error':
        return
    }
  }

  #start(meta: ResponseMeta): void {
    const [id, model] = [JSON.stringify(encodeCompletionId(meta.id)), JSON.stringify(meta.model)]
    this.#members = `"id":${id},"object":"chat.completion.chunk","created":${meta.createdSec},"model":${model}`
    this.#emit(this.#frame('{"role":"assistant","content":""}', null))
  }

  #startBlock(block: BlockHead): void {
    this.#isCall = block.kind === 'tool-call'
    this.#isText = block.kind === 'text'
    this.#chars = 0
    if (block.kind === 'tool-call') this.#startCall(block.id, block.name)
    else if (block.kind === 'image')
      this.#emit(this.#frame(JSON.stringify({ images: [encodeImage(block.source)] }), null))
    else if (block.kind !== 'opaque') this.#slotInto(`{"${DELTA_MEMBERS[block.kind]}":${SLOT}}`)
  }

  /** Annotations are one fragment behind their text. */
  #endText(): void {
    const annotations = encodeAnnotations(this.#citations, this.#charsBefore, this.#chars)
    if (annotations.length > 0) this.#emit(this.#frame(JSON.stringify({ annotations }), null))
    this.#citations = []
    this.#charsBefore += this.#chars
  }

  /** Id, type and name go in the first fragment only. */
  #startCall(id: string, name: string): void {
    const index = this.#nextCall
    this.#nextCall += 1
    const call = { index, id, type: 'function', function: { name, arguments: '' } }
    this.#emit(this.#frame(JSON.stringify({ tool_calls: [call] }), null))
    this.#slotInto(`{"tool_calls":[{"index":${index},"function":{"arguments":${SLOT}}}]}`)
  }

  /** A separate fragment, since the signature comes last. Its empty arguments are for clients that concatenate them unchecked. */
  #signCall(signature: string): void {
    const [index, extra] = [this.#nextCall - 1, encodeSignature(signature)]
    const call = { index, function: { arguments: '' }, extra_content: extra }
    this.#emit(this.#frame(JSON.stringify({ tool_calls: [call] }), null))
  }

  #slotInto(delta: string): void {
    const [before = '', after = ''] = this.#frame(delta, null).split(SLOT)
    this.#beforeDelta = before
    this.#afterDelta = after
  }

  #explain({ explanation }: RefusalDetails): void {
    if (explanation !== null) this.#emit(this.#frame(JSON.stringify({ refusal: explanation }), null))
  }

  #finish(reason: FinishReason, usage: Usage | null): void {
    this.#emit(this.#frame('{}', encodeFinishReason(reason)))
    if (this.#includeUsage && usage !== null) {
      this.#emit(this.#framed(`{${this.#members},"choices":[],"usage":${JSON.stringify(encodeUsage(usage))}}`))
    }
    // NDJSON streams have no end marker, which would not be JSON.
    if (!this.#isLines) this.#emit(DONE_FRAME)
  }

  #frame(delta: string, finishReason: string | null): string {
    const choice = `{"index":0,"delta":${delta},"finish_reason":${JSON.stringify(finishReason)}}`
    // "All other chunks will also include a usage field, but with a null value."
    const usage = this.#includeUsage ? ',"usage":null' : ''
    return this.#framed(`{${this.#members},"choices":[${choice}]${usage}}`)
  }

  #framed(json: string): string {
    return this.#isLines ? `${json}\n` : encodeSseFrame(json)
  }
}
