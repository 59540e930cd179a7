// The errors of the limits: which limit, whose it is, and when to retry. Never contains a key.
import { GatewayError } from '../errors.js'

/** When a slot becomes free cannot be predicted; clients wait a second without a hint. */
const SLOT_RETRY_AFTER_MS = 1000

/** A broken link is probed more often than this. */
const DOWN_RETRY_AFTER_MS = 1000

/** Whose limit it was. */
export type LimitScope = 'gateway' | 'team' | 'key'
export type LimitKind = 'requests' | 'tokens' | 'concurrency'

const OWNER = { gateway: 'this gateway', team: 'the team of this key', key: 'this key' } as const

/** A rate limit of the scope is exhausted; `retryAfterMs` is the time until it suffices. */
export function rateRefusal(scope: LimitScope, kind: LimitKind, found: RateFinding): GatewayError {
  return new GatewayError('rate_limited', {
    message: `The limit of ${found.limit} ${kind} per ${windowInWords(found.windowSec)} for ${OWNER[scope]} has been reached. Try again in ${inWords(found.retryAfterMs)}.`,
    retryAfterMs: found.retryAfterMs,
  })
}

/** `windowSec`: of the limit; a minute unless given. */
export type RateFinding = { readonly limit: number; readonly windowSec?: number; readonly retryAfterMs: number }

/** The request alone exceeds the whole limit, so waiting does not help. */
export function oversizeRefusal(scope: LimitScope, kind: LimitKind, size: SizeFinding): GatewayError {
  return new GatewayError('rate_limited', {
    message: `This request needs about ${size.count} ${kind}, which exceeds the limit of ${size.limit} per minute for ${OWNER[scope]}.`,
    retryable: false,
  })
}

export type SizeFinding = { readonly limit: number; readonly count: number }

/** All slots of the scope are taken, and the queue is full or the wait was too long. `cap` is named only for a cap of the key or its team. */
export function slotRefusal(scope: LimitScope, cap: number): GatewayError {
  if (scope === 'gateway') return GATEWAY_FULL
  return new GatewayError('rate_limited', {
    message: `The limit of ${cap} concurrent requests for ${OWNER[scope]} has been reached. Try again when one has finished.`,
    retryAfterMs: SLOT_RETRY_AFTER_MS,
  })
}

/** The key has its share of the places in a full queue in which other keys wait. */
export function placeRefusal(waiting: number): GatewayError {
  return new GatewayError('rate_limited', {
    message: `The wait queue is full, and ${waiting} requests of ${OWNER.key} already take its share of it. Try again when one has finished.`,
    retryAfterMs: SLOT_RETRY_AFTER_MS,
  })
}

/** Redis is unavailable, and requests are not admitted without it. */
export function downRefusal(): GatewayError {
  const message = 'The limits of this gateway cannot be checked right now.'
  return new GatewayError('overloaded', { message, retryAfterMs: DOWN_RETRY_AFTER_MS })
}

const GATEWAY_FULL = GatewayError.shared('overloaded', { retryAfterMs: SLOT_RETRY_AFTER_MS })
const MINUTE_SEC = 60

function windowInWords(windowSec = MINUTE_SEC): string {
  return windowSec === MINUTE_SEC ? 'minute' : `${windowSec} s`
}

function inWords(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${Math.ceil(ms / 100) / 10} s`
}
