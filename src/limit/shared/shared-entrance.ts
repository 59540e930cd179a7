// How a request gets its slots if nodes share them. A request that waits for a shared slot holds no local one, so that keys take
// turns here as they do over all nodes.
//
//   enter   Redis: request and slots > entered | refused | shared-queue > entered ...      and counted locally
//           Redis unavailable, or no slot is limited: local slot (after a wait, if necessary) > Redis as above
import { type GatewayError, toGatewayError } from '../../errors.js'
import { isAccountIndex, type LocalLimiter, type QueuePlace, type Waiter } from '../limiter.js'
import { type LimiterConfig } from '../local/cells.js'
import { downRefusal, type LimitScope } from '../refusal.js'
import { type Plan, type Plans } from './plans.js'
import { type NextTurn, SharedQueue } from './shared-queue.js'
import { ONE_REQUEST, type SharedRefusals } from './shared-refusals.js'
import { type SharedState, type Taken } from './shared-state.js'

const NS_PER_MS = 1_000_000

export type SharedEntranceOptions = {
  readonly local: LocalLimiter
  readonly state: SharedState
  readonly isClosedWhenDown: boolean
  readonly plans: Plans
  readonly refusals: SharedRefusals
  readonly queue: LimiterConfig['limits']['queue']
  /** Maximum number of slots over all nodes; null for no limit. */
  readonly gatewayCap: number | null
  readonly nowNs: () => bigint
}

/** A request on its way to the slots of this process and of all nodes. */
type Entry = {
  readonly keyIndex: number
  readonly plan: Plan
  readonly waiter: Waiter
  readonly inner: Waiter
  hasLocalSlot: boolean
  /** Redis has counted the request, here or by `countRequest`. */
  isCounted: boolean
  isOver: boolean
  /** Gets its place, in whichever queue it waits. */
  onPlace: ((place: QueuePlace) => void) | null
}

export class SharedEntrance {
  readonly #local: LocalLimiter
  readonly #state: SharedState
  readonly #isClosedWhenDown: boolean
  readonly #plans: Plans
  readonly #refusals: SharedRefusals
  readonly #gatewayCap: number | null
  readonly #entries = new Map<Waiter, Entry>()
  /** By which plans the requests of a key of a database hold their slots: its limits and its team may change meanwhile. */
  readonly #held = new Map<number, Plan[]>()
  /** The plan of the key that Redis has just admitted from the queue. */
  #turnPlan: Plan | null = null
  readonly #queue: SharedQueue<Entry>

  constructor(options: SharedEntranceOptions) {
    const { state, plans, refusals, nowNs } = options
    this.#local = options.local
    this.#state = state
    this.#isClosedWhenDown = options.isClosedWhenDown
    this.#plans = plans
    this.#refusals = refusals
    this.#gatewayCap = options.gatewayCap
    this.#queue = new SharedQueue({
      ...options.queue,
      nowMs: () => Number(nowNs()) / NS_PER_MS,
      takeTurn: (keys) => this.#takeTurn(keys),
      onTurn: (entry) => this.#letIn(entry, this.#turnPlan ?? entry.plan),
      onAway: (entry) => this.#enterLocally(entry),
      onRefused: (entry, cause) => this.#refuse(entry, refusals.queue(entry.plan, cause)),
      onUnused: (keyIndex) => state.free((this.#turnPlan ?? plans.of(keyIndex)).slots),
      onGone: (keyIndex) => state.pass(plans.of(keyIndex)),
    })
  }

  /** @see Limiter, whose methods of these names these are */
  enter(keyIndex: number, waiter: Waiter): boolean {
    const entry = this.#createEntry(keyIndex, waiter)
    if (this.#state.isUp && entry.plan.slots.length > 0) {
      this.#entries.set(waiter, entry)
      void this.#ask(entry)
      return false
    }
    if (!this.#local.enter(keyIndex, entry.inner)) {
      this.#entries.set(waiter, entry)
      return false
    }
    entry.hasLocalSlot = true
    const { requests, slots } = entry.plan
    if (requests.length + slots.length === 0) {
      this.#noteHeld(keyIndex, entry.plan)
      return true
    }
    if (!this.#state.isUp) {
      if (this.#isClosedWhenDown) {
        this.#local.leave(keyIndex)
        throw downRefusal()
      }
      this.#state.hold(slots)
      this.#noteHeld(keyIndex, entry.plan)
      return true
    }
    this.#entries.set(waiter, entry)
    void this.#ask(entry)
    return false
  }

  cancel(waiter: Waiter): void {
    const entry = this.#entries.get(waiter)
    if (entry === undefined) return
    this.#finish(entry)
    if (entry.hasLocalSlot) this.#local.leave(entry.keyIndex)
    else this.#local.cancel(entry.inner)
  }

  watch(waiter: Waiter, onPlace: (place: QueuePlace) => void): void {
    const entry = this.#entries.get(waiter)
    if (entry === undefined) return
    entry.onPlace = onPlace
    this.#watch(entry)
  }

  refusal(keyIndex: number): GatewayError | null {
    const cause = this.#state.isUp ? this.#queue.refusal(keyIndex) : null
    return cause === null ? this.#local.refusal(keyIndex) : this.#refusals.queue(this.#plans.of(keyIndex), cause)
  }

  leave(keyIndex: number): void {
    this.#state.free(this.#takeHeld(keyIndex).slots)
    this.#local.leave(keyIndex)
    this.#queue.poke()
  }

