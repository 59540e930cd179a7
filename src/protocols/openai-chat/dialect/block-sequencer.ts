// Sorts the interleaved parts of this wire (text, refusal, reasoning, tool calls by index) into blocks that do not overlap. The first block
// streams as it arrives; parts of other blocks wait until it may close, so that nothing is lost.
//
//   calls 0 1 0 1  ->  [call 0: live] [call 1: waits, then live once 0 is a closed JSON object]
import { type Citation } from '../../../model/citation.js'
import { type BlockHead, type StreamEvent } from '../../../model/event.js'
import { isJsonArray, type JsonValue } from '../../../model/json.js'
import { type MediaSource } from '../../../model/request.js'
import { decodeAnnotations } from '../annotations.js'
import { JsonProgress } from './json-progress.js'

export type CallFragment = {
  /** Null if the vendor sends none. */
  readonly index: number | null
  readonly id: string
  readonly name: string
  readonly arguments: string
}

/** A block: waiting, open (the head), or closed. */
class Segment {
  readonly kind: Exclude<BlockHead['kind'], 'opaque'>
  readonly #progress: JsonProgress | null
  id = ''
  name = ''
  /** Of an image, which is whole. */
  source: MediaSource | null = null
  /** Content that arrived before it was open. */
  buffered = ''
  /** Characters so far, and of the texts before it: positions of citations are those of the whole message. */
  chars = 0
  readonly offset: number
  /** Sources that were named before it was open. */
  citations: Citation[] = []
  isOpen = false
  isClosed = false

  constructor(kind: Segment['kind'], offset: number) {
    this.kind = kind
    this.offset = offset
    this.#progress = kind === 'tool-call' ? new JsonProgress() : null
  }

  /** Text may always end; a call once its arguments are a closed object. */
  get mayClose(): boolean {
    return this.#progress === null || this.#progress.isComplete
  }

  /** A call cannot open before its name is known. */
  get mayOpen(): boolean {
    return this.#progress === null || this.name !== ''
  }

  /** A call of which only the index has arrived. */
  get isEmpty(): boolean {
    return !this.mayOpen && this.buffered === ''
  }

  watch(fragment: string): void {
    this.#progress?.push(fragment)
  }
}

/** One per stream: takes pieces as they arrive, emits blocks by the order law. */
export class BlockSequencer {
  readonly #emit: (event: StreamEvent) => void
  readonly #callIdPrefix: string
  readonly #waiting: Segment[] = []
  readonly #calls = new Map<number, Segment>()
  #head: Segment | null = null
  #lastCall: Segment | null = null
  #lastText: Segment | null = null
  #callCount = 0
  #hasCalls = false
  #nextIndex = 0

  /** `callIdPrefix`: for the ids of calls to which the vendor gave none. */
  constructor(emit: (event: StreamEvent) => void, callIdPrefix: string) {
    this.#emit = emit
    this.#callIdPrefix = callIdPrefix
  }

  /** True once a call has been emitted. */
  get hasCalls(): boolean {
    return this.#hasCalls
  }

  text(kind: 'text' | 'refusal' | 'reasoning', delta: string): void {
    if (delta === '') return
    const last = this.#waiting.at(-1) ?? this.#head
    this.#append(last !== null && last.kind === kind ? last : this.#enqueue(kind), delta)
  }

  /** Annotations of the message: they belong to the last text, unless that is closed. */
  cite(annotations: JsonValue): void {
    if (!isJsonArray(annotations) || annotations.length === 0) return
    const last = this.#lastText
    const segment = last === null || last.isClosed ? this.#enqueue('text') : last
    const citations = decodeAnnotations(annotations, segment.offset)
    if (!segment.isOpen) segment.citations.push(...citations)
    else for (const citation of citations) this.#cite(citation)
    this.#advance()
  }

  image(source: MediaSource): void {
    this.#enqueue('image').source = source
    this.#advance()
  }

  call(fragment: CallFragment): void {
    const segment = this.#findCall(fragment) ?? this.#startCall(fragment)
    // Some vendors repeat id and name in every fragment; the first ones count.
    if (segment.name === '') segment.name = fragment.name
    this.#lastCall = segment
    this.#append(segment, fragment.arguments)
  }

  /** Closes the open block and emits the waiting ones. */
  finish(): void {
    for (;;) {
      this.#head ??= this.#waiting.shift() ?? null
      if (this.#head === null) return
      if (this.#head.isEmpty) this.#head = null
      else this.#close(this.#head)
    }
  }

  #findCall(fragment: CallFragment): Segment | null {
    if (fragment.index !== null) {
      const known = this.#calls.get(fragment.index) ?? null
      // A few vendors send every call whole with index 0: a new id with a name is a new call.
      const isOther = known !== null && fragment.id !== '' && known.id !== fragment.id && fragment.name !== ''
      return isOther ? null : known
    }
    if (fragment.id !== '') return this.#lastCall?.id === fragment.id ? this.#lastCall : null
    return fragment.name === '' ? this.#lastCall : null
  }

  #startCall(fragment: CallFragment): Segment {
    const segment = this.#enqueue('tool-call')
    segment.id = fragment.id === '' ? `${this.#callIdPrefix}_${this.#callCount}` : fragment.id
    this.#callCount += 1
    if (fragment.index !== null) this.#calls.set(fragment.index, segment)
    return segment
  }

  #enqueue(kind: Segment['kind']): Segment {
    const before = this.#lastText
    const segment = new Segment(kind, kind === 'text' && before !== null ? before.offset + before.chars : 0)
    if (kind === 'text') this.#lastText = segment
    this.#waiting.push(segment)
    return segment
  }

  #append(segment: Segment, delta: string): void {
    // Nothing after a closed object belongs to the arguments.
    if (segment.isClosed) return
    segment.watch(delta)
    segment.chars += delta.length
    if (segment.isOpen) this.#delta(delta)
    else segment.buffered += delta
    this.#advance()
  }

  /** Opens the head as soon as it may open, and closes it for the next one if it may close and others wait. */
  #advance(): void {
    for (;;) {
      this.#head ??= this.#waiting.shift() ?? null
      if (this.#head === null) return
      if (!this.#head.isOpen && this.#head.mayOpen) this.#open(this.#head)
      if (this.#waiting.length === 0 || !this.#head.isOpen || !this.#head.mayClose) return
      this.#close(this.#head)
    }
  }

  #open(segment: Segment): void {
    segment.isOpen = true
    if (segment.kind === 'tool-call') this.#hasCalls = true
    this.#emit({ type: 'block-start', index: this.#nextIndex, block: headOf(segment) })
    this.#delta(segment.buffered)
    segment.buffered = ''
    for (const citation of segment.citations) this.#cite(citation)
  }

  #close(segment: Segment): void {
    if (!segment.isOpen) this.#open(segment)
    this.#emit({ type: 'block-end', index: this.#nextIndex, signature: null })
    this.#nextIndex += 1
    segment.isOpen = false
    segment.isClosed = true
    this.#head = null
  }

  #cite(citation: Citation): void {
    this.#emit({ type: 'citation', index: this.#nextIndex, citation })
  }

  #delta(delta: string): void {
    if (delta !== '') this.#emit({ type: 'block-delta', index: this.#nextIndex, delta })
  }
}

function headOf({ kind, id, name, source }: Segment): BlockHead {
  if (kind === 'tool-call') return { kind, id, name }
  if (kind === 'reasoning') return { kind, redacted: null }
  return kind === 'image' ? { kind, source: source ?? NO_IMAGE } : { kind }
}

const NO_IMAGE: MediaSource = Object.freeze({ kind: 'url', url: '' })
