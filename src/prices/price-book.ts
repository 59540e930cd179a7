// The prices of one configuration, looked up by target: its own prices first, then the list of the target's vendor, then the lists
// that this one refers to. A look-up is made once for each name; after that it is two reads of a map.
import { ratesOf, withServiceTiers } from './read-prices.js'
import { type Match, type Period, type PriceRow, type PricesConfig, type PriceTable, type Rates } from './types.js'

/** Names that clients invent are not kept without end. */
const MAX_KNOWN = 4096
const DAY_MS = 86_400_000

/** A target, and the name of its vendor's price list; null: there is none. */
export type Priced = { readonly provider: string; readonly model: string; readonly list: string | null }

/** Matches a glob with a name. Passed in: globs are routing's. */
export type MatchesGlob = (glob: string, name: string) => boolean

/** The prices of a configuration; null where no costs are computed. */
export function openPriceBook({ table, ...prices }: PricesConfig, matchesGlob: MatchesGlob): PriceBook | null {
  return table === null ? null : new PriceBook(prices, table, matchesGlob)
}

/** What is known of one model. */
type Known = { readonly periods: readonly Period[]; readonly maxOutputTokens: number | null }
type Multiples = Readonly<Record<string, number>>
/** A price of the configuration, and the glob of its targets. */
type OwnPrice = Known & { readonly target: string }

export class PriceBook {
  readonly #table: PriceTable
  readonly #own: readonly OwnPrice[]
  readonly #default: Rates | null
  readonly #serviceTiers: Readonly<Record<string, Multiples>>
  readonly #matchesGlob: MatchesGlob
  /** By provider, then by model. */
  readonly #known = new Map<string, Map<string, Known | null>>()
  #knownCount = 0
  /** Whether a target without a price is not to be used. */
  readonly isPriceRequired: boolean

  constructor(prices: Omit<PricesConfig, 'table'>, table: PriceTable, matchesGlob: MatchesGlob) {
    this.#table = table
    this.#own = Object.entries(prices.models).map(([target, price]) => {
      const { maxOutputTokens = null } = price
      return { target, periods: [always(ratesOf(price))], maxOutputTokens }
    })
    this.#default = prices.unknown === 'default' && prices.default !== null ? ratesOf(prices.default) : null
    this.#serviceTiers = prices.serviceTiers
    this.isPriceRequired = prices.unknown === 'reject'
    this.#matchesGlob = matchesGlob
  }

  /** The state of the list that costs are computed by. */
  get version(): string {
    return this.#table.version
  }

  /** The rates at that time, in Unix ms; null if no price is known. */
  find(target: Priced, atMs: number): Rates | null {
    const known = this.#knownOf(target)
    return (known === null ? null : ratesAt(known.periods, atMs)) ?? this.#default
  }

  /** The most output tokens of one answer; null if that is not known. */
  maxOutputOf(target: Priced): number | null {
    return this.#knownOf(target)?.maxOutputTokens ?? null
  }

  #knownOf(target: Priced): Known | null {
    const known = this.#known.get(target.provider)?.get(target.model)
    if (known !== undefined) return known
    const found = this.#search(target)
    if (this.#knownCount >= MAX_KNOWN) {
      this.#known.clear()
      this.#knownCount = 0
    }
    const ofProvider = this.#known.get(target.provider) ?? new Map<string, Known | null>()
    ofProvider.set(target.model, found)
    this.#known.set(target.provider, ofProvider)
    this.#knownCount += 1
    return found
  }

  #search({ provider, model, list }: Priced): Known | null {
    const name = `${provider}/${model}`
    const own = this.#own.find((price) => this.#matchesGlob(price.target, name))
    const listed = list === null ? null : this.#searchList(list, model)
    const priced = own ?? listed
    if (priced === null) return null
    const globs = Object.keys(this.#serviceTiers)
    const glob = globs.find((each) => this.#matchesGlob(each, name))
    const multiples = (glob === undefined ? null : this.#serviceTiers[glob]) ?? listed?.serviceTiers ?? {}
    const periods = priced.periods.map((each) => ({ ...each, rates: withServiceTiers(each.rates, multiples) }))
    return { periods, maxOutputTokens: own?.maxOutputTokens ?? listed?.maxOutputTokens ?? null }
  }

  #searchList(list: string, model: string): PriceRow | null {
    const { lists } = this.#table
    const found = Object.hasOwn(lists, list) ? lists[list] : undefined
    if (found === undefined) return null
    const row = findRow(found.rows, model)
    if (row !== null) return row
    for (const fallback of found.fallbacks) {
      const rows = Object.hasOwn(lists, fallback) ? lists[fallback]?.rows : undefined
      const other = rows === undefined ? null : findRow(rows, model)
      if (other !== null) return other
    }
    return null
  }
}

/** The first row that matches the name, or the name with its date in the other form that vendors use. */
export function findRow(rows: readonly PriceRow[], model: string): PriceRow | null {
  const dashed = model.replace(DATE, '-$1-$2-$3')
  return rows.find(({ match }) => matches(match, model)) ?? rows.find(({ match }) => matches(match, dashed)) ?? null
}

/** `-20250807` at the end of a name, or before `-` or `:`. */
const DATE = /-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)/g

function always(rates: Rates): Period {
  return { fromMs: null, hours: null, rates }
}

/** The last period that is valid at that time: lists add new prices behind old ones. Null if none is yet. */
export function ratesAt(periods: readonly Period[], atMs: number): Rates | null {
  for (let index = periods.length - 1; index >= 0; index -= 1) {
    const period = periods[index]
    if (period !== undefined && isValid(period, atMs)) return period.rates
  }
  return null
}

function isValid({ fromMs, hours }: Period, atMs: number): boolean {
  if (fromMs !== null && atMs < fromMs) return false
  if (hours === null) return true
  const timeOfDay = atMs % DAY_MS
  const { startMs, endMs } = hours
  return startMs <= endMs ? timeOfDay >= startMs && timeOfDay < endMs : timeOfDay >= startMs || timeOfDay < endMs
}

/** Longer names are of no model. */
const MAX_NAME_CHARS = 256

/** Names are compared in lower case, as the list's own library does; `read-prices.ts` has tried all expressions. */
function matches(match: Match, model: string): boolean {
  return model.length <= MAX_NAME_CHARS && isMatch(match, model.toLowerCase())
}

function isMatch(match: Match, name: string): boolean {
  if ('equals' in match) return name === match.equals.toLowerCase()
  if ('starts_with' in match) return name.startsWith(match.starts_with.toLowerCase())
  if ('ends_with' in match) return name.endsWith(match.ends_with.toLowerCase())
  if ('contains' in match) return name.includes(match.contains.toLowerCase())
  if ('regex' in match) return new RegExp(match.regex).test(name)
  if ('or' in match) return match.or.some((each) => isMatch(each, name))
  return match.and.every((each) => isMatch(each, name))
}
