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

/** `failures`: null where none failed; `refusals`: the same of those that a limit or a budget refused, which may be as it should. */
export type Trouble = {
  readonly providers: readonly SickProvider[]
  readonly failures: Failures | null
  readonly refusals: Failures | null
}

type Ended = Pick<RequestEntry, 'endedAt' | 'outcome' | 'error' | 'key' | 'model'>
/** The last requests of a kind, the newest first. */
export type LastEnded = { readonly failed: readonly Ended[]; readonly refused: readonly Ended[] }
type Asked = { readonly sinceMs: number; readonly limit: number }

/** More names are no help. */
const MOST_NAMES = 5
const NO_KEY = '(no key)'
const NO_MODEL = '(no model)'

/** Requests that ended before `sinceMs` are over. `limit`: how many of each kind were asked for. */
export function troubleOf(
  providers: readonly ProviderRecord[],
  { failed, refused }: LastEnded,
  { sinceMs, limit }: Asked,
): Trouble {
  const sick = providers.filter((provider) => providerState(provider) !== 'closed')
  const tallied = (all: readonly Ended[]): Failures | null => {
    const recent = all.filter(({ endedAt }) => Date.parse(endedAt) >= sinceMs)
    return recent.length === 0 ? null : failuresOf(recent, recent.length < limit)
  }
  return {
    providers: sick.map((provider) => ({
      ...{ name: provider.name, state: providerState(provider), text: textOf(provider) },
    })),
    failures: tallied(failed),
    refusals: tallied(refused),
  }
}

function textOf(provider: ProviderRecord): string {
  const { attempts, failed, rateLimited, errorShare } = provider
  const share =
    attempts === 0 ? '' : `, ${count(failed)} of ${count(attempts)} attempts failed (${percent(errorShare)})`
  const limited = rateLimited === 0 ? '' : `, ${count(rateLimited)} of them with 429`
  return `${providerWords(provider)}${share}${limited}`
}

function failuresOf(failed: readonly Ended[], isAll: boolean): Failures {
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
