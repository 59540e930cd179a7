// Gateway keys and teams, as the admin API has them, and how the screens say them.
import { count } from '../format.js'

export type Limits = {
  readonly requestsPerMinute: number | null
  readonly tokensPerMinute: number | null
  readonly concurrency: number | null
}
export type TeamRecord = {
  readonly name: string
  readonly models: readonly string[]
  readonly limits: Limits
  readonly disabled: boolean
}
export type KeyRecord = TeamRecord & {
  readonly source: 'database' | 'file'
  readonly team: string | null
  readonly tags: readonly string[]
  readonly createdAt: string | null
  readonly rotatedAt: string | null
  readonly expiresAt: string | null
  readonly lastUsedAt: string | null
  readonly secrets: readonly { readonly hint: string; readonly validUntil: string | null }[]
}

/** `60 requests/min, 5 at once`, or `none`. */
export function limitsText({ requestsPerMinute, tokensPerMinute, concurrency }: Limits): string {
  const parts = [
    requestsPerMinute === null ? '' : `${count(requestsPerMinute)} requests/min`,
    tokensPerMinute === null ? '' : `${count(tokensPerMinute)} tokens/min`,
    concurrency === null ? '' : `${count(concurrency)} at once`,
  ].filter(Boolean)
  return parts.length === 0 ? 'none' : parts.join(', ')
}

/** `active`, `disabled` or `expired`. */
export function keyState({ disabled, expiresAt }: Pick<KeyRecord, 'disabled' | 'expiresAt'>, nowMs: number): string {
  if (disabled) return 'disabled'
  return expiresAt !== null && Date.parse(expiresAt) <= nowMs ? 'expired' : 'active'
}

/** The names in a field, separated by commas or spaces. */
export function readList(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean)
}

/** The number in a field; null where it is empty. */
export function readCount(text: string): number | null {
  return text.trim() === '' ? null : Number(text)
}

/** What a field of the browser for a local time has, as the API takes it; null where it is empty. */
export function readLocalTime(text: string): string | null {
  return text === '' ? null : new Date(text).toISOString()
}

/** The other way round, to the minute. */
export function localTime(iso: string | null): string {
  if (iso === null) return ''
  const at = new Date(iso)
  const local = new Date(at.getTime() - at.getTimezoneOffset() * MIN_MS)
  return local.toISOString().slice(0, 'YYYY-MM-DDTHH:MM'.length)
}

const MIN_MS = 60_000
