// The order law of events as a checker: start (block-start (block-delta | citation)* block-end)* finish | error, indices
// 0, 1, 2 ..., citations in text only, no delta in an image or what is opaque.
// Tests check every decoder against it, including malformed streams; it is not on the hot path.
import { type StreamEvent } from './event.js'

/** The checker of one stream. Once broken, it stays broken. */
export class EventLaw {
  #isStarted = false
  #isEnded = false
  #isBlockOpen = false
  #isText = false
  #isWhole = false
  #blocks = 0
  #violation: string | null = null

  /** Takes the next event; returns the first violation so far, null while there is none. */
  check(event: StreamEvent): string | null {
    this.#violation ??= this.#judge(event)
    return this.#violation
  }

  /** Call it after the last event: a stream must have ended, by finish or error. */
  end(): string | null {
    if (!this.#isEnded) this.#violation ??= 'the stream ended without finish or error'
    return this.#violation
  }

  #judge(event: StreamEvent): string | null {
    if (this.#isEnded) return `${event.type} after the end`
    if (event.type === 'error') {
      this.#isEnded = true
      return null
    }
    if (event.type === 'start') {
      if (this.#isStarted) return 'a second start'
      this.#isStarted = true
      return null
    }
    return this.#isStarted ? this.#judgeInside(event) : `${event.type} before start`
  }

  #judgeInside(event: Exclude<StreamEvent, { type: 'start' | 'error' }>): string | null {
    if (event.type === 'finish') {
      this.#isEnded = true
      return this.#isBlockOpen ? 'finish inside a block' : null
    }
    if (event.type === 'block-start') {
      if (this.#isBlockOpen) return `block ${event.index} starts inside another`
      if (event.index !== this.#blocks) return `block ${event.index} starts where ${this.#blocks} is due`
      this.#isBlockOpen = true
      this.#isText = event.block.kind === 'text'
      this.#isWhole = event.block.kind === 'image' || event.block.kind === 'opaque'
      this.#blocks += 1
      return null
    }
    if (!this.#isBlockOpen) return `${event.type} outside a block`
    if (event.index !== this.#blocks - 1)
      return `${event.type} of block ${event.index} inside block ${this.#blocks - 1}`
    if (event.type === 'citation' && !this.#isText) return `citation in block ${event.index}, which is no text`
    if (event.type === 'block-delta' && this.#isWhole) return `a delta in block ${event.index}, which is whole`
    if (event.type === 'block-end') this.#isBlockOpen = false
    return null
  }
}

/** The first violation in a whole stream of events, null if it keeps the law. */
export function findViolation(events: Iterable<StreamEvent>): string | null {
  const law = new EventLaw()
  for (const event of events) {
    const violation = law.check(event)
    if (violation !== null) return violation
  }
  return law.end()
}
