// Canonical events -> the vendor's SSE frames. One per stream; after `finish` it has emitted `message_stop`.
//
//   message_start (content_block_start content_block_delta* content_block_stop)* message_delta message_stop
//
// A delta costs one JSON.stringify of its text, between a prefix and a suffix built when its block opened.
import {
  type BlockHead,
  type ImageHead,
  type OpaqueHead,
  type ResponseMeta,
  type StreamEvent,
} from '../../../model/event.js'
import { isJsonObject, type JsonObject } from '../../../model/json.js'
import { believable, NO_USAGE, type Usage } from '../../../model/usage.js'
import { encodeSseFrame } from '../../../wire/sse.js'
import { type StreamEncoder } from '../../contract/protocol.js'
import { encodeCitation } from '../citations.js'
import { encodeMessageId } from '../response.js'
import { encodeEnding } from '../stop-details.js'
import { encodeUsage } from '../usage.js'

/**
 * The vendor's own placeholder: clients need the member `usage`, and 0/0 would be taken for a count (vercel/ai#17326).
 * `message_delta` has the actual counts, input included.
 */
const START_OUTPUT_TOKENS = 1

/** Writes one stream. */
export class MessagesEncoder implements StreamEncoder {
  readonly #emit: (frame: string) => void
  #startUsage: Usage | null = null
  #deltaPrefix = ''
  #deltaSuffix = ''
  /** Of the open block: counted here, since a block that this wire has no place for takes none. */
  #index = -1
  #isThinking = false
  #hasRefused = false

  constructor(emit: (frame: string) => void) {
    this.#emit = emit
  }

  push(event: StreamEvent): void {
    switch (event.type) {
      case 'block-delta':
        if (event.delta !== '') this.#emit(this.#deltaPrefix + JSON.stringify(event.delta) + this.#deltaSuffix)
        return
      case 'start':
        this.#startUsage = believable(event.meta.usage)
        this.#emit(encodeFrame('message_start', { message: encodeStart(event.meta) }))
        return
      case 'block-start':
        this.#index += 1
        if (event.block.kind === 'opaque') this.#openOpaque(event.block.value)
        else if (event.block.kind !== 'image') this.#openBlock(event.block)
        return
      case 'citation': {
        const citation = encodeCitation(event.citation)
        const delta = { type: 'citations_delta', citation }
        if (citation !== null) this.#emit(encodeFrame('content_block_delta', { index: this.#index, delta }))
        return
      }
      case 'block-end':
        // Other vendors also sign text and tool calls; this one has the delta only in thinking blocks.
        if (event.signature !== null && this.#isThinking)
          this.#emit(encodeDelta(this.#index, SIGNATURE_DELTA, event.signature))
        this.#emit(encodeFrame('content_block_stop', { index: this.#index }))
        return
      case 'finish': {
        const { reason, refusal, stopSequence } = event
        const ending = encodeEnding({ reason, refusal, hasRefused: this.#hasRefused })
        const delta = { ...ending, stop_sequence: stopSequence }
        const usage = encodeUsage(believable(event.usage) ?? this.#startUsage ?? NO_USAGE)
        this.#emit(encodeFrame('message_delta', { delta, usage }))
        this.#emit(encodeFrame('message_stop', {}))
        return
      }
      case 'error':
        return
    }
  }

  /** A block of the vendor's own; the input of a call comes in a fragment, as the vendor's does. */
  #openOpaque(value: JsonObject): void {
    const index = this.#index
    this.#isThinking = false
    const { input } = value
    const head = isJsonObject(input) ? { ...value, input: {} } : value
    this.#emit(encodeFrame('content_block_start', { index, content_block: head }))
    if (isJsonObject(input)) this.#emit(encodeDelta(index, DELTA_OF_KIND['tool-call'], JSON.stringify(input)))
  }

  #openBlock(block: WrittenHead): void {
    const index = this.#index
    this.#emit(encodeFrame('content_block_start', { index, content_block: encodeHead(block) }))
    const delta = DELTA_OF_KIND[block.kind]
    this.#deltaPrefix = deltaPrefix(index, delta)
    this.#deltaSuffix = DELTA_SUFFIX
    this.#isThinking = block.kind === 'reasoning'
    this.#hasRefused ||= block.kind === 'refusal'
    // The vendor begins each tool's input with an empty fragment; without arguments it remains the only one.
    if (block.kind === 'tool-call') this.#emit(encodeDelta(index, delta, ''))
  }
}

/** What is written delta by delta. */
type WrittenHead = Exclude<BlockHead, ImageHead | OpaqueHead>

type DeltaForm = { readonly type: string; readonly member: string }

const DELTA_OF_KIND: Readonly<Record<WrittenHead['kind'], DeltaForm>> = Object.freeze({
  text: { type: 'text_delta', member: 'text' },
  refusal: { type: 'text_delta', member: 'text' },
  reasoning: { type: 'thinking_delta', member: 'thinking' },
  'tool-call': { type: 'input_json_delta', member: 'partial_json' },
})
const SIGNATURE_DELTA: DeltaForm = Object.freeze({ type: 'signature_delta', member: 'signature' })

const DELTA_SUFFIX = '}}\n\n'

function deltaPrefix(index: number, form: DeltaForm): string {
  const head = `{"type":"content_block_delta","index":${index},"delta":{"type":"${form.type}","${form.member}":`
  return `event: content_block_delta\ndata: ${head}`
}

function encodeDelta(index: number, form: DeltaForm, value: string): string {
  return deltaPrefix(index, form) + JSON.stringify(value) + DELTA_SUFFIX
}

function encodeFrame(type: string, members: JsonObject): string {
  return encodeSseFrame(JSON.stringify({ type, ...members }), type)
}

function encodeStart(meta: ResponseMeta): JsonObject {
  return {
    id: encodeMessageId(meta.id),
    type: 'message',
    role: 'assistant',
    model: meta.model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { ...encodeUsage(believable(meta.usage) ?? NO_USAGE), output_tokens: START_OUTPUT_TOKENS },
  }
}

function encodeHead(block: WrittenHead): JsonObject {
  switch (block.kind) {
    case 'text':
    case 'refusal':
      return { type: 'text', text: '' }
    case 'reasoning':
      if (block.redacted !== null) return { type: 'redacted_thinking', data: block.redacted }
      return { type: 'thinking', thinking: '', signature: '' }
    case 'tool-call':
      return { type: 'tool_use', id: block.id, name: block.name, input: {} }
  }
}
