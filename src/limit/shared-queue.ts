// Those who wait for a slot that other nodes hold as well: one queue per event loop, first come first served on this loop;
// between nodes chance decides. Redis tells nobody of a slot that is free, so it is asked, by a poll that runs only while
// someone waits and asks once for each key in line, not for each waiter.
import { type LimitScope } from './refusal.js'

/** While someone waits: how soon a slot freed by another node is noticed. Fifty calls a second and event loop. */
const POLL_MS = 20

export type QueuedEntry = { readonly keyIndex: number }

export type SharedQueueOptions<T> = {
  readonly max: number
  readonly timeoutMs: number
  readonly nowMs: () => number
  /** Null: the entry is in, or done with; else who is full. Never rejects. */
  readonly tryEnter: (entry: T) => Promise<LimitScope | null>
  readonly onTimeout: (entry: T, blockedBy: LimitScope) => void
}

type Place = { readonly deadlineMs: number; blockedBy: LimitScope }

export class SharedQueue<T extends QueuedEntry> {
  readonly #options: SharedQueueOptions<T>
  /** In order of arrival, and so of their deadlines. */
  readonly #places = new Map<T, Place>()
  #poll: NodeJS.Timeout | null = null
  #isTurning = false
  #isTurnDue = false

  constructor(options: SharedQueueOptions<T>) {
    this.#options = options
  }

  /** Whether someone who came earlier waits for what a newcomer with this key needs. */
  mustWait(keyIndex: number): boolean {
    for (const [entry, { blockedBy }] of this.#places) {
      if (blockedBy === 'gateway' || entry.keyIndex === keyIndex) return true
    }
    return false
  }

  /** False when the queue is full. */
  push(entry: T, blockedBy: LimitScope): boolean {
    const { max, timeoutMs, nowMs } = this.#options
    if (this.#places.size >= max) return false
    this.#places.set(entry, { deadlineMs: nowMs() + timeoutMs, blockedBy })
    this.#arm()
    return true
  }

  /** Takes an entry out; a try that is under way for it may still get in. */
  remove(entry: T): void {
    this.#places.delete(entry)
  }

  /** A slot was freed on this event loop. */
  poke(): void {
    if (this.#places.size > 0) void this.#turn()
  }

  #arm(): void {
    if (this.#poll !== null || this.#places.size === 0) return
    this.#poll = setTimeout(() => {
      this.#poll = null
      this.#expire()
      void this.#turn().then(() => this.#arm())
    }, POLL_MS)
    this.#poll.unref()
  }

  #expire(): void {
    const nowMs = this.#options.nowMs()
    for (const [entry, { deadlineMs, blockedBy }] of this.#places) {
      if (deadlineMs > nowMs) return
      this.#places.delete(entry)
      this.#options.onTimeout(entry, blockedBy)
    }
  }

  /** One at a time: a turn that is asked for during another one follows it. */
  async #turn(): Promise<void> {
    this.#isTurnDue = true
    if (this.#isTurning) return
    this.#isTurning = true
    while (this.#isTurnDue) {
      this.#isTurnDue = false
      await this.#tryAll()
    }
    this.#isTurning = false
  }

  async #tryAll(): Promise<void> {
    const fullKeys = new Set<number>()
    for (const [entry, place] of [...this.#places]) {
      if (fullKeys.has(entry.keyIndex) || !this.#places.has(entry)) continue
      const blockedBy = await this.#options.tryEnter(entry)
      if (blockedBy === null) {
        this.#places.delete(entry)
        continue
      }
      place.blockedBy = blockedBy
      if (blockedBy === 'gateway') return
      fullKeys.add(entry.keyIndex)
    }
  }
}
