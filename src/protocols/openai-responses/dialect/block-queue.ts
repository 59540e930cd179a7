// Puts the parts of interleaved items into blocks that do not overlap: the first streams as it arrives, the others wait until it closes. A
// block that stays empty is never opened.
//
//   item 0 "a", item 1 "x", item 0 "b", item 0 done   ->   [a b] [x ...
import { type Citation } from '../../../model/citation.js'
import { type BlockHead, type StreamEvent } from '../../../model/event.js'

/** One block: waiting, open (the first), or closed. Written by the queue alone but for its head. */
export class Block {
  /** Null until it is known, such as the name of a call. */
  head: BlockHead | null
  /** Opens even without any text: a call without arguments is a call. */
  readonly opensEmpty: boolean
  signature: string | null = null
  hasText = false
  isClosed = false
  isOpen = false
  waiting = ''
  /** Sources of it that were named so far. */
  citations: Citation[] = []

  constructor(head: BlockHead | null, opensEmpty: boolean) {
    this.head = head
    this.opensEmpty = opensEmpty
  }
}

/** One per stream. */
export class BlockQueue {
  readonly #emit: (event: StreamEvent) => void
  readonly #blocks: Block[] = []
  #index = 0
  /** A call has been opened. */
  hasCalls = false

  constructor(emit: (event: StreamEvent) => void) {
    this.#emit = emit
  }

  add(head: BlockHead | null): Block {
    const block = new Block(head, head === null || head.kind === 'tool-call')
    this.#blocks.push(block)
    this.#advance()
    return block
  }

  /** Nothing may be added to a closed block. */
  append(block: Block, text: string): void {
    if (text === '' || block.isClosed) return
    block.hasText = true
    if (block.isOpen) this.#emit({ type: 'block-delta', index: this.#index, delta: text })
    else {
      block.waiting += text
      this.#advance()
    }
  }

  cite(block: Block, citation: Citation): void {
    if (block.isClosed || block.head?.kind !== 'text') return
    block.citations.push(citation)
    if (block.isOpen) this.#emit({ type: 'citation', index: this.#index, citation })
  }

  /** After its head was set. */
  opened(): void {
    this.#advance()
  }

  close(block: Block, signature: string | null = null): void {
    if (block.isClosed) return
    block.isClosed = true
    block.signature = signature
    this.#advance()
  }

  /** Closes all. */
  end(): void {
    for (const block of this.#blocks) block.isClosed = true
    this.#advance()
  }

  #advance(): void {
    for (let first = this.#blocks[0]; first !== undefined; first = this.#blocks[0]) {
      if (!first.isOpen) this.#open(first)
      if (!first.isClosed) return
      if (first.isOpen) {
        this.#emit({ type: 'block-end', index: this.#index, signature: first.signature })
        this.#index += 1
      }
      this.#blocks.shift()
    }
  }

  #open(block: Block): void {
    const { head } = block
    if (head === null || !(block.opensEmpty || block.hasText || block.signature !== null)) return
    block.isOpen = true
    if (head.kind === 'tool-call') this.hasCalls = true
    this.#emit({ type: 'block-start', index: this.#index, block: head })
    if (block.waiting !== '') this.#emit({ type: 'block-delta', index: this.#index, delta: block.waiting })
    block.waiting = ''
    for (const citation of block.citations) this.#emit({ type: 'citation', index: this.#index, citation })
  }
}
