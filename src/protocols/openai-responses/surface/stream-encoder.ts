// Canonical events -> the vendor's SSE events. One per stream; the order is the vendor's:
//
//   created [queued] in_progress (item.added [part.added] delta* *.done [part.done] item.done)* completed | incomplete
//
// A block's end is written when the next block or the end of the stream is known: an item that was cut short is `incomplete`. A delta costs
// one JSON.stringify of its text; the bytes around it are built once per block.
import { type Citation } from '../../../model/citation.js'
import { type ErrorData } from '../../../model/error.js'
import {
  type BlockHead,
  type FinishReason,
  type ImageHead,
  type OpaqueHead,
  type RefusalDetails,
  type ResponseMeta,
  type StreamEvent,
} from '../../../model/event.js'
import { type JsonObject } from '../../../model/json.js'
import { believable, NO_USAGE, type UsageReport } from '../../../model/usage.js'
import { type EncoderOptions, type StreamEncoder } from '../../contract/protocol.js'
import { encodeErrorObject } from '../../openai-error.js'
import { encodeResponseId, itemBaseOf } from '../ids.js'
import { ownOf } from '../own-members.js'
import { encodeAnnotations } from '../parts/annotations.js'
import { encodeMade } from '../parts/made.js'
import { encodeFinish } from '../status.js'
import { type ToolName, unpackName } from '../tool-names.js'
import { encodeUsage } from '../usage.js'
import { encodeHead, encodeRepeated, namesOf, type ResponseHead } from './echo.js'
import {
  encodeCall,
  encodeCallSignature,
  encodeMessage,
  encodeReasoning,
  encodeRefusal,
  encodeText,
  type ItemStatus,
  itemId,
  NO_ARGUMENTS,
  sealReasoning,
} from './items.js'
import { RawInput } from './raw-input.js'

/** One event; `members` is JSON text without braces. */
export function encodeEvent(type: string, members: string, sequence: number): string {
  return `event: ${type}\ndata: {"type":"${type}",${members},"sequence_number":${sequence}}\n\n`
}

/** What is written delta by delta. */
type WrittenHead = Exclude<BlockHead, ImageHead | OpaqueHead>

/** The block being written. */
type OpenItem = {
  readonly id: string
  readonly index: number
  readonly block: WrittenHead
  readonly tool: ToolName | null
  /** Where its deltas belong, as JSON text. */
  readonly place: string
  readonly raw: RawInput | null
  hasPart: boolean
}

/** Writes one stream. */
export class ResponsesEncoder implements StreamEncoder {
  readonly #emit: (frame: string) => void
  readonly #elapsedMs: (() => number) | undefined
  readonly #echo: JsonObject | null
  readonly #names: JsonObject
  #meta: ResponseMeta = { id: '', model: '', createdSec: 0, usage: null }
  #base = ''
  /** Everything of a response object behind its usage, as JSON text: built once. */
  #repeated = ''
  #sequence = 0
  readonly #done: string[] = []
  #item: OpenItem | null = null
  #text = ''
  /** Written at the end of their text, when it is known where that is. */
  #citations: Citation[] = []
  /** The block has ended, but its end is not written yet. */
  #isHeld = false
  #signature: string | null = null
  /** Deltas of this block pass as they are. */
  #isPlain = false
  #deltaHead = ''
  #deltaTail = ''

  constructor(emit: (frame: string) => void, { echo = null, elapsedMs }: EncoderOptions) {
    this.#emit = emit
    this.#elapsedMs = elapsedMs
    this.#echo = echo
    this.#names = namesOf(echo)
  }

  push(event: StreamEvent): void {
    switch (event.type) {
      case 'block-delta':
        if (event.delta !== '') this.#pushDelta(event.delta)
        return
      case 'start':
        this.#start(event.meta)
        return
      case 'block-start':
        this.#closeItem('completed')
        if (event.block.kind === 'image' || event.block.kind === 'opaque') this.#writeMade(event.block)
        else this.#openItem(event.block)
        return
      case 'citation':
        this.#citations.push(event.citation)
        return
      case 'block-end':
        this.#isHeld = true
        this.#signature = event.signature
        return
      case 'finish':
        if (event.refusal !== undefined) this.#explain(event.refusal)
        this.#finish(event.reason, event.usage)
        return
      case 'error':
        return
    }
  }

  /**
   * The two events that end a failed stream: some clients know only the first, others only the second. The same for every reader of the
   * stream.
   */
  encodeErrorFrame(error: ErrorData): string {
    const sequence = this.#sequence
    const response = this.#response({ status: 'failed', error: failureOf(error) })
    return encodeErrorEvent(error, sequence) + encodeEvent('response.failed', `"response":${response}`, sequence + 1)
  }

