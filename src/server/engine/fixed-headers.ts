// The response headers that do not depend on the answer: security, CORS, request id. Built once, shared by all answers.
import { type HeaderList } from '../../pipeline/sink.js'

export type HeaderPolicy = {
  /** On every answer. */
  readonly fixed: HeaderList
  /** The headers with which a page of this origin may read the answer. Others get only `vary`, since the origin matters to caches. */
  corsOf(origin: string): HeaderList
  isAllowed(origin: string): boolean
}

const NO_HEADERS: HeaderList = Object.freeze([])
/** Fetch standard, "CORS protocol and HTTP caches": on an answer without permission, or a cache would serve that to an allowed page. */
const VARY: HeaderList = Object.freeze([['vary', 'origin'] as const])
/** One year, as the contract's other security headers: the usual value of the preload lists. */
const HSTS = 'max-age=31536000; includeSubDomains'
const EXPOSED =
  'x-request-id, request-id, x-should-retry, x-sluice-target, x-sluice-attempts, x-sluice-overhead-ms, x-sluice-cost, x-sluice-dropped, x-sluice-estimated, ' +
  'retry-after, retry-after-ms, ' +
  'x-sluice-stream, x-sluice-stream-state, x-sluice-stream-first, x-sluice-stream-next, link, x-sluice-cache, x-sluice-attached, age, ' +
  'x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, ' +
  'x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens'

/** Ten minutes: long enough to avoid a preflight per request, short enough that a changed configuration soon takes effect. */
const PREFLIGHT_MAX_AGE_SEC = '600'
/** A short list of header names and nothing else, since it is sent back. */
const REQUESTED_HEADERS = /^[A-Za-z0-9\-_, ]{1,1024}$/

/** `origins` may contain `*` for any origin. */
export function createHeaderPolicy(isTls: boolean, origins: readonly string[]): HeaderPolicy {
  const fixed: (readonly [string, string])[] = [
    ['x-content-type-options', 'nosniff'],
    ['x-frame-options', 'DENY'],
    ['referrer-policy', 'no-referrer'],
  ]
  if (isTls) fixed.push(['strict-transport-security', HSTS])
  const lists = new Map(origins.map((origin) => [origin, corsList(origin)]))
  const forAny = lists.get('*') ?? null
  const forOthers = forAny === null && origins.length > 0 ? VARY : NO_HEADERS
  return {
    fixed: Object.freeze(fixed),
    corsOf: (origin) => (origin === '' ? forOthers : (lists.get(origin) ?? forAny ?? forOthers)),
    isAllowed: (origin) => lists.has(origin) || lists.has('*'),
  }
}

/** What answers a preflight of an allowed origin. `requested`: its `access-control-request-headers`, given back if well-formed. */
export function preflightHeaders(allow: string, requested: string): HeaderList {
  return [
    ['access-control-allow-methods', allow],
    ['access-control-allow-headers', REQUESTED_HEADERS.test(requested) ? requested : 'authorization, content-type'],
    ['access-control-max-age', PREFLIGHT_MAX_AGE_SEC],
  ]
}

function corsList(origin: string): HeaderList {
  return Object.freeze([
    ['access-control-allow-origin', origin] as const,
    ['access-control-expose-headers', EXPOSED] as const,
    ['vary', 'origin'] as const,
  ])
}
