// Complete answers by the digest of their request, in memory, for as long as their model says. Bounded in bytes with the cost of
// each entry counted; when there is no room, the answer that was used longest ago leaves. One per event loop, without any timer:
// an answer past its time is never returned, and leaves when it is met.

/** A complete answer: a whole one, or all frames of a stream one behind the other. */
export type CachedAnswer = {
  readonly kind: 'stream' | 'whole'
  /** Belongs to the cache, which counts its length as memory: not a view of more, and not to be changed. */
  readonly body: Uint8Array
  readonly contentType: string
  /** Of the request that got it. */
  readonly requestId: string
  /** Of the first answer; none that is about its own request. */
  readonly headers: readonly (readonly [name: string, value: string])[]
}

export type CacheHit = { readonly answer: CachedAnswer; readonly ageMs: number }

/** Where complete answers are kept: in the memory of an event loop, or where others find them, too. */
export type AnswerCache = {
  /** The answer, if there is one that is no older than `maxAgeMs` (null: its age does not matter). Never rejects. */
  get(digest: string, maxAgeMs: number | null): CacheHit | null | Promise<CacheHit | null>
  /** Whether an answer of so many bytes would be kept. */
  accepts(answerBytes: number): boolean
  put(digest: string, answer: CachedAnswer, ttlMs: number): void
  close?(): void
}

type Entry = {
  readonly answer: CachedAnswer
  readonly bytes: number
  readonly storedAtMs: number
  readonly expiresAtMs: number
}

export type ExactCacheOptions = {
  /** Read each time, since a reload may change it. */
  readonly maxBytes: () => number
  readonly nowMs: () => number
  /** Bytes that were added (positive) or dropped (negative). */
  readonly onChange: (bytes: number) => void
}

/** Digest, objects, headers and slots of the map (Node 20.20, 100,000 entries; test/streams/sharing/exact-cache.test.ts). */
const ENTRY_COST_BYTES = 1000
/** One answer takes no more than this part of the cache, so that it never empties it. */
const LARGEST_SHARE = 4
/** Entries that each `put` looks at for being past their time: more than one, so that they leave faster than others come. */
const SWEEP = 4

/** An exact cache: a digest finds the answer to the same request, or nothing. */
export class ExactCache implements AnswerCache {
  readonly #options: ExactCacheOptions
  /** In the order of use, the latest last. */
  readonly #entries = new Map<string, Entry>()
  #bytes = 0

  constructor(options: ExactCacheOptions) {
    this.#options = options
  }

  /** Bytes held now, costs included. */
  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#entries.size
  }

  /** The answer, if there is one that is no older than `maxAgeMs` (null: its age does not matter). */
  get(digest: string, maxAgeMs: number | null = null): CacheHit | null {
    const entry = this.#entries.get(digest)
    if (entry === undefined) return null
    const nowMs = this.#options.nowMs()
    if (entry.expiresAtMs <= nowMs) {
      this.#drop(digest, entry)
      return null
    }
    const ageMs = nowMs - entry.storedAtMs
    if (maxAgeMs !== null && ageMs > maxAgeMs) return null
    this.#entries.delete(digest)
    this.#entries.set(digest, entry)
    return { answer: entry.answer, ageMs }
  }

  /** Whether an answer of so many bytes would be kept. */
  accepts(answerBytes: number): boolean {
    return answerBytes + ENTRY_COST_BYTES <= this.#options.maxBytes() / LARGEST_SHARE
  }

  /** Keeps an answer for `ttlMs`, in place of an earlier one. False if it is too large. */
  put(digest: string, answer: CachedAnswer, ttlMs: number): boolean {
    const { length } = answer.body
    if (!this.accepts(length)) return false
    const earlier = this.#entries.get(digest)
    if (earlier !== undefined) this.#drop(digest, earlier)
    const bytes = length + ENTRY_COST_BYTES
    const storedAtMs = this.#options.nowMs()
    this.#sweep(storedAtMs)
    this.#makeRoom(bytes)
    this.#entries.set(digest, { answer, bytes, storedAtMs, expiresAtMs: storedAtMs + ttlMs })
    this.#count(bytes)
    return true
  }

  /** Looks at the entries that were used longest ago; what is past its time leaves. */
  #sweep(nowMs: number): void {
    let left = SWEEP
    for (const [digest, entry] of this.#entries) {
      if (left === 0) return
      left -= 1
      if (entry.expiresAtMs <= nowMs) this.#drop(digest, entry)
    }
  }

  #makeRoom(bytes: number): void {
    for (const [digest, entry] of this.#entries) {
      if (this.#bytes + bytes <= this.#options.maxBytes()) return
      this.#drop(digest, entry)
    }
  }

  #drop(digest: string, entry: Entry): void {
    this.#entries.delete(digest)
    this.#count(-entry.bytes)
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    this.#options.onChange(bytes)
  }
}