  #start(meta: ResponseMeta): void {
    this.#meta = { ...meta, id: ownOf(this.#echo)?.id ?? encodeResponseId(meta.id) }
    this.#base = itemBaseOf(this.#meta.id)
    this.#repeated = JSON.stringify(encodeRepeated(this.#echo)).slice(1)
    const response = this.#response({ status: 'in_progress' })
    // One that runs without its client has waited for its turn: its client may have had these two before the others.
    if (ownOf(this.#echo)?.background === true) {
      const queued = this.#response({ status: 'queued' })
      this.#event('response.created', `"response":${queued}`)
      this.#event('response.queued', `"response":${queued}`)
    } else this.#event('response.created', `"response":${response}`)
    this.#event('response.in_progress', `"response":${response}`)
  }

  /** What a tool of the vendor has made comes whole. */
  #writeMade(block: ImageHead | OpaqueHead): void {
    const index = this.#done.length
    const { begun, whole } = encodeMade(itemId('image', this.#base, index), block)
    this.#event('response.output_item.added', `"output_index":${index},"item":${JSON.stringify(begun)}`)
    this.#finishItem(whole)
  }

  #openItem(block: WrittenHead): void {
    const index = this.#done.length
    const tool = block.kind === 'tool-call' ? unpackName(this.#names, block.name) : null
    const kind = tool?.kind ?? KINDS[block.kind]
    const id = itemId(kind === 'refusal' ? 'message' : kind, this.#base, index)
    const place = `"item_id":${JSON.stringify(id)},"output_index":${index}`
    const raw = tool?.kind === 'custom' ? new RawInput() : null
    const item: OpenItem = { id, index, block, tool, place, raw, hasPart: false }
    this.#item = item
    this.#text = ''
    this.#citations = []
    this.#isHeld = false
    this.#signature = null
    this.#isPlain = kind === 'message' || kind === 'refusal' || kind === 'function'
    this.#event('response.output_item.added', `"output_index":${index},"item":${JSON.stringify(skeletonOf(item))}`)
    if (kind === 'message' || kind === 'refusal') {
      const part = JSON.stringify(kind === 'message' ? encodeText('') : encodeRefusal(''))
      this.#event('response.content_part.added', `${place},"content_index":0,"part":${part}`)
    }
    const form = DELTAS[kind]
    this.#deltaHead = `event: ${form.type}\ndata: {"type":"${form.type}",${place}${form.place},"delta":`
    this.#deltaTail = `${form.after},"sequence_number":`
  }

  #pushDelta(delta: string): void {
    const text = this.#isPlain ? delta : this.#readDelta(delta)
    if (text === '') return
    this.#text += text
    this.#emit(`${this.#deltaHead}${JSON.stringify(text)}${this.#deltaTail}${this.#sequence++}}\n\n`)
  }

  /** What a delta adds to the open item of reasoning, a custom tool or a search, whose arguments have no delta on this wire. */
  #readDelta(delta: string): string {
    const item = this.#item
    if (item === null) return ''
    if (item.raw !== null) return item.raw.push(delta)
    if (item.tool !== null) {
      this.#text += delta
      return ''
    }
    if (!item.hasPart) {
      item.hasPart = true
      const part = JSON.stringify({ type: 'summary_text', text: '' })
      this.#event('response.reasoning_summary_part.added', `${item.place},"summary_index":0,"part":${part}`)
    }
    return delta
  }

