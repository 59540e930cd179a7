// Decodes the NDJSON of POST /api/chat: each line continues the message, the one with `done: true` ends it. A line that differs from one
// before it in its text and its time alone is not parsed.
import { errorData } from '../../../errors.js'
import { type ErrorData } from '../../../model/error.js'
import { type StreamEvent } from '../../../model/event.js'
import { FrameShape, TRIAL_TEXT } from '../../../wire/frame-shape.js'
import { type DecoderOptions, type StreamDecoder } from '../../contract/protocol.js'
import { brokenFrame, isSilent } from '../../frame-payload.js'
import { callId, mapDoneReason, parseReply, type Reply, type ReplyCall } from './reply.js'

/** Members of which only the first line's are read. */
const READ_ONCE: readonly Buffer[] = Object.freeze([Buffer.from('"created_at"')])

type Piece = { readonly kind: 'text' | 'reasoning'; readonly text: string }

/** Reads one stream. */
export class OllamaDecoder implements StreamDecoder {
  readonly #emit: (event: StreamEvent) => void
  readonly #options: DecoderOptions
  #isStarted = false
  #isDone = false
  #blocks = 0
  #calls = 0
  #open: Piece['kind'] | null = null
  readonly #shape = new FrameShape(READ_ONCE)
  /** Of lines of that shape. */
  #kind: Piece['kind'] = 'text'

  constructor(emit: (event: StreamEvent) => void, options: DecoderOptions) {
    this.#emit = emit
    this.#options = options
  }

  /** Takes one line. Emits finish at `done: true`, not waiting for the body's end. */
  push(data: Buffer): void {
    if (this.#isDone) return
    const text = this.#shape.textOf(data)
    if (text !== null) {
      this.#onText(this.#kind, text)
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

  /** The body ended: upstream_cut unless `done: true` was seen. */
  end(): void {
    if (!this.#isDone) this.#fail(errorData('upstream_cut'))
  }

  /** From a line that brought one piece of text, and nothing else. */
  #learn(data: Buffer, reply: Reply): void {
    const piece = readPiece(reply)
    if (piece === null) return
    this.#shape.learnText(data, piece.text, (trial) => {
      const tried = parseReply(trial)
      const like = tried === null ? null : readPiece(tried)
      if (like?.text !== TRIAL_TEXT) return false
      this.#kind = like.kind
      return true
    })
  }

  #onReply(reply: Reply): void {
    if (!this.#isStarted && isKeepalive(reply)) return
    this.#start(reply)
    if (reply.thinking !== '') this.#onText('reasoning', reply.thinking)
    if (reply.content !== '') this.#onText('text', reply.content)
    for (const call of reply.calls) this.#onCall(call)
    if (!reply.isDone) return
    this.#isDone = true
    this.#close()
    const reason = mapDoneReason(reply.doneReason, this.#calls > 0)
    this.#emit({ type: 'finish', reason, usage: reply.usage, stopSequence: null })
  }

  #start(reply: Reply): void {
    if (this.#isStarted) return
    this.#isStarted = true
    const { id, model, createdSec } = this.#options.fallback
    const meta = { id, model: reply.model ?? model, createdSec: reply.createdSec ?? createdSec, usage: null }
    this.#emit({ type: 'start', meta })
  }

  #onText(kind: Piece['kind'], delta: string): void {
    if (this.#open !== kind) {
      this.#close()
      this.#open = kind
      const block = kind === 'text' ? { kind } : { kind, redacted: null }
      this.#emit({ type: 'block-start', index: this.#blocks++, block })
    }
    this.#emit({ type: 'block-delta', index: this.#blocks - 1, delta })
  }

  #onCall(call: ReplyCall): void {
    this.#close()
    const index = this.#blocks++
    const id = call.id ?? callId(this.#options.fallback.id, this.#calls)
    this.#calls += 1
    this.#emit({ type: 'block-start', index, block: { kind: 'tool-call', id, name: call.name } })
    this.#emit({ type: 'block-delta', index, delta: call.arguments })
    this.#emit({ type: 'block-end', index, signature: null })
  }

  #close(): void {
    if (this.#open === null) return
    this.#open = null
    this.#emit({ type: 'block-end', index: this.#blocks - 1, signature: null })
  }

  #fail(error: ErrorData): void {
    this.#isDone = true
    this.#emit({ type: 'error', error })
  }
}

/** Null if the line brings anything else, or more. */
function readPiece({ thinking, content, calls }: Reply): Piece | null {
  if (calls.length > 0 || (thinking === '') === (content === '')) return null
  return content === '' ? { kind: 'reasoning', text: thinking } : { kind: 'text', text: content }
}

/** A line that says nothing, not even which model it is of: a gateway may send them while the model is silent. */
function isKeepalive({ model, thinking, content, calls, isDone }: Reply): boolean {
  return model === null && !isDone && thinking === '' && content === '' && calls.length === 0
}
