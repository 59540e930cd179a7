// Folds a stream of events into one whole answer: for clients that do not stream, for jobs, for logs.
// O(bytes): text is only appended to. A stream that was cut yields the part that arrived.
import { type Citation } from './citation.js'
import { type ErrorData } from './error.js'
import { type BlockHead, type FinishReason, type RefusalDetails, type ResponseMeta, type StreamEvent } from './event.js'
import { type AnswerPart, type ChatResponse } from './response.js'
import { type UsageReport } from './usage.js'

/** One stream's events in, the answer so far out. */
export class Aggregator {
  readonly #content: AnswerPart[] = []
  #meta: ResponseMeta
  #block: BlockHead | null = null
  #text = ''
  #citations: Citation[] = []
  #finishReason: FinishReason = 'other'
  #stopSequence: string | null = null
  #refusal: RefusalDetails | undefined
  #usage: UsageReport | null = null
  #error: ErrorData | null = null

  /** `fallback` is the meta of a stream that ended before its start. */
  constructor(fallback: ResponseMeta) {
    this.#meta = fallback
  }

  /** The error that ended the stream, if one did. */
  get error(): ErrorData | null {
    return this.#error
  }

  /** Takes the next event; events arrive in the order of their law. */
  push(event: StreamEvent): void {
    switch (event.type) {
      case 'start':
        this.#meta = event.meta
        this.#usage = event.meta.usage
        break
      case 'block-start':
        this.#closeBlock(null)
        this.#block = event.block
        break
      case 'block-delta':
        this.#text += event.delta
        break
      case 'citation':
        this.#citations.push(event.citation)
        break
      case 'block-end':
        this.#closeBlock(event.signature)
        break
      case 'finish':
        this.#finishReason = event.reason
        this.#stopSequence = event.stopSequence
        this.#refusal = event.refusal
        this.#usage = event.usage ?? this.#usage
        break
      case 'error':
        this.#error = event.error
        break
    }
  }

  /** The answer so far; a block still open counts as ended. Without a finish the reason is `other`. */
  response(): ChatResponse {
    const open = this.#block === null ? [] : [this.#toPart(this.#block, null)]
    return {
      meta: this.#meta,
      content: [...this.#content, ...open],
      finishReason: this.#finishReason,
      stopSequence: this.#stopSequence,
      usage: this.#usage,
      ...(this.#refusal === undefined ? {} : { refusal: this.#refusal }),
    }
  }

  #closeBlock(signature: string | null): void {
    if (this.#block !== null) this.#content.push(this.#toPart(this.#block, signature))
    this.#block = null
    this.#text = ''
    this.#citations = []
  }

  #toPart(block: BlockHead, signature: string | null): AnswerPart {
    const [text, citations] = [this.#text, this.#citations]
    switch (block.kind) {
      case 'text':
        return citations.length === 0 ? { type: 'text', text } : { type: 'text', text, citations }
      case 'refusal':
        return { type: 'refusal', text }
      case 'reasoning':
        return { type: 'reasoning', text, signature, redacted: block.redacted }
      case 'tool-call':
        return { type: 'tool-call', id: block.id, name: block.name, arguments: text, signature }
      case 'image':
        return { type: 'made-image', source: block.source }
      case 'opaque':
        return { type: 'opaque', wire: block.wire, name: block.name, value: block.value }
    }
  }
}
