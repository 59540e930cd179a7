// Those who wait for a concurrency slot, one queue per event loop, first come first served. A waiter whose own key is at
// its cap is passed over, so it holds up nobody else; one that the whole gateway holds up holds up all behind it.
// Slots freed on another event loop are seen by a short poll that runs only while someone waits; not Atomics.waitAsync: a
// pending wait cannot be taken back, and whether it keeps the process alive differs between Nodes (nodejs/node#61941).
import { type GatewayError } from '../errors.js'
import { type Waiter } from './limiter.js'
import { type LimitScope } from './refusal.js'

/** While someone waits: how soon a slot freed elsewhere, or a deadline, is noticed. One atomic load a turn. */
const POLL_MS = 2
const NS_PER_MS = 1_000_000

/** The slots that are waited for. */
export type Gate = {
  tryEnter(keyIndex: number): LimitScope | null
  freed(): number
  waitingLoops(): number
  tellWaiting(isWaiting: boolean): void
}

export type QueueOptions = {
  /** Most waiters of this event loop; 0 refuses at once. */
  readonly max: number
  readonly timeoutMs: number
  readonly nowNs: () => bigint
  /** Builds the refusal of a waiter that the scope held up. */
  readonly refusal: (scope: LimitScope, keyIndex: number) => GatewayError
}

/** Weight of the latest interval in the pace: some ten admissions make it. */
const PACE_WEIGHT = 0.1

type Entry = { readonly waiter: Waiter; readonly deadlineNs: bigint; blockedBy: LimitScope }

/** The queue of one event loop. */
export class WaitQueue {
  readonly #gate: Gate
  readonly #options: QueueOptions
  /** In order of arrival; all have the same patience, so the first is also the first to run out of it. */
  readonly #entries = new Map<Waiter, Entry>()
  readonly #waitingOfKey = new Map<number, number>()
  #gatewayBlocked = false
  #isDraining = false
  #isDrainDue = false
  #freedSeen = 0
  /** Recent time between two admissions while someone waited, and the last of them, or when the waiting began. */
  #paceMs = 0
  #enteredNs = 0n
  #poll: NodeJS.Timeout | null = null

  constructor(gate: Gate, options: QueueOptions) {
    this.#gate = gate
    this.#options = options
  }

  /**
   * The scope that a newcomer must queue for without trying, because someone who came earlier waits for the same: here
   * or, for a slot of the gateway, on another event loop. Null: it may try.
   */
  mustWaitFor(keyIndex: number): LimitScope | null {
    if (this.#gatewayBlocked || this.#isDraining || this.#othersWait()) return 'gateway'
    if (!this.#waitingOfKey.has(keyIndex)) return null
    return keyIndex < 0 ? 'gateway' : 'key'
  }

  /** A newcomer who has to wait is refused: there is no room, or at the recent pace its turn would come too late. */
  get isFull(): boolean {
    const { size } = this.#entries
    return size >= this.#options.max || (size + 1) * this.#paceMs > this.#options.timeoutMs
  }

  refuse(blockedBy: LimitScope, keyIndex: number): GatewayError {
    return this.#options.refusal(blockedBy, keyIndex)
  }

  /**
   * Queues a waiter that `blockedBy` holds up.
   * @throws overloaded or rate_limited when the queue is full
   */
  push(waiter: Waiter, blockedBy: LimitScope): void {
    if (this.isFull) throw this.refuse(blockedBy, waiter.keyIndex)
    // Makes the next poll try, whatever was freed: who queues behind others may not have tried at all.
    this.#freedSeen = this.#gate.freed() - 1
    const nowNs = this.#options.nowNs()
    if (this.#entries.size === 0) this.#enteredNs = nowNs
    const deadlineNs = nowNs + BigInt(Math.ceil(this.#options.timeoutMs * NS_PER_MS))
    this.#entries.set(waiter, { waiter, deadlineNs, blockedBy })
    this.#waitingOfKey.set(waiter.keyIndex, (this.#waitingOfKey.get(waiter.keyIndex) ?? 0) + 1)
    if (blockedBy === 'gateway') this.#setGatewayBlocked(true)
    this.#arm()
  }

  /** Takes a waiter out; it is not called any more. No effect if it is not here. */
  cancel(waiter: Waiter): void {
    if (!this.#remove(waiter)) return
    // It may have been the one that held up the others.
    this.#drainSoon()
  }

  /** To be called after a slot was freed on this event loop. */
  onFreed(): void {
    // With waiters on several loops a free slot is left to their polls, or the loop that frees it would always win.
    if (this.#entries.size > 0 && !this.#othersWait()) this.#drainSoon()
  }

  #othersWait(): boolean {
    return this.#gate.waitingLoops() > (this.#gatewayBlocked ? 1 : 0)
  }

  /** Not in the caller's stack: whoever leaves is settling, and must not run another exchange's start inside that. */
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
    const fullKeys = new Set<number>()
    try {
      for (const entry of this.#entries.values()) {
        if (fullKeys.has(entry.waiter.keyIndex)) continue
        const blockedBy = this.#gate.tryEnter(entry.waiter.keyIndex)
        if (blockedBy === null) {
          this.#remove(entry.waiter)
          this.#markPace()
          entry.waiter.onEntered()
          continue
        }
        entry.blockedBy = blockedBy
        gatewayBlocked = blockedBy === 'gateway'
        if (gatewayBlocked) break
        fullKeys.add(entry.waiter.keyIndex)
      }
    } finally {
      this.#isDraining = false
      this.#setGatewayBlocked(gatewayBlocked && this.#entries.size > 0)
    }
  }

  /** Told by the queue itself: with nobody left waiting the next ones begin without a prejudice. */
  #markPace(): void {
    const nowNs = this.#options.nowNs()
    if (this.#entries.size === 0) {
      this.#paceMs = 0
      return
    }
    const intervalMs = Number(nowNs - this.#enteredNs) / NS_PER_MS
    this.#paceMs += PACE_WEIGHT * (intervalMs - this.#paceMs)
    this.#enteredNs = nowNs
  }

  #remove(waiter: Waiter): boolean {
    if (!this.#entries.delete(waiter)) return false
    const left = (this.#waitingOfKey.get(waiter.keyIndex) ?? 1) - 1
    if (left > 0) this.#waitingOfKey.set(waiter.keyIndex, left)
    else this.#waitingOfKey.delete(waiter.keyIndex)
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
    for (const entry of this.#entries.values()) {
      if (entry.deadlineNs > nowNs) break
      this.#remove(entry.waiter)
      entry.waiter.onRefused(this.#options.refusal(entry.blockedBy, entry.waiter.keyIndex))
    }
  }
}
