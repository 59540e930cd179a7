// The interface of the limiter. cells.ts implements it on shared memory, so that a limit holds over all event loops, and
// redis-limiter.ts on top of that for several nodes; only the latter is asynchronous.
// Key index -1 is a caller without a gateway key (a gateway that has no keys): only the gateway's own limits apply.
import { type GatewayError } from '../errors.js'

export type Limiter = {
  /**
   * Takes one request from the gateway's and the key's bucket, both or none.
   * @throws rate_limited with retryAfterMs
   */
  takeRequest(keyIndex: number): void
  /**
   * The same for work that waits for its slot elsewhere and enters later. Null: taken now; otherwise a promise, which rejects
   * with the error that `takeRequest` would throw.
   */
  countRequest(keyIndex: number): Promise<void> | null
  /**
   * Takes a concurrency slot of the gateway and of the key, both or none. True: taken now. False: the waiter is queued and
   * will be called exactly once, onEntered or onRefused, unless `cancel` comes first.
   * @throws overloaded (gateway cap) or rate_limited (key cap) when the queue is full, with retryAfterMs
   */
  enter(keyIndex: number, waiter: Waiter): boolean
  /** The error that `enter` would throw now, to reject a request before its body is read. Takes nothing; the error counts as a refusal. */
  refusal(keyIndex: number): GatewayError | null
  /** Takes the waiter out of the queue; it is never called afterwards. No effect if it is not queued. */
  cancel(waiter: Waiter): void
  /**
   * Reports the place of a waiter, soon and then on each change, at most once a second, until it leaves the queue. No effect if it
   * is not queued. `onPlace` must not throw.
   */
  watch(waiter: Waiter, onPlace: (place: QueuePlace) => void): void
  /** Releases what `enter` took. Exactly once per entry. */
  leave(keyIndex: number): void
  /**
   * Reserves tokens at admission, from an estimate, in the gateway's and the key's bucket, both or none. Null: reserved now;
   * otherwise a promise, which may reject with the error below.
   * @throws rate_limited with retryAfterMs; an estimate above the whole bucket is invalid_request-like: rate_limited, not retryable
   */
  reserveTokens(keyIndex: number, tokens: number): Promise<void> | null
  /** Takes nothing. @throws rate_limited, not retryable, when so many tokens are above a whole bucket */
  checkTokens(keyIndex: number, tokens: number): void
  /** Settles a reservation: returns what was not used, or charges what was used beyond it. */
  settleTokens(keyIndex: number, reserved: number, used: number): void
  /** Takes a concurrency slot of a provider; false when it is full. */
  enterProvider(providerIndex: number): boolean | Promise<boolean>
  leaveProvider(providerIndex: number): void
  /** The same for one target; slot -1 is not counted. */
  enterTarget(slot: number): boolean
  leaveTarget(slot: number): void
  /** Requests in flight there, over all event loops. */
  targetLoad(slot: number): number
  /** State of a key's buckets for the `x-ratelimit-*` headers; null where that limit is not set. */
  snapshot(keyIndex: number): LimitSnapshot
  /** Exchanges that hold a gateway slot now, over all event loops. */
  active(): number
}

/** Limits of a key of a database, or of its team; null for none. */
export type AccountCaps = {
  readonly requestsPerMinute: number | null
  readonly tokensPerMinute: number | null
  readonly concurrency: number | null
}

/** A key of a database as it is now. The same object as long as nothing of it changes. */
export type LimitedAccount = {
  readonly index: number
  readonly account: {
    readonly id: string
    readonly limits: AccountCaps
    readonly team: { readonly id: string; readonly limits: AccountCaps } | null
  }
  /** Of its team among the places of teams; null without one. */
  readonly teamPlace: number | null
}

/** The keys of a database, as the limits know them. */
export type LimitedAccounts = {
  /** Null: it was deleted. */
  byIndex(index: number): LimitedAccount | null
  bySlot(slot: number): LimitedAccount | null
}

/** The limiter of one process, which answers at once. */
export type LocalLimiter = Omit<Limiter, 'reserveTokens' | 'enterProvider' | 'countRequest'> & {
  countRequest(keyIndex: number): null
  reserveTokens(keyIndex: number, tokens: number): null
  enterProvider(providerIndex: number): boolean
  /** Counts an entry that Redis admitted, regardless of the caps of this process. */
  hold(keyIndex: number): void
  /** Returns what `takeRequest` took, for a request that was rejected elsewhere. */
  returnRequest(keyIndex: number): void
}

export type Waiter = {
  readonly keyIndex: number
  /** Its request was taken by `countRequest`. */
  readonly isCounted?: boolean
  onEntered(): void
  onRefused(error: GatewayError): void
}

/** The place of a waiter, as far as this event loop knows: waiters at other event loops and nodes are not counted. */
export type QueuePlace = {
  /** 1 for the one that is next. */
  readonly position: number
  /** Expected wait at the recent pace; null while no one has been admitted. */
  readonly etaMs: number | null
}

export type LimitSnapshot = { readonly requests: BucketState | null; readonly tokens: BucketState | null }
/** `resetMs`: time until the bucket is full again. */
export type BucketState = { readonly limit: number; readonly remaining: number; readonly resetMs: number }

/** More than either the file or the directory can have. */
const SLOTS = 2 ** 24

/**
 * The index of a key of a database: these come behind the keys of the configuration. Such a key has a slot of the directory, which another
 * one may have later, and an epoch, the number of keys that had it before: no two keys have one index. Exact for both below 2^24.
 */
export function accountIndex(slot: number, epoch: number): number {
  return SLOTS * (1 + epoch) + slot
}

/** False for keys of the configuration, and for a caller without one. */
export function isAccountIndex(index: number): boolean {
  return index >= SLOTS
}

/** Of the index of a key of a database. */
export function slotOfIndex(index: number): number {
  return index % SLOTS
}
