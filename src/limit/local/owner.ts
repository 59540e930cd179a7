// The buckets that a request of one key takes from, in their order: the key's, its team's, the gateway's. Null or missing where there
// is no limit.
import { type LimitScope } from '../refusal.js'
import { AtomicBucket } from './atomic-bucket.js'
import { TokenBucket } from './token-bucket.js'

/** Requests and tokens. */
export const BUCKETS_PER_OWNER = 2

/** What is limited; null for no limit. */
export type Limits = {
  readonly requestsPerMinute: number | null
  /** The window of `requestsPerMinute`, if it is not one minute. */
  readonly requestWindowSeconds?: number
  readonly tokensPerMinute: number | null
  readonly concurrency: number | null
}

/** Those of the gateway, of one team or of one key. */
export type BucketSet = {
  readonly scope: LimitScope
  readonly requests: AtomicBucket | null
  readonly tokens: AtomicBucket | null
}
export type ScopedBucket = { readonly scope: LimitScope; readonly bucket: AtomicBucket }

/** All that a request takes from. */
export type Owner = {
  /** Whose state the headers show. */
  readonly own: BucketSet
  readonly sets: readonly BucketSet[]
  readonly requests: readonly ScopedBucket[]
  readonly tokens: readonly ScopedBucket[]
}

/** `owner`: the place of the two cells, counted in such pairs. */
export function createBuckets(
  scope: LimitScope,
  limits: Limits,
  { cells, owner }: { readonly cells: BigInt64Array; readonly owner: number },
): BucketSet {
  const { requestsPerMinute, requestWindowSeconds, tokensPerMinute } = limits
  const first = owner * BUCKETS_PER_OWNER
  const window = new TokenBucket(requestsPerMinute ?? 0, requestWindowSeconds)
  return {
    scope,
    requests: requestsPerMinute === null ? null : new AtomicBucket(window, cells, first),
    tokens: tokensPerMinute === null ? null : new AtomicBucket(tokensPerMinute, cells, first + 1),
  }
}

/** `sets`: in the order in which they are asked, the caller's own first. */
export function ownerOf(sets: readonly BucketSet[]): Owner {
  const bucketsOf = (kind: 'requests' | 'tokens'): ScopedBucket[] =>
    sets.flatMap(({ scope, [kind]: bucket }) => (bucket === null ? [] : [{ scope, bucket }]))
  return { own: sets[0] ?? NO_BUCKETS, sets, requests: bucketsOf('requests'), tokens: bucketsOf('tokens') }
}

const NO_BUCKETS: BucketSet = Object.freeze({ scope: 'key', requests: null, tokens: null })
/** Nothing is limited. */
export const UNLIMITED: Owner = ownerOf([])