  #noteHeld(keyIndex: number, plan: Plan): void {
    if (!isAccountIndex(keyIndex)) return
    const plans = this.#held.get(keyIndex)
    if (plans === undefined) this.#held.set(keyIndex, [plan])
    else plans.push(plan)
  }

  /** Of one of the key's requests, whichever: each plan is taken once. */
  #takeHeld(keyIndex: number): Plan {
    const plans = this.#held.get(keyIndex)
    const plan = plans?.pop() ?? this.#plans.of(keyIndex)
    if (plans?.length === 0) this.#held.delete(keyIndex)
    return plan
  }

  #createEntry(keyIndex: number, waiter: Waiter): Entry {
    const inner: Waiter = {
      keyIndex,
      onEntered: () => {
        entry.hasLocalSlot = true
        void this.#ask(entry)
      },
      onRefused: (error) => {
        this.#finish(entry)
        waiter.onRefused(error)
      },
    }
    const entry: Entry = {
      keyIndex,
      waiter,
      inner,
      plan: this.#plans.of(keyIndex),
      hasLocalSlot: false,
      isCounted: waiter.isCounted === true,
      isOver: false,
      onPlace: null,
    }
    return entry
  }

  /** Takes a request from each bucket, unless already counted, and the slots if it is the key's turn. */
  async #ask(entry: Entry): Promise<void> {
    const { plan, keyIndex } = entry
    const buckets = entry.isCounted ? [] : plan.requests
    const taken =
      plan.slots.length === 0
        ? await this.#state.take({ buckets, count: 1, slots: [] })
        : await this.#state.enter({ buckets, key: plan, gatewayCap: this.#gatewayCap })
    const refusedBy = taken?.refusedBy ?? null
    if (refusedBy !== null && refusedBy < buckets.length) {
      this.#local.returnRequest(keyIndex)
      if (!entry.isOver) this.#refuse(entry, this.#refusals.rate(buckets, refusedBy, ONE_REQUEST))
      return
    }
    if (taken !== null) entry.isCounted = true
    if (refusedBy !== null) this.#wait(entry, refusedBy === buckets.length ? 'key' : 'gateway')
    else if (!entry.isOver) this.#goOn(entry, taken)
    else if (taken !== null) this.#state.free(plan.slots)
  }

  #goOn(entry: Entry, taken: Taken | null): void {
    if (taken === null) this.#enterLocally(entry)
    else this.#letIn(entry)
  }

  /** Queues without a slot of this process, which others may use meanwhile. */
  #wait(entry: Entry, blockedBy: LimitScope): void {
    const cause = entry.isOver ? null : this.#queue.push(entry, blockedBy)
    if (cause !== null) this.#refuse(entry, this.#refusals.queue(entry.plan, cause))
    if (!entry.isOver) {
      this.#leaveLocally(entry)
      this.#watch(entry)
    }
    // Redis has noted that the key waits here.
    else if (this.#queue.countOf(entry.keyIndex) === 0) this.#state.pass(entry.plan)
  }

  async #takeTurn(keys: readonly number[]): Promise<NextTurn | null> {
    const plans = keys.map((key) => this.#plans.of(key))
    const waiting = plans.map((key, i) => ({ key, count: this.#queue.countOf(keys[i] ?? -1) }))
    const taken = await this.#state.takeTurn(waiting, this.#gatewayCap)
    if (taken === null) return null
    this.#turnPlan = taken.letIn === null ? null : (plans[taken.letIn] ?? null)
    const fullKeys = new Set(keys.filter((_, i) => taken.isFull[i] === true))
    return { keyIndex: taken.letIn === null ? null : (keys[taken.letIn] ?? null), fullKeys }
  }

  /** Redis has admitted it. */
  #letIn(entry: Entry, plan = entry.plan): void {
    if (!entry.hasLocalSlot) this.#local.hold(entry.keyIndex)
    entry.hasLocalSlot = true
    this.#noteHeld(entry.keyIndex, plan)
    this.#finish(entry)
    entry.waiter.onEntered()
  }

  /** Redis is unavailable: admits by the limits of this process alone, or not at all. */
  #enterLocally(entry: Entry): void {
    const { keyIndex, plan } = entry
    if (this.#isClosedWhenDown) {
      this.#refuse(entry, downRefusal())
      return
    }
    try {
      if (!entry.hasLocalSlot && !this.#local.enter(keyIndex, entry.inner)) {
        this.#watch(entry)
        return
      }
    } catch (thrown) {
      this.#refuse(entry, toGatewayError(thrown))
      return
    }
    entry.hasLocalSlot = true
    this.#state.hold(plan.slots)
    this.#letIn(entry)
  }

  /** It waits in one of the two queues, or in none while Redis is asked. */
  #watch(entry: Entry): void {
    if (entry.onPlace === null) return
    this.#queue.watch(entry, entry.onPlace)
    this.#local.watch(entry.inner, entry.onPlace)
  }

  #finish(entry: Entry): void {
    entry.isOver = true
    this.#entries.delete(entry.waiter)
    this.#queue.remove(entry)
  }

  #refuse(entry: Entry, error: GatewayError): void {
    this.#finish(entry)
    this.#leaveLocally(entry)
    entry.waiter.onRefused(error)
  }

  #leaveLocally(entry: Entry): void {
    if (entry.hasLocalSlot) this.#local.leave(entry.keyIndex)
    entry.hasLocalSlot = false
  }
}
