// The places of a wait queue, by key. A single key may fill it. When another key needs a place in a full queue, the key with the
// most waiters gives up its newest, until all have the same share. So no key keeps another out, and the queue never exceeds
// its bound. The two queues decide whose turn it is (queue.ts, shared-queue.ts).
import { type LimitScope } from '../refusal.js'

export type Waiting = { readonly keyIndex: number }

/** What a newcomer finds: a free place, one that another waiter must give up, or none. */
export type Room<T> = 'free' | 'full' | { readonly givenUpBy: T }

export class WaitLine<T extends Waiting> {
  readonly #max: number
  /** Each key's waiters in the order of their arrival. */
  readonly #byKey = new Map<number, Set<T>>()
  #size = 0

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#size
  }

  /** The keys with waiters. */
  keys(): number[] {
    return [...this.#byKey.keys()]
  }

  countOf(keyIndex: number): number {
    return this.#byKey.get(keyIndex)?.size ?? 0
  }

  has(entry: T): boolean {
    return this.#byKey.get(entry.keyIndex)?.has(entry) ?? false
  }

  /** The key's waiter that came first; undefined when it has none. */
  firstOf(keyIndex: number): T | undefined {
    return this.#byKey.get(keyIndex)?.values().next().value
  }

  /** All waiters, key by key. */
  *entries(): Generator<T> {
    for (const entries of this.#byKey.values()) yield* entries
  }

  /**
   * All waiters with their places, from 1. The keys take turns, in this order; one at its own cap has none, and its waiters wait
   * for its own slots.
   */
  *places(order: readonly number[], isFull: (keyIndex: number) => boolean): Generator<readonly [T, number]> {
    const takingTurns = order.filter((key) => !isFull(key))
    for (const keys of [takingTurns, ...order.filter(isFull).map((key) => [key])]) yield* this.#placesOf(keys)
  }

  *#placesOf(keys: readonly number[]): Generator<readonly [T, number]> {
    let place = 0
    let lines = keys.flatMap((key) => this.#byKey.get(key)?.values() ?? [])
    while (lines.length > 0) {
      const left: typeof lines = []
      for (const line of lines) {
        const next = line.next()
        if (next.done === true) continue
        place += 1
        yield [next.value, place]
        left.push(line)
      }
      lines = left
    }
  }

  roomFor(keyIndex: number): Room<T> {
    if (this.#size < this.#max) return 'free'
    const own = this.countOf(keyIndex)
    let most: Set<T> | null = null
    for (const entries of this.#byKey.values()) if (entries.size > (most?.size ?? own + 1)) most = entries
    const newest = most === null ? undefined : [...most].at(-1)
    return newest === undefined ? 'full' : { givenUpBy: newest }
  }

  /** Adds a waiter at the end of its key; there must be room. */
  add(entry: T): void {
    const entries = this.#byKey.get(entry.keyIndex)
    if (entries === undefined) this.#byKey.set(entry.keyIndex, new Set([entry]))
    else entries.add(entry)
    this.#size += 1
  }

  /** False if it was not waiting. */
  remove(entry: T): boolean {
    const entries = this.#byKey.get(entry.keyIndex)
    if (entries === undefined || !entries.delete(entry)) return false
    if (entries.size === 0) this.#byKey.delete(entry.keyIndex)
    this.#size -= 1
    return true
  }

  /** How many turns a newcomer of the key would wait for, where the keys take turns. */
  turnsBefore(keyIndex: number): number {
    const own = this.countOf(keyIndex)
    let turns = own
    for (const [key, { size }] of this.#byKey) if (key !== keyIndex) turns += Math.min(size, own + 1)
    return turns
  }

  /**
   * The scope that is the reason why a waiter of the key has no place or must give one up: the key, if its own cap makes it
   * wait behind its own requests, or if it has its share of a queue that others wait in; otherwise the gateway, whose queue is full.
   */
  blame(keyIndex: number, isKeyFull: boolean): LimitScope {
    if (this.#max === 0) return isKeyFull ? 'key' : 'gateway'
    const own = this.countOf(keyIndex)
    if (own === 0) return 'gateway'
    if (isKeyFull) return 'key'
    const keys = this.#byKey.size
    return keys > 1 && own * keys >= this.#size ? 'key' : 'gateway'
  }
}
