// What is wrong at present, for somebody who has just been woken: which providers fail, which requests did, and whose they were.
import { count, percent } from '../format.js'
import { type ProviderRecord, providerState, providerWords } from '../gateway/provider-record.js'
import { type RequestEntry } from '../requests/request-entry.js'

/** A name, and how often it was there. */
export type Tally = { readonly name: string; readonly count: number }

/** A provider that an operator should know of. */
export type SickProvider = { readonly name: string; readonly state: string; readonly text: string }

/** Requests that failed. `isAll`: there were no more of them than could be asked for. */
export type Failures = {
  readonly count: number
  readonly isAll: boolean
  readonly codes: readonly Tally[]
  readonly keys: readonly Tally[]
  readonly models: readonly Tally[]
}

/** `failures`: null where none failed. */
export type Trouble = { readonly providers: readonly SickProvider[]; readonly failures: Failures | null }

type Failed = Pick<RequestEntry, 'endedAt' | 'outcome' | 'error' | 'key' | 'model'>
type Asked = { readonly sinceMs: number; readonly limit: number }

/** More names are no help. */
const MOST_NAMES = 5
const NO_KEY = '(no key)'
const NO_MODEL = '(no model)'

/** `failed`: the last requests that failed, the newest first; those before `sinceMs` are over. `limit`: of how many were asked for. */
export function troubleOf(
  providers: readonly ProviderRecord[],
  failed: readonly Failed[],
  { sinceMs, limit }: Asked,
): Trouble {
  const sick = providers.filter((provider) => providerState(provider) !== 'closed')
  const recent = failed.filter(({ endedAt }) => Date.parse(endedAt) >= sinceMs)
  return {
    providers: sick.map((provider) => ({
      ...{ name: provider.name, state: providerState(provider), text: textOf(provider) },
    })),
    failures: recent.length === 0 ? null : failuresOf(recent, recent.length < limit),
  }
}

function textOf(provider: ProviderRecord): string {
  const { attempts, failed, rateLimited, errorShare } = provider
  const share =
    attempts === 0 ? '' : `, ${count(failed)} of ${count(attempts)} attempts failed (${percent(errorShare)})`
  const limited = rateLimited === 0 ? '' : `, ${count(rateLimited)} of them with 429`
  return `${providerWords(provider)}${share}${limited}`
}

function failuresOf(failed: readonly Failed[], isAll: boolean): Failures {
  return {
    ...{ count: failed.length, isAll },
    codes: tally(failed.map(({ error, outcome }) => error?.code ?? outcome)),
    keys: tally(failed.map(({ key }) => key ?? NO_KEY)),
    models: tally(failed.map(({ model }) => model ?? NO_MODEL)),
  }
}

/** The most frequent first. */
function tally(names: readonly string[]): Tally[] {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  const all = [...counts].map(([name, count]) => ({ name, count })).sort((a, b) => b.count - a.count)
  return all.slice(0, MOST_NAMES)
}
