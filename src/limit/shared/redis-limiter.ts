// The limiter of several nodes: first the local one, which is free and knows what this process took, then Redis, which knows what
// all nodes took, in one atomic call per admission. If Redis refuses, the local limiter takes back its part. While Redis is
// unavailable, `limits.onRedisDown` decides: the local one alone, or no request is admitted. shared-entrance.ts admits and queues.
import { type GatewayError } from '../../errors.js'
import {
  type LimitedAccounts,
  type Limiter,
  type LimitSnapshot,
  type LocalLimiter,
  type QueuePlace,
  type Waiter,
} from '../limiter.js'
import { type LimiterConfig } from '../local/cells.js'
import { downRefusal, type LimitKind, type LimitScope } from '../refusal.js'
import { Plans } from './plans.js'
import { SharedEntrance } from './shared-entrance.js'
import { ONE_REQUEST, type Share, SharedRefusals } from './shared-refusals.js'
import { type SharedBucket, type SharedSlot, type SharedState } from './shared-state.js'

/** The limiter's configuration with the names that nodes know its owners by. */
export type RedisLimiterConfig = {
  readonly limits: LimiterConfig['limits'] & { readonly onRedisDown: 'local' | 'closed' }
  readonly keys: readonly (LimiterConfig['keys'][number] & { readonly name: string })[]
  readonly providers: readonly (LimiterConfig['providers'][number] & { readonly name: string })[]
}

export type RedisLimiterOptions = {
  readonly local: LocalLimiter
  /** Survives the limiter: its owner starts and closes it. */
  readonly state: SharedState
  /** As for the local limiter. */
  readonly accounts?: LimitedAccounts | null
  readonly nowNs?: () => bigint
  /** As for the local limiter; a refusal by Redis counts the same way. */
  readonly onRejected: (scope: LimitScope, kind: LimitKind) => void
}

export class RedisLimiter implements Limiter {
  readonly #local: LocalLimiter
  readonly #state: SharedState
  readonly #isClosedWhenDown: boolean
  readonly #nowNs: () => bigint
  readonly #plans: Plans
  readonly #providerSlots: readonly (SharedSlot | null)[]
  readonly #refusals: SharedRefusals
  readonly #entrance: SharedEntrance

  constructor(config: RedisLimiterConfig, options: RedisLimiterOptions) {
    const { local, state, onRejected } = options
    const nowNs = options.nowNs ?? process.hrtime.bigint
    const isClosedWhenDown = config.limits.onRedisDown === 'closed'
    const plans = new Plans(config, options.accounts)
    const refusals = new SharedRefusals(onRejected, nowNs)
    this.#local = local
    this.#state = state
    this.#isClosedWhenDown = isClosedWhenDown
    this.#nowNs = nowNs
    this.#plans = plans
    this.#refusals = refusals
    this.#providerSlots = config.providers.map(({ name, limits }) =>
      limits.concurrency === null ? null : { owner: `provider:${name}`, cap: limits.concurrency },
    )
    const { queue, concurrency: gatewayCap } = config.limits
    this.#entrance = new SharedEntrance({ local, state, isClosedWhenDown, plans, refusals, queue, gatewayCap, nowNs })
  }

  takeRequest(keyIndex: number): void {
    this.#local.takeRequest(keyIndex)
  }

  countRequest(keyIndex: number): Promise<void> | null {
    this.#local.takeRequest(keyIndex)
    const { requests } = this.#plans.of(keyIndex)
    return this.#isLocal(requests) ? null : this.#take(requests, ONE_REQUEST, () => this.#local.returnRequest(keyIndex))
  }

  checkTokens(keyIndex: number, tokens: number): void {
    this.#local.checkTokens(keyIndex, tokens)
  }

  enter(keyIndex: number, waiter: Waiter): boolean {
    return this.#entrance.enter(keyIndex, waiter)
  }

  cancel(waiter: Waiter): void {
    this.#entrance.cancel(waiter)
  }

  watch(waiter: Waiter, onPlace: (place: QueuePlace) => void): void {
    this.#entrance.watch(waiter, onPlace)
  }

  refusal(keyIndex: number): GatewayError | null {
    return this.#entrance.refusal(keyIndex)
  }

  leave(keyIndex: number): void {
    this.#entrance.leave(keyIndex)
  }

  reserveTokens(keyIndex: number, tokens: number): Promise<void> | null {
    this.#local.reserveTokens(keyIndex, tokens)
    const { tokens: buckets } = this.#plans.of(keyIndex)
    if (this.#isLocal(buckets)) return null
    return this.#take(buckets, { kind: 'tokens', count: tokens }, () => this.#local.settleTokens(keyIndex, tokens, 0))
  }

  settleTokens(keyIndex: number, reserved: number, used: number): void {
    this.#local.settleTokens(keyIndex, reserved, used)
    this.#state.charge(this.#plans.of(keyIndex).tokens, used - reserved)
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

  /** Each node balances targets for itself. */
  enterTarget(slot: number): boolean {
    return this.#local.enterTarget(slot)
  }

  leaveTarget(slot: number): void {
    this.#local.leaveTarget(slot)
  }

  targetLoad(slot: number): number {
    return this.#local.targetLoad(slot)
  }

  /** The last state from Redis, projected to now; the local state while Redis is unavailable. */
  snapshot(keyIndex: number): LimitSnapshot {
    if (!this.#state.isUp) return this.#local.snapshot(keyIndex)
    const plan = this.#plans.of(keyIndex)
    const scope = keyIndex < 0 ? 'gateway' : 'key'
    const nowNs = this.#nowNs()
    const stateOf = (buckets: readonly SharedBucket[]) =>
      buckets.find((each) => each.scope === scope)?.state(nowNs) ?? null
    return { requests: stateOf(plan.requests), tokens: stateOf(plan.tokens) }
  }

  active(): number {
    return this.#local.active()
  }

  /** True if no limit of it is shared, or Redis is unavailable and the node continues without it. */
  #isLocal(buckets: readonly SharedBucket[]): boolean {
    return buckets.length === 0 || (!this.#state.isUp && !this.#isClosedWhenDown)
  }

  /** Asks all nodes; if they refuse, what this process took is returned. */
  async #take(buckets: readonly SharedBucket[], { kind, count }: Share, giveBack: () => void): Promise<void> {
    const taken = await this.#state.take({ buckets, count, slots: [] })
    if (taken === null ? !this.#isClosedWhenDown : taken.refusedBy === null) return
    giveBack()
    if (taken === null || taken.refusedBy === null) throw downRefusal()
    throw this.#refusals.rate(buckets, taken.refusedBy, { kind, count })
  }

  async #takeProvider(providerIndex: number, slot: SharedSlot): Promise<boolean> {
    const taken = await this.#state.take({ buckets: [], count: 0, slots: [slot] })
    if (taken === null && !this.#isClosedWhenDown) this.#state.hold([slot])
    const isIn = taken === null ? !this.#isClosedWhenDown : taken.refusedBy === null
    if (!isIn) this.#local.leaveProvider(providerIndex)
    return isIn
  }
}
