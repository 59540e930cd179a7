// The queue for concurrency slots, one per event loop. Keys take turns (turns.ts), over all event loops; the waiters of one key
// are served in the order of their arrival. A key at its own cap is skipped, so it does not delay others; if the whole gateway
// is full, newcomers queue behind the waiters.
// Slots freed on another event loop are seen by a short poll that runs only while someone waits; not Atomics.waitAsync: a
// pending wait cannot be cancelled, and whether it keeps the process alive depends on the Node version (nodejs/node#61941).
import { type GatewayError } from '../../errors.js'
import { type QueuePlace, type Waiter } from '../limiter.js'
import { type LimitScope } from '../refusal.js'
import { Pace } from '../waiting/pace.js'
import { PlaceWatch } from '../waiting/place-watch.js'
import { WaitLine } from '../waiting/wait-line.js'
import { type Turns } from './turns.js'

/** Polling interval while there are waiters, for slots freed elsewhere and for deadlines. One atomic load per poll. */
const POLL_MS = 2
const NS_PER_MS = 1_000_000

/** The slots that are waited for, and whose turn it is. */
export type Gate = {
  readonly turns: Turns
  tryEnter(keyIndex: number): LimitScope | null
  isKeyFull(keyIndex: number): boolean
  free(): number
  freed(): number
  waitingLoops(): number
  tellWaiting(isWaiting: boolean): void
}

export type QueueOptions = {
  /** Maximum number of waiters of this event loop; 0 rejects immediately. */
  readonly max: number
  readonly timeoutMs: number
  readonly nowNs: () => bigint
  readonly refusal: (cause: QueueRefusal) => GatewayError
}

/** Why a waiter is rejected: the scope, and the number of waiters of its key if its share is the reason. */
export type QueueRefusal = { readonly scope: LimitScope; readonly keyIndex: number; readonly waiting: number | null }

type Entry = { readonly keyIndex: number; readonly waiter: Waiter; readonly deadlineNs: bigint }

/** The queue of one event loop. */
export class WaitQueue {
  readonly #gate: Gate
  readonly #options: QueueOptions
  /** In order of arrival; all have the same timeout, so the first one expires first. */
  readonly #entries = new Map<Waiter, Entry>()
  readonly #line: WaitLine<Entry>
  #gatewayBlocked = false
  #isDraining = false
  #isDrainDue = false
  #freedSeen = 0
  readonly #pace = new Pace()
  readonly #places: PlaceWatch<Entry>
  #poll: NodeJS.Timeout | null = null

