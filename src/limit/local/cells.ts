// The limiter on shared memory: one truth for all event loops of the process. This file lays the cells out and joins
// the buckets, the slots and the queue into what admission asks; it decides nothing itself.
//
//   BigInt64  gateway requests | gateway tokens | key 0 requests | key 0 tokens | key 1 ...     moments, see token-bucket
//   Int32     freed | waiting loops | gateway | keys ... | providers ... | targets ...          counts, see atomic-slots
//             admissions | last turns of keys ... | waiters of keys ...                            turns, see turns
//
// Over a reload the cells stay: a key, provider or target that keeps its name keeps its place, whatever its index becomes. Keys of a
// database, and their teams, have their places behind those of the configuration: see place-cells for how one is used again.
import { GatewayError } from '../../errors.js'
import {
  type BucketState,
  isAccountIndex,
  type LimitedAccount,
  type LimitedAccounts,
  type LimitSnapshot,
  type LocalLimiter,
  type QueuePlace,
  slotOfIndex,
  type Waiter,
} from '../limiter.js'
import { type LimitKind, type LimitScope, oversizeRefusal, placeRefusal, rateRefusal, slotRefusal } from '../refusal.js'
import { type AtomicBucket } from './atomic-bucket.js'
import { AtomicSlots, slotCellCount } from './atomic-slots.js'
import { BUCKETS_PER_OWNER, createBuckets, type Limits, type Owner, ownerOf, UNLIMITED } from './owner.js'
import { WaitQueue } from './queue.js'
import { type AccountPlaces } from './turns.js'

/** The slices of the configuration that limits are made of; the index in `keys` and `providers` is the one that callers pass. */
export type LimiterConfig = {
  readonly limits: Limits & { readonly queue: { readonly max: number; readonly timeoutMs: number } }
  readonly keys: readonly { readonly limits: Limits }[]
  readonly providers: readonly { readonly limits: { readonly concurrency: number | null } }[]
  readonly models: readonly { readonly targets: readonly { readonly concurrency: number | null }[] }[]
}

/** Where the keys, providers and targets of a configuration, by their index, have their cells; and how many cells there are. */
export type LimiterPlaces = {
  readonly keys: readonly number[]
  readonly providers: readonly number[]
  readonly targets: readonly number[]
  /** `keys`: with those of a database, and their teams. */
  readonly room: { readonly keys: number; readonly providers: number; readonly targets: number }
  /** Absent without a database. */
  readonly accounts?: AccountPlaces
}

export type LimiterOptions = {
  /** Those of the configuration's own order unless given, with room for no more. */
  readonly places?: LimiterPlaces
  /** Keys of a database, whose limits are those of the moment; null or absent without one. */
  readonly accounts?: LimitedAccounts | null
  /** Monotonic and the same for all event loops; the process's high-resolution clock unless given. Never the wall clock. */
  readonly nowNs?: () => bigint
  /** Called for every refusal by a limit of the gateway or of a key, including waits that took too long. */
  readonly onRejected?: (scope: LimitScope, kind: LimitKind) => void
}

