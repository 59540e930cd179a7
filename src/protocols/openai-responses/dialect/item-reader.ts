// The items of a stream -> blocks. An event names its item by id and by place, and servers get either of them wrong: ids that change from
// delta to delta (BerriAI/litellm#32607), all parallel calls at place 0 (#21331). What came in no delta is taken from the finished item
// (#27144).
import { type BlockHead } from '../../../model/event.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { numberOf, stringOf, textOf } from '../../scalars.js'
import { decodeAnnotation, decodeAnnotations } from '../parts/annotations.js'
import { decodeMade } from '../parts/made.js'
import { callArguments, isRefusal, PART_BREAK, partText, reasoningText } from '../response.js'
import { markEncrypted } from '../sealed.js'
import { type Block, type BlockQueue } from './block-queue.js'

type Item = {
  readonly type: JsonValue | undefined
  readonly id: string | null
  /** Blocks of its parts by their place; calls and reasoning have one. */
  readonly blocks: Map<number, Block>
  /** Of reasoning: the part of its text that came last. */
  part: string
  isDone: boolean
}

/** Kinds of reasoning text, of which one item is read in one only. */
export type ReasoningForm = 'summary' | 'content'

/** One per stream. */
export class ItemReader {
  readonly #queue: BlockQueue
  readonly #provider: string
  readonly #byId = new Map<string, Item>()
  readonly #byPlace = new Map<number, Item>()
  #last: Item | null = null

  constructor(queue: BlockQueue, provider: string) {
    this.#queue = queue
    this.#provider = provider
  }

  /** True once any item was seen. */
  get hasItems(): boolean {
    return this.#last !== null
  }

  /** `response.output_item.added`. */
  add(event: JsonObject): void {
    const item = isJsonObject(event.item) ? event.item : {}
    const entry = this.#enter(item.type, event, textOf(item.id))
    if (isCall(entry)) this.#nameCall(entry, item)
    else if (item.type !== 'message') this.#blockAt(entry, 0)
  }

  /** A part of a message has begun: its place among the blocks is taken. */
  addPart(event: JsonObject): void {
    const item = this.#find(event, 'message')
    if (item.type === 'message') this.#partAt(item, placeOf(event.content_index), isRefusal(event.part))
  }

  /** A delta of a message's text, or of what it says in place of an answer. */
  text(event: JsonObject, isRefused: boolean): void {
    const item = this.#find(event, 'message')
    if (item.type === 'message') {
      this.#queue.append(this.#partAt(item, placeOf(event.content_index), isRefused), stringOf(event.delta) ?? '')
    }
  }

  /** `response.output_text.annotation.added`. */
  annotate(event: JsonObject): void {
    const item = this.#find(event, 'message')
    const citation = decodeAnnotation(event.annotation)
    if (item.type === 'message' && citation !== null) {
      this.#queue.cite(this.#partAt(item, placeOf(event.content_index), false), citation)
    }
  }

  /** A delta of reasoning. */
  reasoning(event: JsonObject, form: ReasoningForm): void {
    const item = this.#find(event, 'reasoning')
    if (item.type !== 'reasoning') return
    const part = `${form}:${placeOf(form === 'summary' ? event.summary_index : event.content_index)}`
    if (item.part !== '' && !item.part.startsWith(form)) return
    const text = stringOf(event.delta) ?? ''
    if (text === '') return
    const block = this.#blockAt(item, 0)
    if (item.part !== '' && item.part !== part) this.#queue.append(block, PART_BREAK)
    item.part = part
    this.#queue.append(block, text)
  }

  /** A delta of a call's arguments. */
  arguments(event: JsonObject): void {
    const item = this.#find(event, 'function_call')
    if (item.type === 'function_call') {
      this.#queue.append(this.#blockAt(item, 0), stringOf(event.delta) ?? '')
    }
  }

  /** `response.output_item.done`: the whole item. */
  finish(event: JsonObject): void {
    const whole = isJsonObject(event.item) ? event.item : {}
    const item = this.#find(event, whole.type, textOf(whole.id))
    if (item.isDone || item.type !== whole.type) return
    item.isDone = true
    if (whole.type === 'message') this.#finishMessage(item, whole)
    else if (whole.type === 'reasoning') this.#finishReasoning(item, whole)
    else if (isCall(item)) this.#finishCall(item, whole)
    else this.#finishMade(item, whole)
  }

