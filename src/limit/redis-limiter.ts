// The limiter of several nodes: the local one first, which costs nothing and knows what this process took, then Redis, which
// knows what all took, in one atomic call an admission. What Redis refuses the local one gets back. While Redis is away the
// local one decides alone, or nobody is admitted: `limits.onRedisDown`.
//
//   takeRequest  local
//   enter        local slot (perhaps waited for) > Redis: request and slots > entered | refused | shared-queue > entered ...
import { GatewayError } from '../errors.js'
import { type LimiterConfig } from './cells.js'
import { type Limiter, type LimitSnapshot, type LocalLimiter, type Waiter } from './limiter.js'
import { type LimitKind, type LimitScope, rateRefusal, slotRefusal } from './refusal.js'
import { SharedQueue } from './shared-queue.js'
import { SharedBucket, type SharedSlot, type SharedState, type Taken } from './shared-state.js'

/** A link that is down is tried more often than that. */
const DOWN_RETRY_AFTER_MS = 1000
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

/** What applies to a caller: the key's first, then the gateway's. */
type Plan = {
  readonly requests: readonly SharedBucket[]
  readonly tokens: readonly SharedBucket[]
  readonly slots: readonly SharedSlot[]
  readonly slotScopes: readonly LimitScope[]
}

/** Someone between the local slot and the one in Redis. */
type Entry = {
  readonly keyIndex: number
  readonly plan: Plan
  readonly waiter: Waiter
  readonly inner: Waiter
  hasLocalSlot: boolean
  isOver: boolean
}

