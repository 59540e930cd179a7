// The limits in Redis that apply to a caller: the buckets, the slots, and the name by which its key takes turns. Keys of the
// configuration are known there by their names, those of a database and their teams by their ids.
import { isAccountIndex, type LimitedAccount, type LimitedAccounts } from '../limiter.js'
import { type LimiterConfig } from '../local/cells.js'
import { type LimitScope } from '../refusal.js'
import { SharedBucket, type SharedBucketPlace, type SharedSlot, type TurnKey } from './shared-state.js'

/** The name of the gateway's slots and buckets. */
export const GATEWAY_OWNER = 'gateway'
/** Callers without a key count as one. */
const KEYLESS = 'keyless'

/** The key's first, then its team's, then the gateway's. `name`: of the key on all nodes, for its slot and its turns. */
export type Plan = TurnKey & {
  readonly requests: readonly SharedBucket[]
  readonly tokens: readonly SharedBucket[]
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
  readonly #accounts: LimitedAccounts | null
  /** As long as nothing of the key changes. */
  readonly #ofAccounts = new WeakMap<LimitedAccount, Plan>()

  constructor({ limits, keys }: PlansConfig, accounts: LimitedAccounts | null = null) {
    const keyless = gatewayPlan(limits)
    this.#keyless = keyless
    this.#ofKeys = keys.map(({ name, limits: own }) => keyPlan({ owner: `key:${name}`, limits: own }, null, keyless))
    this.#accounts = accounts
  }

  /** `keyIndex`: -1 without a key. A key that was deleted has the gateway's limits alone. */
  of(keyIndex: number): Plan {
    if (!isAccountIndex(keyIndex)) return this.#ofKeys[keyIndex] ?? this.#keyless
    const listed = this.#accounts?.byIndex(keyIndex) ?? null
    if (listed === null) return this.#keyless
    const known = this.#ofAccounts.get(listed)
    if (known !== undefined) return known
    const { id, limits, team } = listed.account
    const teamOwner = team === null ? null : { owner: `team:${team.id}`, limits: team.limits }
    const plan = keyPlan({ owner: `key:${id}`, limits }, teamOwner, this.#keyless)
    this.#ofAccounts.set(listed, plan)
    return plan
  }
}

function gatewayPlan(limits: Limits): Plan {
  return {
    name: KEYLESS,
    keyCap: null,
    team: null,
    requests: requestBuckets('gateway', GATEWAY_OWNER, limits),
    tokens: bucketOf(limits.tokensPerMinute, { scope: 'gateway', owner: GATEWAY_OWNER, kind: 'tokens' }),
    slots: slotOf(GATEWAY_OWNER, limits),
  }
}

type Limited = { readonly owner: string; readonly limits: Limits }

function keyPlan(key: Limited, team: Limited | null, gateway: Plan): Plan {
  const scoped = [['key', key] as const, ...(team === null ? [] : [['team', team] as const])]
  return {
    name: key.owner,
    keyCap: key.limits.concurrency,
    team: team === null ? null : { name: team.owner, cap: team.limits.concurrency },
    requests: [
      ...scoped.flatMap(([scope, { owner, limits }]) => requestBuckets(scope, owner, limits)),
      ...gateway.requests,
    ],
    tokens: [
      ...scoped.flatMap(([scope, { owner, limits }]) =>
        bucketOf(limits.tokensPerMinute, { scope, owner, kind: 'tokens' }),
      ),
      ...gateway.tokens,
    ],
    slots: [...scoped.flatMap(([, { owner, limits }]) => slotOf(owner, limits)), ...gateway.slots],
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
