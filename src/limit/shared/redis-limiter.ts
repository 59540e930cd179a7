// The limiter of several nodes: the local one first, which costs nothing and knows what this process took, then Redis, which
// knows what all took, in one atomic call an admission. What Redis refuses the local one gets back. While Redis is away the
// local one decides alone, or no request is admitted: `limits.onRedisDown`. What waits for a slot of all nodes holds none of
// this process, so that keys take turns here as they do over all nodes.
//
//   takeRequest  local
//   enter        Redis: request and slots > entered | refused | shared-queue > entered ...      and counted locally
//                Redis away, or no slot is limited: local slot (perhaps waited for) > Redis as above
import { GatewayError, toGatewayError } from '../../errors.js'
import { type Limiter, type LimitSnapshot, type LocalLimiter, type Waiter } from '../limiter.js'
import { type LimiterConfig } from '../local/cells.js'
import { downRefusal, type LimitKind, type LimitScope, placeRefusal, rateRefusal, slotRefusal } from '../refusal.js'
import { gatewayPlan, keyPlan, type Plan } from './plan.js'
import { type NextTurn, SharedQueue, type SharedRefusal } from './shared-queue.js'
import { type SharedBucket, type SharedSlot, type SharedState, type Taken } from './shared-state.js'

const NS_PER_MS = 1_000_000

/** The limiter's configuration with the names that nodes know its owners by. */
export type RedisLimiterConfig = {
  readonly limits: LimiterConfig['limits'] & { readonly onRedisDown: 'local' | 'closed' }
  readonly keys: readonly (LimiterConfig['keys'][number] & { readonly name: string })[]
  readonly providers: readonly (LimiterConfig['providers'][number] & { readonly name: string })[]
}

export type RedisLimiterOptions = {
  readonly local: LocalLimiter
  /** Outlives the limiter: it is started and closed by its owner. */
  readonly state: SharedState
  readonly nowNs?: () => bigint
  /** As the local limiter's: a refusal by Redis counts the same. */
  readonly onRejected: (scope: LimitScope, kind: LimitKind) => void
}

/** Someone on the way to the slots: the one of this process and those of all nodes. */
type Entry = {
  readonly keyIndex: number
  readonly plan: Plan
  readonly waiter: Waiter
  readonly inner: Waiter
  hasLocalSlot: boolean
  /** Redis has counted the request, here or by `countRequest`. */
  isCounted: boolean
  isOver: boolean
}

type Share = { readonly kind: 'requests' | 'tokens'; readonly count: number }
const ONE_REQUEST: Share = Object.freeze({ kind: 'requests', count: 1 })

export class RedisLimiter implements Limiter {
  readonly #local: LocalLimiter
  readonly #state: SharedState
  readonly #isClosedWhenDown: boolean
  readonly #nowNs: () => bigint
  readonly #onRejected: (scope: LimitScope, kind: LimitKind) => void
  readonly #keyPlans: readonly Plan[]
  /** Of a caller without a key. */
  readonly #gatewayPlan: Plan
  readonly #gatewayCap: number | null
  readonly #providerSlots: readonly (SharedSlot | null)[]
  readonly #entries = new Map<Waiter, Entry>()
  readonly #queue: SharedQueue<Entry>

