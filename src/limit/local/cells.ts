// The limiter on shared memory: one truth for all event loops of the process. This file lays the cells out and joins
// the buckets, the slots and the queue into what admission asks; it decides nothing itself.
//
//   BigInt64  gateway requests | gateway tokens | key 0 requests | key 0 tokens | key 1 ...     moments, see token-bucket
//   Int32     freed | waiting loops | gateway | keys ... | providers ... | targets ...          counts, see atomic-slots
//             admissions | last turns of keys ... | waiters of keys ...                            turns, see turns
//
// Over a reload the cells stay: a key, provider or target that keeps its name keeps its place, whatever its index becomes.
import { GatewayError } from '../../errors.js'
import { type BucketState, type LimitSnapshot, type LocalLimiter, type QueuePlace, type Waiter } from '../limiter.js'
import { type LimitKind, type LimitScope, oversizeRefusal, placeRefusal, rateRefusal, slotRefusal } from '../refusal.js'
import { AtomicBucket } from './atomic-bucket.js'
import { AtomicSlots, slotCellCount } from './atomic-slots.js'
import { WaitQueue } from './queue.js'
import { TokenBucket } from './token-bucket.js'

/** Requests and tokens. */
const BUCKETS_PER_OWNER = 2

/** The slices of the configuration that limits are made of; the index in `keys` and `providers` is the one that callers pass. */
export type LimiterConfig = {
  readonly limits: RateLimits & { readonly queue: { readonly max: number; readonly timeoutMs: number } }
  readonly keys: readonly { readonly limits: RateLimits }[]
  readonly providers: readonly { readonly limits: { readonly concurrency: number | null } }[]
  readonly models: readonly { readonly targets: readonly { readonly concurrency: number | null }[] }[]
}

type RateLimits = {
  readonly requestsPerMinute: number | null
  /** The window of `requestsPerMinute`, if it is not one minute. */
  readonly requestWindowSeconds?: number
  readonly tokensPerMinute: number | null
  readonly concurrency: number | null
}

/** Where the keys, providers and targets of a configuration, by their index, have their cells; and how many cells there are. */
export type LimiterPlaces = {
  readonly keys: readonly number[]
  readonly providers: readonly number[]
  readonly targets: readonly number[]
  readonly room: { readonly keys: number; readonly providers: number; readonly targets: number }
}

export type LimiterOptions = {
  /** Those of the configuration's own order unless given, with room for no more. */
  readonly places?: LimiterPlaces
  /** Monotonic and the same for all event loops; the process's high-resolution clock unless given. Never the wall clock. */
  readonly nowNs?: () => bigint
  /** Called for every refusal by a limit of the gateway or of a key, including waits that took too long. */
  readonly onRejected?: (scope: LimitScope, kind: LimitKind) => void
}

/** Memory for the limits of this configuration, to be shared by the limiters of all event loops. All buckets are full. */
export function createLimiterCells(
  config: LimiterConfig,
  { room }: Pick<LimiterPlaces, 'room'> = ownPlaces(config),
): SharedArrayBuffer {
  return new SharedArrayBuffer(bucketBytes(room) + slotBytes(room))
}

/**
 * The limiter of one event loop over cells that were made from the same configuration.
 * @throws misconfigured when the cells were made from another one
 */
export function createLimiter(
  config: LimiterConfig,
  cells: SharedArrayBuffer,
  options: LimiterOptions = {},
): LocalLimiter {
  const places = options.places ?? ownPlaces(config)
  if (cells.byteLength !== bucketBytes(places.room) + slotBytes(places.room)) {
    throw new GatewayError('misconfigured', { message: 'The limiter cells belong to another configuration.' })
  }
  return new SharedLimiter(config, cells, { ...options, places })
}

function ownPlaces(config: LimiterConfig): LimiterPlaces {
  const inOrder = (list: readonly unknown[]): number[] => list.map((_, index) => index)
  const { keys, providers } = config
  const targets = targetsOf(config)
  const room = { keys: keys.length, providers: providers.length, targets: targets.length }
  return { keys: inOrder(keys), providers: inOrder(providers), targets: inOrder(targets), room }
}

type Room = LimiterPlaces['room']

