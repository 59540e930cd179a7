// Reads how long an answer asks to wait before a retry. Pure; the clock is passed in.

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