export class RedisLimiter implements Limiter {
  readonly #local: LocalLimiter
  readonly #state: SharedState
  readonly #isClosedWhenDown: boolean
  readonly #nowNs: () => bigint
  readonly #onRejected: (scope: LimitScope, kind: LimitKind) => void
  readonly #keyPlans: readonly Plan[]
  /** Of a caller without a key. */
  readonly #gatewayPlan: Plan
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
    const gateway = createPlan('gateway', 'gateway', config.limits)
    this.#gatewayPlan = gateway
    this.#keyPlans = config.keys.map(({ name, limits }) => join(createPlan('key', `key:${name}`, limits), gateway))
    this.#providerSlots = config.providers.map(({ name, limits }) =>
      limits.concurrency === null ? null : { owner: `provider:${name}`, cap: limits.concurrency },
    )
    this.#queue = new SharedQueue({
      ...config.limits.queue,
      nowMs: () => Number(nowNs()) / NS_PER_MS,
      tryEnter: (entry) => this.#tryEnter(entry),
      onTimeout: (entry, blockedBy) => this.#refuse(entry, this.#slotRefusal(entry.plan, blockedBy)),
    })
  }

  takeRequest(keyIndex: number): void {
    this.#local.takeRequest(keyIndex)
  }

  enter(keyIndex: number, waiter: Waiter): boolean {
    const entry = this.#createEntry(keyIndex, waiter)
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
    return this.#local.refusal(keyIndex)
  }

  leave(keyIndex: number): void {
    this.#state.free(this.#planOf(keyIndex).slots)
    this.#local.leave(keyIndex)
    this.#queue.poke()
  }

  reserveTokens(keyIndex: number, tokens: number): Promise<void> | null {
    this.#local.reserveTokens(keyIndex, tokens)
    const { tokens: buckets } = this.#planOf(keyIndex)
    if (buckets.length === 0 || (!this.#state.isUp && !this.#isClosedWhenDown)) return null
    return this.#reserve(keyIndex, tokens, buckets)
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
      ...{ hasLocalSlot: false, isOver: false },
    }
    return entry
  }

  /** A request of each bucket, and the slots unless others wait for them already. */
  async #ask(entry: Entry): Promise<void> {
    const { plan, keyIndex } = entry
    const waits = plan.slots.length > 0 && this.#queue.mustWait(keyIndex)
    const taken = await this.#state.take({ buckets: plan.requests, count: 1, slots: waits ? [] : plan.slots })
    if (taken !== null && taken.refusedBy !== null && taken.refusedBy < plan.requests.length) {
      this.#local.returnRequest(keyIndex)
      if (!entry.isOver)
        this.#refuse(entry, this.#rateRefusal(plan.requests, taken.refusedBy, { kind: 'requests', count: 1 }))
      return
    }
    const blockedBy = waits && taken !== null ? 'gateway' : this.#conclude(entry, taken, plan.requests.length)
    if (blockedBy === null || entry.isOver) return
    if (!this.#queue.push(entry, blockedBy)) this.#refuse(entry, this.#slotRefusal(plan, blockedBy))
  }

  async #tryEnter(entry: Entry): Promise<LimitScope | null> {
    const taken = await this.#state.take({ buckets: [], count: 0, slots: entry.plan.slots })
    return this.#conclude(entry, taken, 0)
  }

  /** Lets in who has all; without Redis as `onRedisDown` says. Else who is full. `firstSlot`: place of the slots in the answer. */
  #conclude(entry: Entry, taken: Taken | null, firstSlot: number): LimitScope | null {
    const { slots, slotScopes } = entry.plan
    if (taken === null) {
      if (entry.isOver) return null
      if (this.#isClosedWhenDown) {
        this.#refuse(entry, downRefusal())
        return null
      }
      this.#state.hold(slots)
    } else if (taken.refusedBy !== null) return slotScopes[taken.refusedBy - firstSlot] ?? 'gateway'
    else if (entry.isOver) {
      this.#state.free(slots)
      return null
    }
    this.#finish(entry)
    entry.waiter.onEntered()
    return null
  }

  #finish(entry: Entry): void {
    entry.isOver = true
    this.#entries.delete(entry.waiter)
    this.#queue.remove(entry)
  }

  #refuse(entry: Entry, error: GatewayError): void {
    this.#finish(entry)
    this.#local.leave(entry.keyIndex)
    entry.waiter.onRefused(error)
  }

  async #reserve(keyIndex: number, tokens: number, buckets: readonly SharedBucket[]): Promise<void> {
    const taken = await this.#state.take({ buckets, count: tokens, slots: [] })
    if (taken === null ? !this.#isClosedWhenDown : taken.refusedBy === null) return
    this.#local.settleTokens(keyIndex, tokens, 0)
    if (taken === null || taken.refusedBy === null) throw downRefusal()
    throw this.#rateRefusal(buckets, taken.refusedBy, { kind: 'tokens', count: tokens })
  }

  async #takeProvider(providerIndex: number, slot: SharedSlot): Promise<boolean> {
    const taken = await this.#state.take({ buckets: [], count: 0, slots: [slot] })
    if (taken === null && !this.#isClosedWhenDown) this.#state.hold([slot])
    const isIn = taken === null ? !this.#isClosedWhenDown : taken.refusedBy === null
    if (!isIn) this.#local.leaveProvider(providerIndex)
    return isIn
  }

  #rateRefusal(
    buckets: readonly SharedBucket[],
    place: number,
    { kind, count }: { readonly kind: 'requests' | 'tokens'; readonly count: number },
  ): GatewayError {
    const refusing = buckets[place]
    if (refusing === undefined) return new GatewayError('rate_limited')
    this.#onRejected(refusing.scope, kind)
    const retryAfterMs = refusing.retryAfterMs(count, this.#nowNs())
    return rateRefusal(refusing.scope, kind, { limit: refusing.bucket.limit, retryAfterMs })
  }

  #slotRefusal({ slots, slotScopes }: Plan, blockedBy: LimitScope): GatewayError {
    this.#onRejected(blockedBy, 'concurrency')
    return slotRefusal(blockedBy, slots[slotScopes.indexOf('key')]?.cap ?? 0)
  }
}

function downRefusal(): GatewayError {
  const message = 'The limits of this gateway cannot be checked at present.'
  return new GatewayError('overloaded', { message, retryAfterMs: DOWN_RETRY_AFTER_MS })
}

function createPlan(scope: LimitScope, owner: string, limits: LimiterConfig['keys'][number]['limits']): Plan {
  const { requestsPerMinute, tokensPerMinute, concurrency } = limits
  const bucket = (limit: number | null, kind: LimitKind) =>
    limit === null ? [] : [new SharedBucket(limit, { scope, owner, kind })]
  return {
    requests: bucket(requestsPerMinute, 'requests'),
    tokens: bucket(tokensPerMinute, 'tokens'),
    slots: concurrency === null ? [] : [{ owner, cap: concurrency }],
    slotScopes: concurrency === null ? [] : [scope],
  }
}

function join(a: Plan, b: Plan): Plan {
  return {
    requests: [...a.requests, ...b.requests],
    tokens: [...a.tokens, ...b.tokens],
    slots: [...a.slots, ...b.slots],
    slotScopes: [...a.slotScopes, ...b.slotScopes],
  }
}