function bucketBytes({ keys }: Room): number {
  return (1 + keys) * BUCKETS_PER_OWNER * BigInt64Array.BYTES_PER_ELEMENT
}

function slotBytes({ keys, providers, targets }: Room): number {
  return slotCellCount(keys, providers, targets) * Int32Array.BYTES_PER_ELEMENT
}

/** The position in this list is a target's slot. */
function targetsOf(config: LimiterConfig): readonly { readonly concurrency: number | null }[] {
  return config.models.flatMap((model) => model.targets)
}

/** The buckets of the gateway or of one key; null where there is no limit. */
type Owner = { readonly requests: AtomicBucket | null; readonly tokens: AtomicBucket | null }
type Take = {
  readonly kind: 'requests' | 'tokens'
  readonly count: number
  readonly key: AtomicBucket | null
  readonly gateway: AtomicBucket | null
}

const UNLIMITED: Owner = { requests: null, tokens: null }

class SharedLimiter implements LocalLimiter {
  readonly #gateway: Owner
  readonly #keys: readonly Owner[]
  readonly #slots: AtomicSlots
  readonly #queue: WaitQueue
  readonly #nowNs: () => bigint
  readonly #onRejected: (scope: LimitScope, kind: LimitKind) => void

  constructor(config: LimiterConfig, cells: SharedArrayBuffer, options: LimiterOptions & Placed) {
    this.#nowNs = options.nowNs ?? process.hrtime.bigint
    this.#onRejected = options.onRejected ?? (() => {})
    const { places } = options
    const buckets = new BigInt64Array(cells, 0, (1 + places.room.keys) * BUCKETS_PER_OWNER)
    this.#gateway = createOwner(config.limits, buckets, 0)
    this.#keys = config.keys.map((key, index) => createOwner(key.limits, buckets, 1 + placeAt(places.keys, index)))
    const caps = {
      gateway: config.limits.concurrency,
      keys: config.keys.map((key) => key.limits.concurrency),
      providers: config.providers.map((provider) => provider.limits.concurrency),
      targets: targetsOf(config).map((target) => target.concurrency),
    }
    this.#slots = new AtomicSlots(caps, new Int32Array(cells, bucketBytes(places.room)), places)
    this.#queue = new WaitQueue(this.#slots, {
      max: config.limits.queue.max,
      timeoutMs: config.limits.queue.timeoutMs,
      nowNs: this.#nowNs,
      refusal: ({ scope, keyIndex, waiting }) => {
        this.#onRejected(scope, 'concurrency')
        return waiting === null ? slotRefusal(scope, caps.keys[keyIndex] ?? 0) : placeRefusal(waiting)
      },
    })
  }

  takeRequest(keyIndex: number): void {
    const key = this.#ownerOf(keyIndex).requests
    this.#take({ kind: 'requests', count: 1, key, gateway: this.#gateway.requests })
  }

  countRequest(keyIndex: number): null {
    this.takeRequest(keyIndex)
    return null
  }

  checkTokens(keyIndex: number, count: number): void {
    const { tokens: key } = this.#ownerOf(keyIndex)
    const { tokens: gateway } = this.#gateway
    if (key !== null && count > key.limit) throw this.#refuse('key', key, { kind: 'tokens', count })
    if (gateway !== null && count > gateway.limit) throw this.#refuse('gateway', gateway, { kind: 'tokens', count })
  }

  returnRequest(keyIndex: number): void {
    this.#ownerOf(keyIndex).requests?.giveBack(1)
    this.#gateway.requests?.giveBack(1)
  }

  reserveTokens(keyIndex: number, tokens: number): null {
    const key = this.#ownerOf(keyIndex).tokens
    this.#take({ kind: 'tokens', count: tokens, key, gateway: this.#gateway.tokens })
    return null
  }

  settleTokens(keyIndex: number, reserved: number, used: number): void {
    const key = this.#ownerOf(keyIndex).tokens
    const gateway = this.#gateway.tokens
    if (key === null && gateway === null) return
    if (used < reserved) {
      key?.giveBack(reserved - used)
      gateway?.giveBack(reserved - used)
    } else if (used > reserved) {
      const nowNs = this.#nowNs()
      key?.charge(used - reserved, nowNs)
      gateway?.charge(used - reserved, nowNs)
    }
  }

  enter(keyIndex: number, waiter: Waiter): boolean {
    const blockedBy = this.#queue.mustWaitFor(keyIndex) ?? this.#slots.tryEnter(keyIndex)
    if (blockedBy === null) return true
    this.#queue.push(waiter, blockedBy)
    return false
  }

  refusal(keyIndex: number): GatewayError | null {
    if (!this.#queue.isFullFor(keyIndex)) return null
    const blockedBy = this.#queue.mustWaitFor(keyIndex) ?? this.#slots.fullScope(keyIndex)
    return blockedBy === null ? null : this.#queue.refuse(keyIndex)
  }

  hold(keyIndex: number): void {
    this.#slots.hold(keyIndex)
  }

  cancel(waiter: Waiter): void {
    this.#queue.cancel(waiter)
  }

  watch(waiter: Waiter, onPlace: (place: QueuePlace) => void): void {
    this.#queue.watch(waiter, onPlace)
  }

  leave(keyIndex: number): void {
    this.#slots.leave(keyIndex)
    this.#queue.onFreed()
  }

  enterProvider(providerIndex: number): boolean {
    return this.#slots.enterProvider(providerIndex)
  }

  leaveProvider(providerIndex: number): void {
    this.#slots.leaveProvider(providerIndex)
  }

  enterTarget(slot: number): boolean {
    return this.#slots.enterTarget(slot)
  }

  leaveTarget(slot: number): void {
    this.#slots.leaveTarget(slot)
  }

  targetLoad(slot: number): number {
    return this.#slots.targetLoad(slot)
  }

  /** A caller without a key sees the gateway's own buckets, which apply to it. */
  snapshot(keyIndex: number): LimitSnapshot {
    const owner = keyIndex < 0 ? this.#gateway : this.#ownerOf(keyIndex)
    if (owner.requests === null && owner.tokens === null) return { requests: null, tokens: null }
    const nowNs = this.#nowNs()
    return { requests: stateOf(owner.requests, nowNs), tokens: stateOf(owner.tokens, nowNs) }
  }

  active(): number {
    return this.#slots.active()
  }

  #ownerOf(keyIndex: number): Owner {
    return this.#keys[keyIndex] ?? UNLIMITED
  }

  /** Both or none. The key's bucket first, so that what a rejected key takes and returns is never missing for others. */
  #take(take: Take): void {
    const { key, gateway } = take
    if (key === null && gateway === null) return
    const nowNs = this.#nowNs()
    if (key !== null && !key.take(take.count, nowNs)) throw this.#refuse('key', key, take)
    if (gateway === null || gateway.take(take.count, nowNs)) return
    key?.giveBack(take.count)
    throw this.#refuse('gateway', gateway, take)
  }

  #refuse(scope: LimitScope, bucket: AtomicBucket, take: Pick<Take, 'kind' | 'count'>): GatewayError {
    this.#onRejected(scope, take.kind)
    const { limit, windowSec } = bucket
    if (take.count > limit) return oversizeRefusal(scope, take.kind, { limit, count: take.count })
    return rateRefusal(scope, take.kind, {
      limit,
      windowSec,
      retryAfterMs: bucket.retryAfterMs(take.count, this.#nowNs()),
    })
  }
}

type Placed = { readonly places: LimiterPlaces }

function placeAt(places: readonly number[], index: number): number {
  const place = places[index]
  if (place === undefined) throw new GatewayError('internal', { message: 'A name has no place in the cells.' })
  return place
}

function createOwner(limits: RateLimits, cells: BigInt64Array, owner: number): Owner {
  const first = owner * BUCKETS_PER_OWNER
  return {
    requests: limits.requestsPerMinute === null ? null : new AtomicBucket(requestBucket(limits), cells, first),
    tokens: limits.tokensPerMinute === null ? null : new AtomicBucket(limits.tokensPerMinute, cells, first + 1),
  }
}

function requestBucket({ requestsPerMinute, requestWindowSeconds }: RateLimits): TokenBucket {
  return new TokenBucket(requestsPerMinute ?? 0, requestWindowSeconds)
}

function stateOf(bucket: AtomicBucket | null, nowNs: bigint): BucketState | null {
  return bucket === null ? null : bucket.state(nowNs)
}