/** Memory for the limits of this configuration, to be shared by the limiters of all event loops. All buckets are full. */
export function createLimiterCells(
  config: LimiterConfig,
  places: Pick<LimiterPlaces, 'room' | 'accounts'> = ownPlaces(config),
): SharedArrayBuffer {
  return new SharedArrayBuffer(bucketBytes(places.room) + slotBytes(places))
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
  if (cells.byteLength !== bucketBytes(places.room) + slotBytes(places)) {
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

/** Before the slots. */
export function bucketBytes({ keys }: Room): number {
  return (1 + keys) * BUCKETS_PER_OWNER * BigInt64Array.BYTES_PER_ELEMENT
}

function slotBytes(places: Pick<LimiterPlaces, 'room' | 'accounts'>): number {
  return slotCellCount(places) * Int32Array.BYTES_PER_ELEMENT
}

/** The position in this list is a target's slot. */
function targetsOf(config: LimiterConfig): readonly { readonly concurrency: number | null }[] {
  return config.models.flatMap((model) => model.targets)
}

type Take = { readonly kind: 'requests' | 'tokens'; readonly count: number }

class SharedLimiter implements LocalLimiter {
  readonly #buckets: BigInt64Array
  readonly #gateway: Owner
  readonly #keys: readonly Owner[]
  readonly #places: LimiterPlaces
  readonly #accounts: LimitedAccounts | null
  /** Of keys of the database, as long as nothing of them changes. */
  readonly #accountOwners = new WeakMap<LimitedAccount, Owner>()
  /** The last one of these: a request asks for its own four times. */
  #lastListed: LimitedAccount | null = null
  #lastOwner: Owner = UNLIMITED
  readonly #slots: AtomicSlots
  readonly #queue: WaitQueue
  readonly #nowNs: () => bigint
  readonly #onRejected: (scope: LimitScope, kind: LimitKind) => void

  constructor(config: LimiterConfig, cells: SharedArrayBuffer, options: LimiterOptions & Placed) {
    this.#nowNs = options.nowNs ?? process.hrtime.bigint
    this.#onRejected = options.onRejected ?? (() => {})
    const { places, accounts = null } = options
    const buckets = new BigInt64Array(cells, 0, (1 + places.room.keys) * BUCKETS_PER_OWNER)
    const gateway = createBuckets('gateway', config.limits, { cells: buckets, owner: 0 })
    this.#buckets = buckets
    this.#places = places
    this.#accounts = accounts
    this.#gateway = ownerOf([gateway])
    this.#keys = config.keys.map(({ limits }, index) =>
      ownerOf([createBuckets('key', limits, { cells: buckets, owner: 1 + placeAt(places.keys, index) }), gateway]),
    )
    const caps = {
      gateway: config.limits.concurrency,
      keys: config.keys.map((key) => key.limits.concurrency),
      providers: config.providers.map((provider) => provider.limits.concurrency),
      targets: targetsOf(config).map((target) => target.concurrency),
    }
    this.#slots = new AtomicSlots(caps, new Int32Array(cells, bucketBytes(places.room)), places, accounts)
    this.#queue = new WaitQueue(this.#slots, {
      max: config.limits.queue.max,
      timeoutMs: config.limits.queue.timeoutMs,
      nowNs: this.#nowNs,
      refusal: ({ scope, keyIndex, waiting }) => this.#refuseSlot(scope, keyIndex, waiting),
    })
  }

  takeRequest(keyIndex: number): void {
    this.#take(this.#ownerOf(keyIndex), { kind: 'requests', count: 1 })
  }

  countRequest(keyIndex: number): null {
    this.takeRequest(keyIndex)
    return null
  }

  checkTokens(keyIndex: number, count: number): void {
    for (const { scope, bucket } of this.#ownerOf(keyIndex).tokens) {
      if (count > bucket.limit) throw this.#refuse(scope, bucket, { kind: 'tokens', count })
    }
  }

  returnRequest(keyIndex: number): void {
    for (const { bucket } of this.#ownerOf(keyIndex).requests) bucket.giveBack(1)
  }

  reserveTokens(keyIndex: number, tokens: number): null {
    this.#take(this.#ownerOf(keyIndex), { kind: 'tokens', count: tokens })
    return null
  }

  settleTokens(keyIndex: number, reserved: number, used: number): void {
    const { tokens } = this.#ownerOf(keyIndex)
    if (tokens.length === 0 || used === reserved) return
    const nowNs = used > reserved ? this.#nowNs() : 0n
    for (const { bucket } of tokens) {
      if (used < reserved) bucket.giveBack(reserved - used)
      else bucket.charge(used - reserved, nowNs)
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
    const { own } = keyIndex < 0 ? this.#gateway : this.#ownerOf(keyIndex)
    if (own.requests === null && own.tokens === null) return { requests: null, tokens: null }
    const nowNs = this.#nowNs()
    return { requests: stateOf(own.requests, nowNs), tokens: stateOf(own.tokens, nowNs) }
  }

  active(): number {
    return this.#slots.active()
  }

  #ownerOf(keyIndex: number): Owner {
    if (!isAccountIndex(keyIndex)) return this.#keys[keyIndex] ?? this.#gateway
    const listed = this.#accounts?.byIndex(keyIndex) ?? null
    // It was deleted: what it took is of no use to anybody any more, but the gateway's share is.
    if (listed === null) return this.#gateway
    if (listed === this.#lastListed) return this.#lastOwner
    const owner = this.#accountOwners.get(listed) ?? this.#createAccountOwner(listed)
    this.#accountOwners.set(listed, owner)
    this.#lastListed = listed
    this.#lastOwner = owner
    return owner
  }

  #createAccountOwner({ index, account, teamPlace }: LimitedAccount): Owner {
    const { accounts } = this.#places
    if (accounts === undefined) return UNLIMITED
    const cells = this.#buckets
    const key = createBuckets('key', account.limits, { cells, owner: 1 + accounts.firstKey + slotOfIndex(index) })
    const [gateway] = this.#gateway.sets
    const behind = gateway === undefined ? [] : [gateway]
    if (account.team === null || teamPlace === null) return ownerOf([key, ...behind])
    const team = createBuckets('team', account.team.limits, { cells, owner: 1 + accounts.firstTeam + teamPlace })
    return ownerOf([key, team, ...behind])
  }

  /** All or none. The key's bucket first, so that what a rejected key takes and returns is never missing for others. */
  #take(owner: Owner, take: Take): void {
    const buckets = owner[take.kind]
    if (buckets.length === 0) return
    const nowNs = this.#nowNs()
    for (let at = 0; at < buckets.length; at++) {
      const each = buckets[at]
      if (each === undefined || each.bucket.take(take.count, nowNs)) continue
      for (let taken = 0; taken < at; taken++) buckets[taken]?.bucket.giveBack(take.count)
      throw this.#refuse(each.scope, each.bucket, take)
    }
  }

  /** A key whose team is full waits, and is refused, like one that is full itself; only the words differ. */
  #refuseSlot(scope: LimitScope, keyIndex: number, waiting: number | null): GatewayError {
    const own = scope === 'gateway' || waiting !== null ? null : this.#slots.ownFullScope(keyIndex)
    const whose = own ?? scope
    this.#onRejected(whose, 'concurrency')
    if (waiting !== null) return placeRefusal(waiting)
    return slotRefusal(whose, whose === 'gateway' ? 0 : (this.#slots.capOf(whose, keyIndex) ?? 0))
  }

  #refuse(scope: LimitScope, bucket: AtomicBucket, take: Take): GatewayError {
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

function stateOf(bucket: AtomicBucket | null, nowNs: bigint): BucketState | null {
  return bucket === null ? null : bucket.state(nowNs)
}
