// Answers in the memory of one event loop. They are found by id and owner, and forgotten when they expire or when newer ones need their
// room: the oldest first, of their owner where its own limit is the reason, else of the owner that has the most.
import {
  bytesOf,
  type FoundItems,
  type IndexedResponse,
  type ResponseCaps,
  type ResponseChange,
  type ResponseStore,
  tooLarge,
} from './store.js'

export type MemoryStoreOptions = {
  /** Unix ms. */
  readonly nowMs: () => number
  /** Runs `act` once after so long, without keeping the process alive. */
  readonly after: (delayMs: number, act: () => void) => void
}

/** Answers of one owner, in the order in which they were stored, and the latest one that has an item. */
type Shelf = {
  bytes: number
  readonly entries: Map<string, IndexedResponse>
  readonly items: Map<string, IndexedResponse>
}

export class MemoryStore implements ResponseStore {
  readonly #options: MemoryStoreOptions
  /** In the order in which they were stored. */
  readonly #entries = new Map<string, IndexedResponse>()
  readonly #shelves = new Map<string, Shelf>()
  #bytes = 0
  #isTimerSet = false

  constructor(options: MemoryStoreOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  put(response: IndexedResponse, { maxBytes, maxBytesPerKey }: ResponseCaps): void {
    const { id, owner } = response
    const bytes = bytesOf(response)
    if (bytes > Math.min(maxBytes, maxBytesPerKey)) throw tooLarge(bytes)
    const before = this.#entries.get(id)
    // Ids are random; only an owner replaces its own.
    if (before !== undefined) this.#forget(before)
    const shelf = this.#shelfOf(owner)
    while (shelf.bytes + bytes > maxBytesPerKey) this.#forgetOldest(shelf.entries)
    while (this.#bytes + bytes > maxBytes) this.#forgetOldest(this.#largest(owner, bytes))
    // The last of its owner's may have gone, and its shelf with it.
    this.#shelves.set(owner, shelf)
    const held = { ...response, input: exact(response.input), response: exact(response.response) }
    shelf.entries.set(id, held)
    for (const item of held.items) shelf.items.set(item.id, held)
    shelf.bytes += bytes
    this.#entries.set(id, held)
    this.#bytes += bytes
    this.#setTimer()
  }

  advance(change: ResponseChange, caps: ResponseCaps): boolean {
    const found = this.get(change.owner, change.id)
    if (found === null || found.phase === 'over') return false
    const { input, model } = found
    this.put({ ...change, input, model }, caps)
    return true
  }

  get(owner: string, id: string): IndexedResponse | null {
    const found = this.#entries.get(id)
    if (found === undefined || found.owner !== owner) return null
    return found.expiresAtMs > this.#options.nowMs() ? found : null
  }

  delete(owner: string, id: string): boolean {
    const found = this.get(owner, id)
    if (found !== null) this.#forget(found)
    return found !== null
  }

  findItems(owner: string, ids: readonly string[]): FoundItems {
    const items = this.#shelves.get(owner)?.items
    return ids.map((id) => {
      const held = this.get(owner, items?.get(id)?.id ?? '')
      const span = held?.items.find((item) => item.id === id)
      return held == null || span === undefined ? null : held.response.subarray(span.start, span.end)
    })
  }

  async close(): Promise<void> {
    this.#entries.clear()
    this.#shelves.clear()
    this.#bytes = 0
  }

  #shelfOf(owner: string): Shelf {
    return this.#shelves.get(owner) ?? { bytes: 0, entries: new Map(), items: new Map() }
  }

  /** Those of the owner that has the most, with what `owner` is about to have: the many of one do not take the room of others. */
  #largest(owner: string, bytes: number): ReadonlyMap<string, IndexedResponse> {
    let largest: ReadonlyMap<string, IndexedResponse> = this.#entries
    let most = 0
    for (const [each, shelf] of this.#shelves) {
      const held = each === owner ? shelf.bytes + bytes : shelf.bytes
      if (held <= most) continue
      most = held
      largest = shelf.entries
    }
    return largest
  }

  #forgetOldest(entries: ReadonlyMap<string, IndexedResponse>): void {
    for (const oldest of entries.values()) {
      this.#forget(oldest)
      return
    }
  }

  #forget(response: IndexedResponse): void {
    const { id, owner } = response
    if (!this.#entries.delete(id)) return
    const bytes = bytesOf(response)
    this.#bytes -= bytes
    const shelf = this.#shelves.get(owner)
    if (shelf === undefined) return
    shelf.entries.delete(id)
    for (const item of response.items) if (shelf.items.get(item.id) === response) shelf.items.delete(item.id)
    shelf.bytes -= bytes
    if (shelf.entries.size === 0) this.#shelves.delete(owner)
  }

  /** For the oldest alone: after a reload with a shorter retention, answers wait for those that were stored before them. */
  #setTimer(): void {
    if (this.#isTimerSet) return
    for (const { expiresAtMs } of this.#entries.values()) {
      this.#isTimerSet = true
      const { nowMs, after } = this.#options
      after(Math.min(Math.max(0, expiresAtMs - nowMs()), LONGEST_TIMER_MS), () => this.#forgetExpired())
      return
    }
  }

  #forgetExpired(): void {
    this.#isTimerSet = false
    const nowMs = this.#options.nowMs()
    for (const response of this.#entries.values()) {
      if (response.expiresAtMs > nowMs) break
      this.#forget(response)
    }
    this.#setTimer()
  }
}

/** In memory of its own: a view would hold all of what it is a view of. */
function exact(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength === bytes.byteLength ? bytes : new Uint8Array(bytes)
}

/** The timers of Node take no longer delay: 2^31 - 1 ms. */
const LONGEST_TIMER_MS = 2_147_483_647