  constructor(gate: Gate, options: QueueOptions) {
    this.#gate = gate
    this.#options = options
    this.#line = new WaitLine(options.max)
    this.#places = new PlaceWatch({
      places: () => this.#line.places(gate.turns.inOrder(this.#line.keys()), (key) => gate.isKeyFull(key)),
      paceMs: () => this.#pace.measuredMs,
      nowMs: () => this.#nowMs(),
    })
  }

  /**
   * The scope that a newcomer must queue for without trying, because someone who came earlier waits for the same: here
   * or, for a slot of the gateway, on another event loop. Null: it may try.
   */
  mustWaitFor(keyIndex: number): LimitScope | null {
    if (this.#gatewayBlocked || this.#isDraining || this.#othersWait()) return 'gateway'
    if (this.#line.countOf(keyIndex) === 0) return null
    return keyIndex < 0 ? 'gateway' : 'key'
  }

  /** Whether a newcomer of the key that has to wait would be rejected: no place is free, or its turn would come too late. */
  isFullFor(keyIndex: number): boolean {
    return this.#line.roomFor(keyIndex) === 'full' || this.#comesTooLate(keyIndex)
  }

  /** The error for a newcomer that finds no place, by the scope that is the reason. */
  refuse(keyIndex: number): GatewayError {
    return this.#refuseBy(this.#line.blame(keyIndex, this.#gate.isKeyFull(keyIndex)), keyIndex)
  }

  /**
   * Queues a waiter that `blockedBy` holds up.
   * @throws overloaded or rate_limited when there is no place for it
   */
  push(waiter: Waiter, blockedBy: LimitScope): void {
    const { keyIndex } = waiter
    const room = this.#line.roomFor(keyIndex)
    if (room === 'full' || this.#comesTooLate(keyIndex)) throw this.refuse(keyIndex)
    if (room !== 'free') this.#giveUp(room.givenUpBy)
    // Makes the next poll try, whatever was freed: a newcomer that queues behind others may not have tried at all.
    this.#freedSeen = this.#gate.freed() - 1
    const nowNs = this.#options.nowNs()
    if (this.#entries.size === 0) this.#pace.begin(Number(nowNs) / NS_PER_MS)
    const deadlineNs = nowNs + BigInt(Math.ceil(this.#options.timeoutMs * NS_PER_MS))
    const entry = { keyIndex, waiter, deadlineNs }
    this.#entries.set(waiter, entry)
    this.#line.add(entry)
    this.#gate.turns.count(keyIndex, 1)
    if (blockedBy === 'gateway') this.#setGatewayBlocked(true)
    this.#arm()
  }

  /** Removes a waiter, which is no longer called. No effect if it is not in the queue. */
  cancel(waiter: Waiter): void {
    if (!this.#remove(waiter)) return
    // It may have blocked the others.
    this.#drainSoon()
  }

  /** @see Limiter.watch */
  watch(waiter: Waiter, onPlace: (place: QueuePlace) => void): void {
    const entry = this.#entries.get(waiter)
    if (entry !== undefined) this.#places.add(entry, onPlace)
  }

  /** Call this after a slot was freed on this event loop. */
  onFreed(): void {
    if (this.#entries.size > 0) this.#drainSoon()
  }

  #othersWait(): boolean {
    return this.#gate.waitingLoops() > (this.#gatewayBlocked ? 1 : 0)
  }

  /** At the recent pace, and with one turn for each key that waits. */
  #comesTooLate(keyIndex: number): boolean {
    const paceMs = this.#pace.cautiousMs
    return paceMs > 0 && (this.#line.turnsBefore(keyIndex) + 1) * paceMs > this.#options.timeoutMs
  }

  #refuseBy(scope: LimitScope, keyIndex: number): GatewayError {
    const isForShare = scope === 'key' && !this.#gate.isKeyFull(keyIndex)
    return this.#options.refusal({ scope, keyIndex, waiting: isForShare ? this.#line.countOf(keyIndex) : null })
  }

  /** Its key has more places than the newcomer's. */
  #giveUp(entry: Entry): void {
    const refusal = this.#refuseBy('key', entry.keyIndex)
    this.#remove(entry.waiter)
    entry.waiter.onRefused(refusal)
  }

  /** Not in the caller's stack: the caller is settling and must not run the start of another exchange inside that. */
  #drainSoon(): void {
    if (this.#isDrainDue) return
    this.#isDrainDue = true
    queueMicrotask(() => {
      this.#isDrainDue = false
      this.#drain()
    })
  }

  #drain(): void {
    if (this.#isDraining) return
    this.#isDraining = true
    this.#freedSeen = this.#gate.freed()
    let gatewayBlocked = false
    try {
      gatewayBlocked = this.#takeTurns()
    } finally {
      this.#isDraining = false
      this.#setGatewayBlocked(gatewayBlocked && this.#entries.size > 0)
    }
  }

  /** Repeatedly admits one waiter per key, by turn. True if it stopped because the gateway is full. */
  #takeTurns(): boolean {
    const { turns } = this.#gate
    const order = this.#othersWait() ? turns.awaited() : turns.inOrder(this.#line.keys())
    /** Slots reserved for earlier turns of keys that wait on other event loops. */
    let reserved = 0
    for (let at = 0; at < order.length; at++) {
      const keyIndex = order[at] ?? 0
      const entry = this.#line.firstOf(keyIndex)
      if (entry === undefined) {
        // Its waiters are on another event loop, whose poll takes the slot; a key at its cap has no turn.
        if (turns.isAwaited(keyIndex) && !this.#gate.isKeyFull(keyIndex)) reserved += 1
        continue
      }
      if (reserved > 0 && this.#gate.free() <= reserved) {
        // The waiter it is reserved for may leave, so the next poll tries again.
        this.#freedSeen -= 1
        return true
      }
      const blockedBy = this.#gate.tryEnter(keyIndex)
      if (blockedBy === 'gateway') return true
      if (blockedBy !== null) continue
      this.#remove(entry.waiter)
      this.#markPace()
      entry.waiter.onEntered()
      if (turns.isAwaited(keyIndex)) order.push(keyIndex)
    }
    return false
  }

  /** Called by the queue itself when it is empty, so that the pace starts afresh. */
  #markPace(): void {
    if (this.#entries.size === 0) this.#pace.reset()
    else this.#pace.mark(this.#nowMs())
  }

  #nowMs(): number {
    return Number(this.#options.nowNs()) / NS_PER_MS
  }

  #remove(waiter: Waiter): boolean {
    const entry = this.#entries.get(waiter)
    if (entry === undefined) return false
    this.#entries.delete(waiter)
    this.#places.remove(entry)
    this.#line.remove(entry)
    this.#gate.turns.count(entry.keyIndex, -1)
    if (this.#entries.size === 0) this.#setGatewayBlocked(false)
    return true
  }

  #setGatewayBlocked(isBlocked: boolean): void {
    if (isBlocked === this.#gatewayBlocked) return
    this.#gatewayBlocked = isBlocked
    this.#gate.tellWaiting(isBlocked)
  }

  #arm(): void {
    if (this.#poll !== null) return
    this.#poll = setTimeout(() => {
      this.#poll = null
      if (this.#entries.size > 0) this.#arm()
      this.#turn()
    }, POLL_MS)
    this.#poll.unref()
  }

  #turn(): void {
    if (this.#gate.freed() !== this.#freedSeen) this.#drain()
    const nowNs = this.#options.nowNs()
    for (const { waiter, deadlineNs, keyIndex } of this.#entries.values()) {
      if (deadlineNs > nowNs) break
      this.#remove(waiter)
      const scope = this.#gate.isKeyFull(keyIndex) ? 'key' : 'gateway'
      waiter.onRefused(this.#options.refusal({ scope, keyIndex, waiting: null }))
    }
  }
}
