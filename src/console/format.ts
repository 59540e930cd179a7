// Figures as the pages show them: each with its unit, in the same form everywhere.

const SEC_MS = 1000
const MIN_SEC = 60
const HOUR_SEC = 3600
const DAY_SEC = 86_400
const PERCENT = 100
/** Above it a tenth of a second says nothing. */
const TENTHS_UP_TO_SEC = 10
const NONE = '–'

/** `350 ms`, `4.2 s`, `12 s`, `3 min 05 s`, `2 h 05 min`, `3 d 4 h`. */
export function duration(ms: number | null): string {
  if (ms === null) return NONE
  if (ms < SEC_MS) return `${Math.round(ms)} ms`
  const sec = ms / SEC_MS
  if (sec < TENTHS_UP_TO_SEC) return `${sec.toFixed(1)} s`
  const whole = Math.floor(sec)
  if (whole < MIN_SEC) return `${whole} s`
  if (whole < HOUR_SEC) return `${Math.floor(whole / MIN_SEC)} min ${two(whole % MIN_SEC)} s`
  if (whole < DAY_SEC) return `${Math.floor(whole / HOUR_SEC)} h ${two(Math.floor((whole % HOUR_SEC) / MIN_SEC))} min`
  return `${Math.floor(whole / DAY_SEC)} d ${Math.floor((whole % DAY_SEC) / HOUR_SEC)} h`
}

/** `12,345`. */
export function count(value: number | null): string {
  return value === null ? NONE : value.toLocaleString('en-US')
}

/** `15.1 tok/s`. */
export function tokensPerSec(value: number | null): string {
  return value === null ? NONE : `${value.toFixed(1)} tok/s`
}

/** `$0.0123`; dollars, with the digits that a small amount needs. */
export function money(dollars: number | null): string {
  if (dollars === null) return NONE
  return `$${dollars.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: dollars < 1 ? 6 : 2 })}`
}

/** `2.5 %` of a share from 0 to 1. */
export function percent(share: number | null): string {
  return share === null ? NONE : `${(share * PERCENT).toFixed(1)} %`
}

/** A time of the day in the reader's own zone, with its date if that is another day: `14:03:07`, `2026-11-29 14:03:07`. */
export function clockTime(iso: string | null, now: Date): string {
  if (iso === null) return NONE
  const at = new Date(iso)
  const day = dayOf(at)
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
  return day === dayOf(now) ? time : `${day} ${time}`
}

/** What is there, or a dash. */
export function orNone(text: string | null | undefined): string {
  return text === null || text === undefined || text === '' ? NONE : text
}

function dayOf(at: Date): string {
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
