// Complete answers in Redis, where all event loops and nodes find them. Nothing waits for Redis for longer than a moment: one that is
// late or away holds no answers, and what cannot be stored is not.
import { RedisLink } from '../../redis/link.js'
import { readScript } from '../../redis/read-script.js'
import { type AnswerCache, type CachedAnswer, type CacheHit } from '../sharing/exact-cache.js'
import { decodeAnswer, encodeAnswer } from '../sharing/stored-answer.js'

/** Before all keys; the hash tag keeps them together. What follows is the digest of a request, from which nothing can be read. */
export const ANSWER_PREFIX = '{sluice}:answers:'
/** Longer than a healthy Redis takes for the largest answer, and too short for a client to notice. */
export const LOOKUP_MS = 50
/** Larger answers are not stored: some 4000 tokens as a stream. Each client of a hit holds a copy until it has read it. */
export const MAX_ANSWER_BYTES = 1024 * 1024
/** What a value has besides its body. */
const MAX_HEAD_BYTES = 64 * 1024
/** Answers on their way to a Redis that is slow; more are not stored. */
const MAX_SENDING_BYTES = 16 * MAX_ANSWER_BYTES
/** Redis answered, but does not store: for lack of memory or disk. */
const REFUSAL = /^(?:OOM|MISCONF)\b/

const SCRIPTS = ['get', 'put'] as const
type AnswerScript = (typeof SCRIPTS)[number]

/** The text of each script of the cache, one file each. */
export function readAnswerScripts(): ReadonlyMap<AnswerScript, string> {
  return new Map(SCRIPTS.map((name) => [name, readScript([`answers/${name}`])]))
}

export type AnswerStoreOptions = {
  readonly url: string
  readonly onState: (isUp: boolean, cause: unknown) => void
  readonly onCall: (seconds: number, isOk: boolean) => void
  /** Redis refuses to store answers, and why; null: it stores them again. */
  readonly onRefusal: (reason: string | null) => void
}

export class AnswerStore implements AnswerCache {
  readonly #options: AnswerStoreOptions
  readonly #link: RedisLink<AnswerScript>
  #sendingBytes = 0
  #refusal: string | null = null

  constructor(options: AnswerStoreOptions) {
    const { url, onState, onCall } = options
    this.#options = options
    this.#link = new RedisLink<AnswerScript>({
      scripts: readAnswerScripts(),
      ...{ url, isBinary: true, onState, onCall },
      register: () => Promise.resolve(),
      isRefusal: (error) => error instanceof Error && REFUSAL.test(error.message),
    })
  }

  get isUp(): boolean {
    return this.#link.isUp
  }

  /** Connects; resolves within a second, with or without Redis. */
  start(): Promise<void> {
    return this.#link.start()
  }

  /** Never rejects. */
  get(digest: string, maxAgeMs: number | null = null): null | Promise<CacheHit | null> {
    if (!this.#link.isUp) return null
    const reading = this.#link.run('get', [ANSWER_PREFIX + digest], [MAX_ANSWER_BYTES + MAX_HEAD_BYTES])
    const hit = reading.then((reply) => readHit(reply, maxAgeMs), none)
    return inTime(hit)
  }

  accepts(answerBytes: number): boolean {
    if (!this.#link.isUp || answerBytes > MAX_ANSWER_BYTES) return false
    return this.#sendingBytes + answerBytes <= MAX_SENDING_BYTES
  }

  put(digest: string, answer: CachedAnswer, ttlMs: number): void {
    if (!this.accepts(answer.body.length)) return
    const value = encodeAnswer({ answer, ttlMs })
    if (value.length > MAX_ANSWER_BYTES + MAX_HEAD_BYTES) return
    this.#sendingBytes += value.length
    void this.#send(digest, value, ttlMs)
  }

  /** Ends the connection: there are no answers any more. */
  close(): void {
    this.#link.close()
  }

  async #send(digest: string, value: Buffer, ttlMs: number): Promise<void> {
    try {
      await this.#link.run('put', [ANSWER_PREFIX + digest], [value, ttlMs])
      this.#onRefusal(null)
    } catch (error) {
      // Of a lost link, the link has told.
      if (this.#link.isUp && error instanceof Error) this.#onRefusal(error.message)
    } finally {
      this.#sendingBytes -= value.length
    }
  }

  #onRefusal(reason: string | null): void {
    if ((reason === null) === (this.#refusal === null)) return
    this.#refusal = reason
    this.#options.onRefusal(reason)
  }
}

/** The age is by the clock of Redis alone, since those of nodes differ. */
function readHit(reply: unknown, maxAgeMs: number | null): CacheHit | null {
  if (!Array.isArray(reply)) return null
  const [value, leftMs] = reply as readonly unknown[]
  // Without an end it was not stored by a gateway.
  if (!Buffer.isBuffer(value) || typeof leftMs !== 'number' || leftMs < 0) return null
  const stored = decodeAnswer(value)
  if (stored === null) return null
  const ageMs = Math.max(0, stored.ttlMs - leftMs)
  return maxAgeMs !== null && ageMs > maxAgeMs ? null : { answer: stored.answer, ageMs }
}

/** Null if it takes longer. If the event loop was busy the answer may have arrived: its sockets are read once more before that. */
function inTime(hit: Promise<CacheHit | null>): Promise<CacheHit | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => setImmediate(resolve, null), LOOKUP_MS)
    void hit.then((found) => {
      clearTimeout(timer)
      resolve(found)
    })
  })
}

function none(): null {
  return null
}
