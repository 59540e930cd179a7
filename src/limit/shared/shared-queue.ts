// The queue for slots that nodes share: one per event loop, with places by key (wait-line.ts). Redis knows whose turn it is: each
// call names the keys that wait here, and Redis admits one of them, or none if it is the turn of a key at another node. Redis
// does not announce free slots, so a poll asks for all keys at once; it runs only while there are waiters.
import { type QueuePlace } from '../limiter.js'
import { type LimitScope } from '../refusal.js'
import { Pace } from '../waiting/pace.js'
import { PlaceWatch } from '../waiting/place-watch.js'
import { WaitLine } from '../waiting/wait-line.js'

/** Polling interval while there are waiters, for slots freed by other nodes. Fifty calls per second and event loop. */
const POLL_MS = 20

export type QueuedEntry = { readonly keyIndex: number }

/** The key that was admitted, if any, and the keys that are at their own cap. */
export type NextTurn = { readonly keyIndex: number | null; readonly fullKeys: ReadonlySet<number> }

export type SharedQueueOptions<T> = {
  readonly max: number
  readonly timeoutMs: number
  readonly nowMs: () => number
  /** Takes the slots for one of these keys, if it is the turn of one; null if Redis is unavailable. Never rejects. */
  readonly takeTurn: (keys: readonly number[]) => Promise<NextTurn | null>
  /** Called after the entry was removed: its key was admitted, and it is the first of its key. */
  readonly onTurn: (entry: T) => void
  /** The same: Redis is unavailable. */
  readonly onAway: (entry: T) => void
  /** The same: it waited too long, or gives its place to a key with fewer. `waiting`: waiters of its key, if its share is the reason. */
  readonly onRefused: (entry: T, cause: SharedRefusal) => void
  /** A key was admitted whose last entry has left meanwhile. */
  readonly onUnused: (keyIndex: number) => void
  /** The last entry of a key has left without its turn. */
  readonly onGone: (keyIndex: number) => void
}

export type SharedRefusal = { readonly scope: LimitScope; readonly waiting: number | null }

export class SharedQueue<T extends QueuedEntry> {
  readonly #options: SharedQueueOptions<T>
  readonly #line: WaitLine<T>
  /** In order of arrival, and so of their deadlines. */
  readonly #deadlinesMs = new Map<T, number>()
  readonly #pace = new Pace()
  readonly #places: PlaceWatch<T>
  #fullKeys: ReadonlySet<number> = new Set()
  #poll: NodeJS.Timeout | null = null
  #isTurning = false
  #isTurnDue = false

  constructor(options: SharedQueueOptions<T>) {
    this.#options = options
    this.#line = new WaitLine(options.max)
    this.#places = new PlaceWatch({
      // Redis alone knows whose turn it is: the keys are taken in the order in which they came.
      places: () => this.#line.places(this.#line.keys(), (key) => this.#fullKeys.has(key)),
      paceMs: () => this.#pace.measuredMs,
      nowMs: options.nowMs,
    })
  }

  /** Why a newcomer of the key that has to wait would be refused now; null if there is a place, or no other key waits for the gateway. */
  refusal(keyIndex: number): SharedRefusal | null {
    const isGatewayAwaited = this.#line.keys().some((key) => !this.#fullKeys.has(key))
    const mustWait = isGatewayAwaited || this.#line.countOf(keyIndex) > 0
    if (!mustWait || this.#line.roomFor(keyIndex) !== 'full') return null
    return this.#blame(keyIndex, this.#fullKeys.has(keyIndex))
  }

  /** Null when it is queued, else why it is not. */
  push(entry: T, blockedBy: LimitScope): SharedRefusal | null {
    const room = this.#line.roomFor(entry.keyIndex)
    if (room === 'full') return this.#blame(entry.keyIndex, blockedBy === 'key')
    if (room !== 'free') this.#giveUp(room.givenUpBy)
    const nowMs = this.#options.nowMs()
    if (this.#line.size === 0) this.#pace.begin(nowMs)
    this.#line.add(entry)
    this.#deadlinesMs.set(entry, nowMs + this.#options.timeoutMs)
    this.#arm()
    return null
  }

  /** Removes an entry with its place and its turn; no effect if it is not in the queue. */
  remove(entry: T): void {
    if (!this.#drop(entry) || this.#line.countOf(entry.keyIndex) > 0) return
    this.#options.onGone(entry.keyIndex)
  }

  countOf(keyIndex: number): number {
    return this.#line.countOf(keyIndex)
  }

  /** Reports the place of an entry until it leaves the queue; no effect if it is not in it. @see Limiter.watch */
  watch(entry: T, onPlace: (place: QueuePlace) => void): void {
    if (this.#deadlinesMs.has(entry)) this.#places.add(entry, onPlace)
  }

  /** A slot was freed on this event loop. */
  poke(): void {
    if (this.#line.size > 0) void this.#turn()
  }

  #blame(keyIndex: number, isKeyFull: boolean): SharedRefusal {
    const scope = this.#line.blame(keyIndex, isKeyFull)
    return { scope, waiting: scope === 'key' && !isKeyFull ? this.#line.countOf(keyIndex) : null }
  }

  #giveUp(entry: T): void {
    const isKeyFull = this.#fullKeys.has(entry.keyIndex)
    const waiting = isKeyFull ? null : this.#line.countOf(entry.keyIndex)
    this.remove(entry)
    this.#options.onRefused(entry, { scope: 'key', waiting })
  }

  #drop(entry: T): boolean {
    this.#deadlinesMs.delete(entry)
    this.#places.remove(entry)
    return this.#line.remove(entry)
  }

  #markPace(): void {
    if (this.#line.size === 0) this.#pace.reset()
    else this.#pace.mark(this.#options.nowMs())
  }

  #arm(): void {
    if (this.#poll !== null || this.#line.size === 0) return
    this.#poll = setTimeout(() => {
      this.#poll = null
      this.#expire()
      void this.#turn().then(() => this.#arm())
    }, POLL_MS)
    this.#poll.unref()
  }

  #expire(): void {
    const nowMs = this.#options.nowMs()
    for (const [entry, deadlineMs] of this.#deadlinesMs) {
      if (deadlineMs > nowMs) return
      const scope = this.#fullKeys.has(entry.keyIndex) ? 'key' : 'gateway'
      this.remove(entry)
      this.#options.onRefused(entry, { scope, waiting: null })
    }
  }

  /** One at a time: a turn requested during another one follows it. */
  async #turn(): Promise<void> {
    this.#isTurnDue = true
    if (this.#isTurning) return
    this.#isTurning = true
    while (this.#isTurnDue) {
      this.#isTurnDue = false
      await this.#takeTurns()
    }
    this.#isTurning = false
  }

  async #takeTurns(): Promise<void> {
    while (this.#line.size > 0) {
      const next = await this.#options.takeTurn(this.#line.keys())
      if (next === null) {
        for (const entry of [...this.#line.entries()]) if (this.#drop(entry)) this.#options.onAway(entry)
        return
      }
      this.#fullKeys = next.fullKeys
      if (next.keyIndex === null) return
      const entry = this.#line.firstOf(next.keyIndex)
      if (entry === undefined) this.#options.onUnused(next.keyIndex)
      else {
        this.#drop(entry)
        this.#markPace()
        this.#options.onTurn(entry)
      }
    }
  }
}
