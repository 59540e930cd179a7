// Decodes the NDJSON of POST /api/chat: each line continues the message, the one with `done: true` ends it.
import { errorData } from '../../../errors.js'
import { type ErrorData } from '../../../model/error.js'
import { type StreamEvent } from '../../../model/event.js'
import { type DecoderOptions, type StreamDecoder } from '../../contract/protocol.js'
import { brokenFrame, isSilent } from '../../frame-payload.js'
import { callId, mapDoneReason, parseReply, type Reply, type ReplyCall } from './reply.js'

/** Reads one stream. */
export class OllamaDecoder implements StreamDecoder {
  readonly #emit: (event: StreamEvent) => void
  readonly #options: DecoderOptions
  #isStarted = false
  #isDone = false
  #blocks = 0
  #calls = 0
  #open: 'text' | 'reasoning' | null = null

  constructor(emit: (event: StreamEvent) => void, options: DecoderOptions) {
    this.#emit = emit
    this.#options = options
  }

  /** Takes one line. Emits finish at `done: true`, not waiting for the body's end. */
  push(data: Buffer): void {
    if (this.#isDone) return
    const reply = parseReply(data)
    if (reply === null) {
      if (!isSilent(data)) this.#fail(brokenFrame())
    } else if (reply.error === null) this.#onReply(reply)
    else this.#fail(reply.error)
  }

  /** The body ended: upstream_cut unless `done: true` was seen. */
  end(): void {
    if (!this.#isDone) this.#fail(errorData('upstream_cut'))
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

  #onText(kind: 'text' | 'reasoning', delta: string): void {
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

/** A line that says nothing, not even which model it is of: a gateway may send them while the model is silent. */
function isKeepalive({ model, thinking, content, calls, isDone }: Reply): boolean {
  return model === null && !isDone && thinking === '' && content === '' && calls.length === 0
}
