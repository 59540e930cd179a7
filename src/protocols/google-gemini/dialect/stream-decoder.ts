// Decodes streamGenerateContent?alt=sse: each payload a GenerateContentResponse whose parts continue the answer.
// This wire has no end marker: an answer is complete if a finishReason was seen by the time the body ends. Without `alt=sse` the stream
// would be one JSON array, which is not supported and counts as malformed.
import { errorData } from '../../../errors.js'
import { type ErrorData } from '../../../model/error.js'
import { type RefusalDetails, type StreamEvent } from '../../../model/event.js'
import { type UsageReport } from '../../../model/usage.js'
import { type DecoderOptions, type StreamDecoder } from '../../contract/protocol.js'
import { brokenFrame, isSilent } from '../../frame-payload.js'
import { citationsOf, type Source } from '../citations.js'
import { mapFinishReason } from '../finish-reason.js'
import { parseReply, type Reply, type ReplyPart } from './reply.js'

/** Reads one stream. */
export class GeminiDecoder implements StreamDecoder {
  readonly #emit: (event: StreamEvent) => void
  readonly #options: DecoderOptions
  #isStarted = false
  #isDone = false
  #responseId: string
  #blocks = 0
  #calls = 0
  #open: 'text' | 'reasoning' | null = null
  /** Text of the open block, and the sources of the answer: their positions are in bytes. */
  #words = ''
  #sources: readonly Source[] = []
  #textSignature: string | null = null
  #finishReason: string | null = null
  #refusal: RefusalDetails | null = null
  #usage: UsageReport | null = null

  constructor(emit: (event: StreamEvent) => void, options: DecoderOptions) {
    this.#emit = emit
    this.#options = options
    this.#responseId = options.fallback.id
  }

  /** Takes one payload. */
  push(data: Buffer): void {
    if (this.#isDone) return
    const reply = parseReply(data)
    if (reply === null) {
      if (!isSilent(data)) this.#fail(brokenFrame())
    } else if (reply.error === null) this.#onReply(reply)
    else this.#fail(reply.error)
  }

  /** The body ended: finish if a finishReason was seen, else upstream_cut. */
  end(): void {
    if (this.#isDone) return
    if (this.#finishReason === null) {
      this.#fail(errorData('upstream_cut'))
      return
    }
    this.#isDone = true
    this.#cite()
    this.#close(null)
    const reason = mapFinishReason(this.#finishReason, this.#calls > 0)
    const details = this.#refusal === null ? {} : { refusal: this.#refusal }
    this.#emit({ type: 'finish', reason, usage: this.#usage, stopSequence: null, ...details })
  }

  #onReply(reply: Reply): void {
    this.#start(reply)
    for (const part of reply.parts) this.#onPart(part)
    // Each chunk counts all tokens so far: a new count replaces the previous one.
    this.#usage = reply.usage ?? this.#usage
    if (reply.sources.length > 0) this.#sources = reply.sources
    if (reply.finishReason === null) return
    this.#finishReason = reply.finishReason
    this.#refusal = reply.refusal
  }

  #start(reply: Reply): void {
    if (this.#isStarted) return
    this.#isStarted = true
    const { fallback } = this.#options
    this.#responseId = reply.responseId ?? fallback.id
    const model = reply.modelVersion ?? fallback.model
    this.#emit({ type: 'start', meta: { id: this.#responseId, model, createdSec: fallback.createdSec, usage: null } })
  }

  #onPart(part: ReplyPart): void {
    if (part.kind === 'image' || part.kind === 'opaque') {
      this.#close(null)
      const index = this.#blocks++
      this.#emit({ type: 'block-start', index, block: part })
      this.#emit({ type: 'block-end', index, signature: null })
      return
    }
    if (part.kind === 'tool-call') {
      this.#close(null)
      const index = this.#blocks++
      const id = part.id ?? callId(this.#responseId, this.#calls)
      this.#calls += 1
      this.#emit({ type: 'block-start', index, block: { kind: 'tool-call', id, name: part.name } })
      this.#emit({ type: 'block-delta', index, delta: part.arguments })
      this.#emit({ type: 'block-end', index, signature: part.signature })
      return
    }
    if (part.text !== '') {
      this.#openBlock(part.kind)
      this.#words += part.text
      this.#emit({ type: 'block-delta', index: this.#blocks - 1, delta: part.text })
    }
    if (part.signature === null) return
    // Text continues in the same block after its signature, which is emitted at the end of the block.
    if (this.#open === 'text') {
      this.#textSignature = part.signature
      return
    }
    // A signature seals its reasoning block; one without a block (an empty last part) gets a separate reasoning block.
    if (this.#open === null) this.#openBlock('reasoning')
    this.#close(part.signature)
  }

  /** Sources belong to the last text, which is open unless something else came behind it. */
  #cite(): void {
    if (this.#sources.length === 0) return
    this.#openBlock('text')
    for (const citation of citationsOf(this.#sources, this.#words)) {
      this.#emit({ type: 'citation', index: this.#blocks - 1, citation })
    }
  }

  #openBlock(kind: 'text' | 'reasoning'): void {
    if (this.#open === kind) return
    this.#close(null)
    this.#open = kind
    this.#words = ''
    const block = kind === 'text' ? { kind } : { kind, redacted: null }
    this.#emit({ type: 'block-start', index: this.#blocks++, block })
  }

  #close(signature: string | null): void {
    if (this.#open === null) return
    this.#open = null
    this.#emit({ type: 'block-end', index: this.#blocks - 1, signature: signature ?? this.#textSignature })
    this.#textSignature = null
  }

  #fail(error: ErrorData): void {
    this.#isDone = true
    this.#emit({ type: 'error', error })
  }
}

/** An id for a call without one: unique within the conversation, the same on each decode. */
export function callId(responseId: string, call: number): string {
  return `call_${responseId}_${call}`
}