  /** Writes the end of the block that has ended; nothing if there is none. */
  #closeItem(status: ItemStatus): void {
    const item = this.#item
    if (item === null || !this.#isHeld) return
    const { place, block, tool } = item
    if (block.kind === 'text' || block.kind === 'refusal') this.#closeMessage(item, block.kind, status)
    else if (block.kind === 'reasoning') {
      if (item.hasPart) {
        const text = JSON.stringify(this.#text)
        this.#event('response.reasoning_summary_text.done', `${place},"summary_index":0,"text":${text}`)
        const part = `{"type":"summary_text","text":${text}}`
        this.#event('response.reasoning_summary_part.done', `${place},"summary_index":0,"part":${part}`)
      }
      this.#finishItem(encodeReasoning(item.id, this.#text, sealReasoning(this.#signature, block.redacted)))
    } else if (tool !== null) this.#closeCall(item, block, tool, status)
    this.#item = null
  }

  #closeMessage({ id, place }: OpenItem, kind: 'text' | 'refusal', status: ItemStatus): void {
    const text = JSON.stringify(this.#text)
    const annotations = encodeAnnotations(this.#citations, this.#text.length)
    const part = kind === 'text' ? encodeText(this.#text, annotations) : encodeRefusal(this.#text)
    for (const [i, annotation] of annotations.entries()) {
      const members = `${place},"content_index":0,"annotation_index":${i},"annotation":${JSON.stringify(annotation)}`
      this.#event('response.output_text.annotation.added', members)
    }
    if (kind === 'refusal') this.#event('response.refusal.done', `${place},"content_index":0,"refusal":${text}`)
    else this.#event('response.output_text.done', `${place},"content_index":0,"text":${text},"logprobs":[]`)
    this.#event('response.content_part.done', `${place},"content_index":0,"part":${JSON.stringify(part)}`)
    this.#finishItem(encodeMessage(id, part, status))
  }

  #closeCall(item: OpenItem, call: { id: string; name: string }, tool: ToolName, status: ItemStatus): void {
    const rest = item.raw === null ? '' : item.raw.end()
    const missing = tool.kind === 'function' && this.#text === '' ? NO_ARGUMENTS : rest
    this.#isPlain = true
    if (missing !== '') this.#pushDelta(missing)
    const text = JSON.stringify(this.#text)
    if (tool.kind === 'custom') this.#event('response.custom_tool_call_input.done', `${item.place},"input":${text}`)
    if (tool.kind === 'function') {
      const name = JSON.stringify(tool.name)
      this.#event('response.function_call_arguments.done', `${item.place},"arguments":${text},"name":${name}`)
    }
    this.#finishItem(encodeCall(item.id, call, tool, this.#text, status))
    if (this.#signature === null) return
    const index = this.#done.length
    const signed = encodeCallSignature(this.#base, index, call.id, this.#signature)
    this.#event('response.output_item.added', `"output_index":${index},"item":${JSON.stringify(signed)}`)
    this.#finishItem(signed)
  }

  #finishItem(item: JsonObject): void {
    const text = JSON.stringify(item)
    this.#event('response.output_item.done', `"output_index":${this.#done.length},"item":${text}`)
    this.#done.push(text)
  }

  /** Its words are an item, behind all others. */
  #explain({ explanation }: RefusalDetails): void {
    if (explanation === null) return
    this.#closeItem('completed')
    this.#openItem({ kind: 'refusal' })
    this.#pushDelta(explanation)
    this.#isHeld = true
  }

  #finish(reason: FinishReason, usage: UsageReport | null): void {
    const { status, reason: incompleteReason } = encodeFinish(reason)
    this.#closeItem(status)
    if (this.#done.length === 0) {
      // Clients read an answer without any item as none.
      this.#openItem({ kind: 'text' })
      this.#isHeld = true
      this.#closeItem(status)
    }
    // A finished response without usage fails in clients' schemas (vercel/ai, `response.completed`): unknown counts are 0.
    const counts = believable(usage) ?? believable(this.#meta.usage) ?? NO_USAGE
    const response = this.#response({
      ...{ status, incompleteReason, usage: encodeUsage(counts), elapsedMs: this.#elapsedMs?.() },
    })
    this.#event(`response.${status}`, `"response":${response}`)
  }

  #event(type: string, members: string): void {
    this.#emit(encodeEvent(type, members, this.#sequence++))
  }

  #response(state: Pick<ResponseHead, 'status' | 'incompleteReason' | 'error' | 'usage' | 'elapsedMs'>): string {
    const { id, model, createdSec } = this.#meta
    const head = JSON.stringify(encodeHead({ id, model, createdSec, ...state })).slice(0, -1)
    return `${head},"output":[${this.#done.join(',')}],"usage":${JSON.stringify(state.usage ?? null)},${this.#repeated}`
  }
}

/** What a block becomes, but for tools. */
const KINDS = { text: 'message', refusal: 'refusal', reasoning: 'reasoning', 'tool-call': 'function' } as const

/** The delta event of each kind of item: its type, its place within the item, and what the vendor has behind the text. */
const DELTAS = {
  message: { type: 'response.output_text.delta', place: ',"content_index":0', after: ',"logprobs":[]' },
  refusal: { type: 'response.refusal.delta', place: ',"content_index":0', after: '' },
  reasoning: { type: 'response.reasoning_summary_text.delta', place: ',"summary_index":0', after: '' },
  function: { type: 'response.function_call_arguments.delta', place: '', after: '' },
  custom: { type: 'response.custom_tool_call_input.delta', place: '', after: '' },
  search: { type: '', place: '', after: '' },
} as const

function skeletonOf({ id, block, tool }: OpenItem): JsonObject {
  if (block.kind === 'text' || block.kind === 'refusal') return encodeMessage(id, null, 'in_progress')
  if (block.kind === 'reasoning' || tool === null) return encodeReasoning(id, '', null)
  return encodeCall(id, block, tool, '', 'in_progress')
}

/** The vendor's code where it has none for an error. */
const SERVER_ERROR = 'server_error'

export type Failure = { readonly code: string; readonly message: string }

/** The error of a response object. */
export function failureOf(error: ErrorData): Failure {
  const { code, message } = encodeErrorObject(error)
  return { code: code ?? SERVER_ERROR, message }
}

/** Flat, as the vendor's document has it, and nested, without which the vendor's Python client ends in silence. */
export function encodeErrorEvent(error: ErrorData, sequence: number): string {
  return encodeErrorMembers(encodeErrorObject(error), sequence)
}

/** The same for the error of a response object, of which no more is known. */
export function encodeFailureEvent({ code, message }: Failure, sequence: number): string {
  return encodeErrorMembers({ type: SERVER_ERROR, code, message, param: null }, sequence)
}

function encodeErrorMembers(
  { type, code, message, param }: ReturnType<typeof encodeErrorObject>,
  sequence: number,
): string {
  const nested = { type, code, message, param }
  const members = JSON.stringify({ code, message, param, error: nested }).slice(1, -1)
  return encodeEvent('error', members, sequence)
}