  #finishMessage(item: Item, { content }: JsonObject): void {
    const parts = isJsonArray(content) ? content : []
    for (const [place, part] of parts.entries()) {
      if (!isJsonObject(part)) continue
      const block = this.#partAt(item, place, isRefusal(part))
      this.#complete(block, partText(part))
      if (block.citations.length > 0 || isRefusal(part)) continue
      for (const citation of decodeAnnotations(part.annotations)) this.#queue.cite(block, citation)
    }
    for (const block of item.blocks.values()) this.#queue.close(block)
  }

  #finishReasoning(item: Item, whole: JsonObject): void {
    const block = this.#blockAt(item, 0)
    this.#complete(block, reasoningText(whole))
    const encrypted = textOf(whole.encrypted_content)
    this.#queue.close(block, encrypted === null ? null : markEncrypted(encrypted, this.#provider))
  }

  /** Of a tool that the vendor runs: one block, which is whole. */
  #finishMade(item: Item, whole: JsonObject): void {
    const block = this.#blockAt(item, 0)
    block.head = decodeMade(whole)
    this.#queue.opened()
    this.#queue.close(block)
  }

  #finishCall(item: Item, whole: JsonObject): void {
    this.#nameCall(item, whole)
    const block = this.#blockAt(item, 0)
    this.#complete(block, callArguments(whole))
    this.#queue.close(block)
  }

  /** Text that came in no delta. */
  #complete(block: Block, text: string): void {
    if (!block.hasText) this.#queue.append(block, text)
  }

  #nameCall(item: Item, wire: JsonObject): void {
    const block = this.#blockAt(item, 0)
    const name = textOf(wire.name)
    const id = textOf(wire.call_id) ?? textOf(wire.id)
    if (block.head !== null || name === null || id === null) return
    block.head = { kind: 'tool-call', id, name }
    this.#queue.opened()
  }

  #enter(type: JsonValue | undefined, event: JsonObject, id: string | null): Item {
    const item: Item = { type, id, blocks: new Map(), part: '', isDone: false }
    if (id !== null) this.#byId.set(id, item)
    const place = numberOf(event.output_index)
    if (place !== null) this.#byPlace.set(place, item)
    this.#last = item
    return item
  }

  /**
   * By its id, else by its place, else the last one. One that was never announced begins here, and so does another one at the place of one
   * that is done.
   */
  #find(event: JsonObject, type: JsonValue | undefined, id = textOf(event.item_id)): Item {
    const byId = id === null ? undefined : this.#byId.get(id)
    if (byId !== undefined) return byId
    const place = numberOf(event.output_index)
    const found = place === null ? this.#last : (this.#byPlace.get(place) ?? null)
    const isOther = found === null || found.type !== type || (found.isDone && id !== null && id !== found.id)
    return isOther ? this.#enter(type, event, id) : found
  }

  /** A part of a message is what it was first seen as. */
  #partAt(item: Item, place: number, isRefused: boolean): Block {
    return item.blocks.get(place) ?? this.#addBlock(item, place, isRefused ? REFUSAL : TEXT)
  }

  #blockAt(item: Item, place: number): Block {
    return item.blocks.get(place) ?? this.#addBlock(item, place, item.type === 'reasoning' ? REASONING : null)
  }

  #addBlock(item: Item, place: number, head: BlockHead | null): Block {
    const block = this.#queue.add(head)
    item.blocks.set(place, block)
    return block
  }
}

const TEXT = Object.freeze({ kind: 'text' } as const)
const REFUSAL = Object.freeze({ kind: 'refusal' } as const)
const REASONING = Object.freeze({ kind: 'reasoning', redacted: null } as const)

function isCall({ type }: Item): boolean {
  return type === 'function_call' || type === 'custom_tool_call'
}

function placeOf(value: JsonValue | undefined): number {
  return numberOf(value) ?? 0
}
