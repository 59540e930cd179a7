// The vendor's frames -> canonical events. One per stream. Blocks of tools that the vendor runs are opaque, and come when they are complete; a frame
// that is not a JSON object ends the stream. Keeps the event law whatever the upstream sends. A delta that differs from one before it in its
// block in its text alone is not parsed.
import { errorData } from '../../../errors.js'
import { type BlockHead, type FinishReason, type RefusalDetails, type StreamEvent } from '../../../model/event.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { parseToolArguments } from '../../../model/tool-arguments.js'
import { FrameShape, TRIAL_TEXT } from '../../../wire/frame-shape.js'
import { type DecoderOptions, type StreamDecoder } from '../../contract/protocol.js'
import { brokenFrame, isSilent, parsePayload } from '../../frame-payload.js'
import { decodeCitation } from '../citations.js'
import { decodeErrorObject } from '../error.js'
import { decodeMeta } from '../response.js'
import { decodeStopDetails } from '../stop-details.js'
import { decodeStopReason } from '../stop-reason.js'
import { readCounts, readStartCounts, type TokenCounts, usageOf } from '../usage.js'
import { finishAfterJson, isJsonTool } from './json-tool.js'

const WIRE = 'anthropic-messages'
const TEXT: BlockHead = Object.freeze({ kind: 'text' })

/** The index while no block is open, in both numberings. */
const NONE = -1

/** Reads one stream. */
export class MessagesDecoder implements StreamDecoder {
  readonly #emit: (event: StreamEvent) => void
  readonly #options: DecoderOptions
  #isStarted = false
  #isEnded = false
  /** Index of the open block in the vendor's numbering and in ours. */
  #wireIndex = NONE
  #index = NONE
  #nextIndex = 0
  #kind: BlockHead['kind'] = 'text'
  /** The open block is the input of the JSON tool (json-tool.ts); its fragments are text to the client. */
  #isJson = false
  #hasJson = false
  #hasCalls = false
  #signature: string | null = null
  #held: JsonObject | null = null
  #heldInput = ''
  /** Arguments to emit at the end of a tool call without any delta; null once there was one. */
  #lateArguments: string | null = null
  #counts: TokenCounts | null = null
  #reason: FinishReason = 'other'
  #stopSequence: string | null = null
  #refusal: RefusalDetails | null = null
  /** Of a delta of the open block. */
  readonly #shape = new FrameShape()

  constructor(emit: (event: StreamEvent) => void, options: DecoderOptions) {
    this.#emit = emit
    this.#options = options
  }

