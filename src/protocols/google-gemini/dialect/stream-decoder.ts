// Decodes streamGenerateContent?alt=sse: each payload a GenerateContentResponse whose parts continue the answer.
// This wire has no end marker: an answer is complete if a finishReason was seen by the time the body ends. Without `alt=sse` the stream
// would be one JSON array, which is not supported and counts as malformed. A payload that differs from the previous one only in its text and
// its counts is not parsed; of the counts of these, those of the last one are read, at the end.
import { errorData } from '../../../errors.js'
import { type ErrorData } from '../../../model/error.js'
import { type RefusalDetails, type StreamEvent } from '../../../model/event.js'
import { type UsageReport } from '../../../model/usage.js'
import { FrameShape, TRIAL_TEXT } from '../../../wire/frame-shape.js'
import { type DecoderOptions, type StreamDecoder } from '../../contract/protocol.js'
import { brokenFrame, isSilent } from '../../frame-payload.js'
import { citationsOf, type Source } from '../citations.js'
import { mapFinishReason } from '../finish-reason.js'
import { COUNT_NAMES, decodeUsageTail, findUsage } from '../usage.js'
import { parseReply, type Reply, type ReplyPart } from './reply.js'

/** A piece of text: all that most payloads bring but for their counts. */
type Piece = ReplyPart & { readonly kind: 'text' | 'reasoning' }

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
  /** Newer than that: a copy of the last payload's end, not read yet. */
  #usageTail: Buffer | null = null
  readonly #shape = new FrameShape(COUNT_NAMES)
  /** Payloads of that shape have usage, and are of this kind. */
  #hasUsage = false
  #kind: Piece['kind'] = 'text'

  constructor(emit: (event: StreamEvent) => void, options: DecoderOptions) {
    this.#emit = emit
    this.#options = options
    this.#responseId = options.fallback.id
  }

  /** Takes one payload. */
  push(data: Buffer): void {
    if (this.#isDone) return
    const text = this.#shape.textOf(data)
    if (text !== null) {
      this.#onText(this.#kind, text)
      if (this.#hasUsage) this.#usageTail = copyUsage(data)
      return
    }
    const reply = parseReply(data)
    if (reply === null) {
      if (!isSilent(data)) this.#fail(brokenFrame())
    } else if (reply.error === null) {
      this.#onReply(reply)
      if (this.#shape.mayLearn) this.#learn(data, reply)
    } else this.#fail(reply.error)
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
    this.#emit({ type: 'finish', reason, usage: this.#lastUsage(), stopSequence: null, ...details })
  }

  /** From a payload that brought one piece of text, and nothing else but usage. */
  #learn(data: Buffer, reply: Reply): void {
    const piece = readPiece(reply)
    if (piece === null) return
    this.#shape.learnText(data, piece.text, (trial) => {
      const tried = parseReply(trial)
      const like = tried === null ? null : readPiece(tried)
      if (tried === null || like === null || like.text !== TRIAL_TEXT) return false
      this.#kind = like.kind
      this.#hasUsage = tried.usage !== null
      // Its counts all differ, so that this is the object that they are read from.
      return !this.#hasUsage || JSON.stringify(readUsage(copyUsage(trial))) === JSON.stringify(tried.usage)
    })
  }

  #lastUsage(): UsageReport | null {
    return readUsage(this.#usageTail) ?? this.#usage
  }

  #onReply(reply: Reply): void {
    this.#start(reply)
    for (const part of reply.parts) this.#onPart(part)
    // Each chunk counts all tokens so far: a new count replaces the previous one.
    this.#usage = reply.usage ?? this.#lastUsage()
    this.#usageTail = null
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
    if (part.text !== '') this.#onText(part.kind, part.text)
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

  #onText(kind: Piece['kind'], text: string): void {
    this.#openBlock(kind)
    this.#words += text
    this.#emit({ type: 'block-delta', index: this.#blocks - 1, delta: text })
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

/** Null if the reply brings anything else, or more. */
function readPiece({ parts, sources, finishReason, error }: Reply): Piece | null {
  const [part] = parts
  if (part === undefined || parts.length > 1 || sources.length > 0 || finishReason !== null || error !== null)
    return null
  const isText = (part.kind === 'text' || part.kind === 'reasoning') && part.text !== '' && part.signature === null
  return isText ? part : null
}

function copyUsage(data: Buffer): Buffer | null {
  const tail = findUsage(data)
  return tail === null ? null : Buffer.from(tail)
}

function readUsage(tail: Buffer | null): UsageReport | null {
  return tail === null ? null : decodeUsageTail(tail)
}

/** An id for a call without one: unique within the conversation, the same on each decode. */
export function callId(responseId: string, call: number): string {
  return `call_${responseId}_${call}`
}
