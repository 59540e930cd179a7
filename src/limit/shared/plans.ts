// The limits in Redis that apply to a caller: the buckets, the slots, and the name by which its key takes turns.
import { type LimiterConfig } from '../local/cells.js'
import { type LimitScope } from '../refusal.js'
import { SharedBucket, type SharedBucketPlace, type SharedSlot } from './shared-state.js'

/** The name of the gateway's slots and buckets. */
export const GATEWAY_OWNER = 'gateway'
/** Callers without a key count as one. */
const KEYLESS = 'keyless'

/** The key's first, then the gateway's. */
export type Plan = {
  /** The name of the key on all nodes, for its slot and its turns. */
  readonly name: string
  readonly keyCap: number | null
  readonly requests: readonly SharedBucket[]
  readonly tokens: readonly SharedBucket[]
  readonly slots: readonly SharedSlot[]
}

type Limits = LimiterConfig['keys'][number]['limits']

type PlansConfig = {
  readonly limits: Limits
  readonly keys: readonly { readonly name: string; readonly limits: Limits }[]
}

/** The plans of all callers. */
export class Plans {
  readonly #ofKeys: readonly Plan[]
  readonly #keyless: Plan

  constructor({ limits, keys }: PlansConfig) {
    const keyless = gatewayPlan(limits)
    this.#keyless = keyless
    this.#ofKeys = keys.map((key) => keyPlan(key, keyless))
  }

  /** `keyIndex`: -1 without a key. */
  of(keyIndex: number): Plan {
    return this.#ofKeys[keyIndex] ?? this.#keyless
  }
}

function gatewayPlan(limits: Limits): Plan {
  return {
    name: KEYLESS,
    keyCap: null,
    requests: requestBuckets('gateway', GATEWAY_OWNER, limits),
    tokens: bucketOf(limits.tokensPerMinute, { scope: 'gateway', owner: GATEWAY_OWNER, kind: 'tokens' }),
    slots: slotOf(GATEWAY_OWNER, limits),
  }
}

/** A key's own limits come before the gateway's. */
function keyPlan(key: { readonly name: string; readonly limits: Limits }, gateway: Plan): Plan {
  const owner = `key:${key.name}`
  const { limits } = key
  return {
    name: owner,
    keyCap: limits.concurrency,
    requests: [...requestBuckets('key', owner, limits), ...gateway.requests],
    tokens: [...bucketOf(limits.tokensPerMinute, { scope: 'key', owner, kind: 'tokens' }), ...gateway.tokens],
    slots: [...slotOf(owner, limits), ...gateway.slots],
  }
}

function requestBuckets(scope: LimitScope, owner: string, limits: Limits): SharedBucket[] {
  const { requestsPerMinute, requestWindowSeconds } = limits
  const window = requestWindowSeconds === undefined ? {} : { windowSec: requestWindowSeconds }
  return bucketOf(requestsPerMinute, { scope, owner, kind: 'requests', ...window })
}

function bucketOf(limit: number | null, place: SharedBucketPlace): SharedBucket[] {
  return limit === null ? [] : [new SharedBucket(limit, place)]
}

function slotOf(owner: string, { concurrency }: Limits): SharedSlot[] {
  return concurrency === null ? [] : [{ owner, cap: concurrency }]
}
