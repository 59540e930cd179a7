// The errors for requests that Redis refuses, counted like the refusals of the local limiter.
import { GatewayError } from '../../errors.js'
import { type LimitKind, type LimitScope, placeRefusal, rateRefusal, slotRefusal } from '../refusal.js'
import { type Plan } from './plans.js'
import { type SharedRefusal } from './shared-queue.js'
import { type SharedBucket } from './shared-state.js'

/** A bucket and the count that was requested from it. */
export type Share = { readonly kind: 'requests' | 'tokens'; readonly count: number }
export const ONE_REQUEST: Share = Object.freeze({ kind: 'requests', count: 1 })

/** Makes the errors of one limiter, each counted as it is made. */
export class SharedRefusals {
  readonly #onRejected: (scope: LimitScope, kind: LimitKind) => void
  readonly #nowNs: () => bigint

  constructor(onRejected: (scope: LimitScope, kind: LimitKind) => void, nowNs: () => bigint) {
    this.#onRejected = onRejected
    this.#nowNs = nowNs
  }

  /** The error when the bucket at `place` does not have `count`. */
  rate(buckets: readonly SharedBucket[], place: number, { kind, count }: Share): GatewayError {
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

  /** The error when there is no place in the queue, or no slot in time. */
  queue({ keyCap, team }: Plan, { scope, waiting }: SharedRefusal): GatewayError {
    const isOfTeam = scope === 'key' && waiting === null && keyCap === null && team !== null
    const whose = isOfTeam ? 'team' : scope
    this.#onRejected(whose, 'concurrency')
    return waiting === null ? slotRefusal(whose, (isOfTeam ? team.cap : keyCap) ?? 0) : placeRefusal(waiting)
  }
}