  constructor(config: RedisLimiterConfig, options: RedisLimiterOptions) {
    const nowNs = options.nowNs ?? process.hrtime.bigint
    this.#local = options.local
    this.#state = options.state
    this.#isClosedWhenDown = config.limits.onRedisDown === 'closed'
    this.#nowNs = nowNs
    this.#onRejected = options.onRejected
    const gateway = gatewayPlan(config.limits)
    this.#gatewayPlan = gateway
    this.#gatewayCap = config.limits.concurrency
    this.#keyPlans = config.keys.map((key) => keyPlan(key, gateway))
    this.#providerSlots = config.providers.map(({ name, limits }) =>
      limits.concurrency === null ? null : { owner: `provider:${name}`, cap: limits.concurrency },
    )
    this.#queue = new SharedQueue({
      ...config.limits.queue,
      nowMs: () => Number(nowNs()) / NS_PER_MS,
      takeTurn: (keys) => this.#takeTurn(keys),
      onTurn: (entry) => this.#letIn(entry),
      onAway: (entry) => this.#enterLocally(entry),
      onRefused: (entry, cause) => this.#refuse(entry, this.#queueRefusal(entry.plan, cause)),
      onUnused: (keyIndex) => this.#state.free(this.#planOf(keyIndex).slots),
      onGone: (keyIndex) => this.#state.pass(this.#planOf(keyIndex)),
    })
  }

  takeRequest(keyIndex: number): void {
    this.#local.takeRequest(keyIndex)
  }

  countRequest(keyIndex: number): Promise<void> | null {
    this.#local.takeRequest(keyIndex)
    const { requests } = this.#planOf(keyIndex)
    return this.#isLocal(requests) ? null : this.#take(requests, ONE_REQUEST, () => this.#local.returnRequest(keyIndex))
  }

  checkTokens(keyIndex: number, tokens: number): void {
    this.#local.checkTokens(keyIndex, tokens)
  }

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
    if (requests.length + slots.length === 0) return true
    if (!this.#state.isUp) {
      if (this.#isClosedWhenDown) {
        this.#local.leave(keyIndex)
        throw downRefusal()
      }
      this.#state.hold(slots)
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

  refusal(keyIndex: number): GatewayError | null {
    const cause = this.#state.isUp ? this.#queue.refusal(keyIndex) : null
    return cause === null ? this.#local.refusal(keyIndex) : this.#queueRefusal(this.#planOf(keyIndex), cause)
  }

  leave(keyIndex: number): void {
    this.#state.free(this.#planOf(keyIndex).slots)
    this.#local.leave(keyIndex)
    this.#queue.poke()
  }

  reserveTokens(keyIndex: number, tokens: number): Promise<void> | null {
    this.#local.reserveTokens(keyIndex, tokens)
    const { tokens: buckets } = this.#planOf(keyIndex)
    if (this.#isLocal(buckets)) return null
    return this.#take(buckets, { kind: 'tokens', count: tokens }, () => this.#local.settleTokens(keyIndex, tokens, 0))
  }

  settleTokens(keyIndex: number, reserved: number, used: number): void {
    this.#local.settleTokens(keyIndex, reserved, used)
    this.#state.charge(this.#planOf(keyIndex).tokens, used - reserved)
  }

  enterProvider(providerIndex: number): boolean | Promise<boolean> {
    if (!this.#local.enterProvider(providerIndex)) return false
    const slot = this.#providerSlots[providerIndex] ?? null
    return slot === null ? true : this.#takeProvider(providerIndex, slot)
  }

  leaveProvider(providerIndex: number): void {
    const slot = this.#providerSlots[providerIndex] ?? null
    if (slot !== null) this.#state.free([slot])
    this.#local.leaveProvider(providerIndex)
  }

  /** Targets are balanced by each node for itself. */
  enterTarget(slot: number): boolean {
    return this.#local.enterTarget(slot)
  }

  leaveTarget(slot: number): void {
    this.#local.leaveTarget(slot)
  }

  targetLoad(slot: number): number {
    return this.#local.targetLoad(slot)
  }

  /** What Redis said last, carried on to now; the local state while it is away. */
  snapshot(keyIndex: number): LimitSnapshot {
    if (!this.#state.isUp) return this.#local.snapshot(keyIndex)
    const plan = this.#planOf(keyIndex)
    const scope = keyIndex < 0 ? 'gateway' : 'key'
    const nowNs = this.#nowNs()
    const stateOf = (buckets: readonly SharedBucket[]) =>
      buckets.find((each) => each.scope === scope)?.state(nowNs) ?? null
    return { requests: stateOf(plan.requests), tokens: stateOf(plan.tokens) }
  }

  active(): number {
    return this.#local.active()
  }

  /** Nothing of it is shared, or there is nobody to ask and it goes on without. */
  #isLocal(buckets: readonly SharedBucket[]): boolean {
    return buckets.length === 0 || (!this.#state.isUp && !this.#isClosedWhenDown)
  }

  #planOf(keyIndex: number): Plan {
    return this.#keyPlans[keyIndex] ?? this.#gatewayPlan
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
      ...{ keyIndex, waiter, inner, plan: this.#planOf(keyIndex) },
      ...{ hasLocalSlot: false, isCounted: waiter.isCounted === true, isOver: false },
    }
    return entry
  }

  /** A request of each bucket, unless it is counted already, and the slots if it is the key's turn. */
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
      if (!entry.isOver) this.#refuse(entry, this.#rateRefusal(buckets, refusedBy, ONE_REQUEST))
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

  /** In line, without a slot of this process, which others may have meanwhile. */
  #wait(entry: Entry, blockedBy: LimitScope): void {
    const cause = entry.isOver ? null : this.#queue.push(entry, blockedBy)
    if (cause !== null) this.#refuse(entry, this.#queueRefusal(entry.plan, cause))
    if (!entry.isOver) this.#leaveLocally(entry)
    // Redis has noted that the key waits here.
    else if (this.#queue.countOf(entry.keyIndex) === 0) this.#state.pass(entry.plan)
  }

  async #takeTurn(keys: readonly number[]): Promise<NextTurn | null> {
    const taken = await this.#state.takeTurn(
      keys.map((key) => ({ key: this.#planOf(key), count: this.#queue.countOf(key) })),
      this.#gatewayCap,
    )
    if (taken === null) return null
    const fullKeys = new Set(keys.filter((_, i) => taken.isFull[i] === true))
    return { keyIndex: taken.letIn === null ? null : (keys[taken.letIn] ?? null), fullKeys }
  }

  /** All nodes together have let it in. */
  #letIn(entry: Entry): void {
    if (!entry.hasLocalSlot) this.#local.hold(entry.keyIndex)
    entry.hasLocalSlot = true
    this.#finish(entry)
    entry.waiter.onEntered()
  }

  /** Redis is away: by the limits of this process alone, or not at all. */
  #enterLocally(entry: Entry): void {
    const { keyIndex, plan } = entry
    if (this.#isClosedWhenDown) {
      this.#refuse(entry, downRefusal())
      return
    }
    try {
      if (!entry.hasLocalSlot && !this.#local.enter(keyIndex, entry.inner)) return
    } catch (thrown) {
      this.#refuse(entry, toGatewayError(thrown))
      return
    }
    entry.hasLocalSlot = true
    this.#state.hold(plan.slots)
    this.#letIn(entry)
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

  /** Of all nodes; what this process took goes back where they refuse. */
  async #take(buckets: readonly SharedBucket[], { kind, count }: Share, giveBack: () => void): Promise<void> {
    const taken = await this.#state.take({ buckets, count, slots: [] })
    if (taken === null ? !this.#isClosedWhenDown : taken.refusedBy === null) return
    giveBack()
    if (taken === null || taken.refusedBy === null) throw downRefusal()
    throw this.#rateRefusal(buckets, taken.refusedBy, { kind, count })
  }

  async #takeProvider(providerIndex: number, slot: SharedSlot): Promise<boolean> {
    const taken = await this.#state.take({ buckets: [], count: 0, slots: [slot] })
    if (taken === null && !this.#isClosedWhenDown) this.#state.hold([slot])
    const isIn = taken === null ? !this.#isClosedWhenDown : taken.refusedBy === null
    if (!isIn) this.#local.leaveProvider(providerIndex)
    return isIn
  }

  #rateRefusal(buckets: readonly SharedBucket[], place: number, { kind, count }: Share): GatewayError {
    const refusing = buckets[place]
    if (refusing === undefined) return new GatewayError('rate_limited')
    this.#onRejected(refusing.scope, kind)
    const retryAfterMs = refusing.retryAfterMs(count, this.#nowNs())
    return rateRefusal(refusing.scope, kind, {
      limit: refusing.bucket.limit,
      windowSec: refusing.bucket.windowSec,
      retryAfterMs,
    })
  }

  #queueRefusal({ keyCap }: Plan, { scope, waiting }: SharedRefusal): GatewayError {
    this.#onRejected(scope, 'concurrency')
    return waiting === null ? slotRefusal(scope, keyCap ?? 0) : placeRefusal(waiting)
  }
}