  push(data: Buffer): void {
    if (this.#isEnded) return
    const text = this.#shape.textOf(data)
    if (text !== null) {
      this.#emitDelta(text)
      return
    }
    const frame = parsePayload(data)
    if (frame === null) {
      if (!isSilent(data)) this.#fail(brokenFrame())
      return
    }
    switch (frame.type) {
      case 'content_block_delta':
        this.#pushDelta(frame)
        if (this.#shape.mayLearn) this.#learn(data, frame)
        return
      case 'content_block_start':
        this.#openBlock(frame)
        return
      case 'content_block_stop':
        if (frame.index === this.#wireIndex) this.#closeBlock()
        return
      case 'message_start':
        this.#start(isJsonObject(frame.message) ? frame.message : {})
        return
      case 'message_delta':
        this.#pushMessageDelta(frame)
        return
      case 'message_stop':
        this.#finish()
        return
      case 'error':
        if (isJsonObject(frame.error)) this.#fail(decodeErrorObject(frame.error))
        return
    }
  }

  end(): void {
    if (!this.#isEnded) this.#fail(errorData('upstream_cut'))
  }

  #start(message: JsonObject): void {
    if (this.#isStarted) return
    this.#isStarted = true
    this.#counts = readStartCounts(message.usage)
    this.#emit({ type: 'start', meta: decodeMeta(message, this.#options.fallback) })
  }

  #openBlock(frame: JsonObject): void {
    this.#start({})
    this.#closeBlock()
    const block = isJsonObject(frame.content_block) ? frame.content_block : {}
    const isJson = isJsonTool(block)
    const head = isJson ? TEXT : decodeHead(block)
    if (head === null && !isJson) {
      this.#hold(block, frame.index)
      return
    }
    // Only the first call is the answer: a second one would make the JSON invalid.
    if (head === null || typeof frame.index !== 'number' || (isJson && this.#hasJson)) return
    this.#isJson = isJson
    this.#hasJson ||= isJson
    this.#hasCalls ||= head.kind === 'tool-call'
    this.#wireIndex = frame.index
    this.#index = this.#nextIndex
    this.#nextIndex += 1
    this.#kind = head.kind
    this.#signature = stringOf(block.signature) || null
    this.#lateArguments = isJson || head.kind === 'tool-call' ? JSON.stringify(block.input ?? {}) : null
    this.#emit({ type: 'block-start', index: this.#index, block: head })
    // The vendor opens blocks empty; some compatible servers send the first piece here.
    if (head.kind === 'text' && !isJson) this.#emitDelta(stringOf(block.text))
    else if (head.kind === 'reasoning') this.#emitDelta(stringOf(block.thinking))
  }

  /** A block of a tool that the vendor runs, until its input is complete. */
  #hold(block: JsonObject, index: JsonValue | undefined): void {
    if (stringOf(block.type) === '' || typeof index !== 'number') return
    this.#wireIndex = index
    this.#held = block
    this.#heldInput = ''
    this.#kind = 'opaque'
  }

  #releaseHeld(): void {
    const held = this.#held
    if (held === null) return
    this.#held = null
    this.#wireIndex = NONE
    const input = this.#heldInput === '' ? null : parseToolArguments(this.#heldInput)
    const value = input === null ? held : { ...held, input }
    const index = this.#nextIndex
    this.#nextIndex += 1
    const block: BlockHead = { kind: 'opaque', wire: WIRE, name: stringOf(held.type), value }
    this.#emit({ type: 'block-start', index, block })
    this.#emit({ type: 'block-end', index, signature: null })
  }

  #pushDelta(frame: JsonObject): void {
    if (frame.index !== this.#wireIndex || !isJsonObject(frame.delta)) return
    const { delta } = frame
    const text = this.#textIn(delta)
    if (text !== null) this.#emitDelta(text)
    else if (this.#kind === 'opaque') this.#heldInput += stringOf(delta.partial_json)
    else if (delta.type === 'citations_delta' && this.#kind === 'text' && !this.#isJson) this.#cite(delta.citation)
    else if (delta.type === 'signature_delta' && this.#kind === 'reasoning')
      this.#signature = stringOf(delta.signature) || this.#signature
  }

  /** What a delta appends to the open block; null if it brings anything else. */
  #textIn(delta: JsonObject): string | null {
    const isInput = this.#kind === 'tool-call' || this.#isJson
    if (delta.type === 'text_delta' && this.#kind === 'text') return stringOf(delta.text)
    if (delta.type === 'input_json_delta' && isInput) return stringOf(delta.partial_json)
    if (delta.type === 'thinking_delta' && this.#kind === 'reasoning') return stringOf(delta.thinking)
    return null
  }

  #learn(data: Buffer, frame: JsonObject): void {
    const text = this.#textOf(frame)
    if (text === null || text === '') return
    this.#shape.learnText(data, text, (trial) => {
      const tried = parsePayload(trial)
      return tried !== null && tried.type === frame.type && this.#textOf(tried) === TRIAL_TEXT
    })
  }

  #textOf({ index, delta }: JsonObject): string | null {
    return index === this.#wireIndex && isJsonObject(delta) ? this.#textIn(delta) : null
  }

  #cite(value: JsonValue | undefined): void {
    const citation = decodeCitation(value)
    if (citation !== null) this.#emit({ type: 'citation', index: this.#index, citation })
  }

  #emitDelta(delta: string): void {
    if (delta === '') return
    this.#lateArguments = null
    this.#emit({ type: 'block-delta', index: this.#index, delta })
  }

  #closeBlock(): void {
    this.#shape.forget()
    this.#releaseHeld()
    if (this.#index === NONE) return
    if (this.#lateArguments !== null) this.#emitDelta(this.#lateArguments)
    this.#emit({ type: 'block-end', index: this.#index, signature: this.#signature })
    this.#index = NONE
    this.#wireIndex = NONE
  }

  #pushMessageDelta(frame: JsonObject): void {
    this.#start({})
    this.#counts = readCounts(frame.usage, this.#counts)
    if (!isJsonObject(frame.delta)) return
    if (typeof frame.delta.stop_reason === 'string') this.#reason = decodeStopReason(frame.delta.stop_reason)
    this.#refusal = decodeStopDetails(frame.delta.stop_details) ?? this.#refusal
    if (typeof frame.delta.stop_sequence === 'string') this.#stopSequence = frame.delta.stop_sequence
  }

  #finish(): void {
    this.#start({})
    this.#closeBlock()
    this.#isEnded = true
    // Without an output count there is no usable usage; the pipeline then estimates.
    const counts = this.#counts
    const isTold = counts !== null && (counts.output !== null || counts.isImplausible)
    const usage = isTold ? usageOf(counts) : null
    const reason = this.#hasJson ? finishAfterJson(this.#reason, this.#hasCalls) : this.#reason
    const details = this.#refusal === null ? {} : { refusal: this.#refusal }
    this.#emit({ type: 'finish', reason, usage, stopSequence: this.#stopSequence, ...details })
  }

  #fail(error: ReturnType<typeof errorData>): void {
    this.#isEnded = true
    this.#emit({ type: 'error', error })
  }
}

function decodeHead(block: JsonObject): BlockHead | null {
  switch (block.type) {
    case 'text':
      return { kind: 'text' }
    case 'thinking':
      return { kind: 'reasoning', redacted: null }
    case 'redacted_thinking':
      return { kind: 'reasoning', redacted: stringOf(block.data) }
    case 'tool_use':
      return { kind: 'tool-call', id: stringOf(block.id), name: stringOf(block.name) }
    default:
      return null
  }
}

function stringOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : ''
}
