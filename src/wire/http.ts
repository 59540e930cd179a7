// Small texts of HTTP: retry and reset times, header values, request ids, masked secrets. Pure; the clock is passed in.

/** Looks a header up by its lower-case name; null when it is absent. */
export type GetHeader = (name: string) => string | null

/** A day: no provider asks to wait longer in earnest, and timers stay far below their 24-day limit. */
const MAX_RETRY_AFTER_MS = 24 * 60 * 60 * 1000
/** Both are milliseconds; OpenAI and Azure send them beside the coarser `retry-after`, so they come first. */
const RETRY_AFTER_MS_HEADERS = ['retry-after-ms', 'x-ms-retry-after-ms'] as const
const NUMBER = /^\s*\d{1,15}(?:\.\d{1,9})?\s*$/
/** IMF-fixdate, the only form that senders may make. */
const HTTP_DATE = /^\s*[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT\s*$/

/**
 * How long the sender asks to wait: 0 to a day in ms, whole; null without a header that can be read. `nowMs` is Unix time.
 * @see RFC 9110, section 10.2.3
 */
export function parseRetryAfterMs(get: GetHeader, nowMs: number): number | null {
  for (const name of RETRY_AFTER_MS_HEADERS) {
    const value = get(name)
    if (value !== null && NUMBER.test(value)) return capped(Number(value))
  }
  const value = get('retry-after')
  if (value === null) return null
  if (NUMBER.test(value)) return capped(Number(value) * 1000)
  const dateMs = HTTP_DATE.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(dateMs) ? null : capped(dateMs - nowMs)
}

function capped(ms: number): number {
  return Math.min(MAX_RETRY_AFTER_MS, Math.max(0, Math.ceil(ms)))
}

/** A duration as OpenAI's `x-ratelimit-reset-*` writes it: `12ms`, `1s`, `6m0s`, `1h2m3s`; rounded up, never negative. */
export function formatResetDuration(ms: number): string {
  const wholeMs = Math.max(0, Math.ceil(ms))
  if (wholeMs < 1000) return `${wholeMs}ms`
  const totalSec = Math.ceil(wholeMs / 1000)
  const hours = Math.floor(totalSec / 3600)
  const minutes = Math.floor((totalSec % 3600) / 60)
  const seconds = totalSec % 60
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are just what must not be in a header
const UNSAFE = /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/

/** May this text be written as a header's value? No control but TAB, nothing beyond Latin-1. @see RFC 9110, section 5.5 */
export function isSafeHeaderValue(value: string): boolean {
  return !UNSAFE.test(value)
}

const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/

/** May a client's own request id be used and echoed? 1 to 128 of letters, digits and `._:-`. */
export function isValidRequestId(id: string): boolean {
  return REQUEST_ID.test(id)
}

/** Long tokens behind a known key prefix or an auth scheme. Prefixes of the vendors' documents, 2026-11. */
const SECRETS = [
  /\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi,
  /\b((?:sk|pk|rk|gsk|xai|hf|pplx|r8|nvapi|whsec)[-_])[A-Za-z0-9_-]{8,}/g,
  /\b(AIza)[A-Za-z0-9_-]{20,}/g,
  /\b(eyJ)[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?/g,
  /([?&](?:key|api[-_]?key|token|access_token)=)[^&\s"']+/gi,
  /((?:"|\b)(?:x-)?(?:api[-_]?key|access[-_]?token|secret)"?\s*[:=]\s*"?)[^\s"',;]{8,}/gi,
] as const

/** Replaces what looks like a key or token by `***`, its prefix kept, so that a foreign error text may be shown and logged. */
export function maskSecrets(text: string): string {
  let masked = text
  for (const pattern of SECRETS) masked = masked.replace(pattern, (_whole, prefix: string) => `${prefix}***`)
  return masked
}
