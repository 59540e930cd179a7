// Reads a price list in the form of genai-prices (https://github.com/pydantic/genai-prices, MIT), which `resources/prices.json` has
// and which its project publishes: a list of providers, each with its models, each with dollars for a million tokens.
//
//   { "id": "claude-sonnet-4-5", "match": { "starts_with": "claude-sonnet-4-5" },
//     "prices": { "input_mtok": { "base": 3, "tiers": [{ "start": 200000, "price": 6 }] }, "output_mtok": 15, ... } }
//
// Sluice's own list has `max_output` for each model besides, the most output tokens of one answer.
//
// Units that are not tokens or requests (hours of audio, pages, searches) are not read: such costs are unknown to the gateway.
import { isJsonObject, type JsonObject, type JsonValue } from '../model/json.js'
import {
  type Match,
  type Period,
  type Price,
  type PriceList,
  type PriceRow,
  type PriceTable,
  type Rate,
  type Rates,
} from './types.js'

/** Pico-dollars a token for one dollar for a million tokens. */
const PICO_PER_MTOK_DOLLAR = 1_000_000
/** Pico-dollars a request for one dollar for a thousand requests. */
const PICO_PER_KCOUNT_DOLLAR = 1_000_000_000
/** $100,000 for a million tokens: a hundred times the dearest on offer. */
const MAX_DOLLARS = 100_000
const MAX_TEXT_CHARS = 256
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
const SECOND_MS = 1000
const TIME_OF_DAY = /^([01]\d|2[0-3]):([0-5]\d):([0-5]\d)Z$/
const DATE = /^\d{4}-\d{2}-\d{2}$/
/** A repeated group: the only way in which these expressions become slow. */
const REPEATED_GROUP = /\)[*+{]/

/**
 * The table of a parsed list. Rows that cannot be read are left out.
 * @throws TypeError when it is no such list at all, or holds no price
 */
export function readPrices(list: JsonValue, version: string): PriceTable {
  const providers = isJsonObject(list) ? list.providers : list
  if (!Array.isArray(providers)) throw new TypeError('The price list must be an array of providers.')
  const lists: Record<string, PriceList> = {}
  for (const provider of providers) {
    if (!isJsonObject(provider) || !isText(provider.id) || !Array.isArray(provider.models)) continue
    const { fallback_model_providers: fallbacks } = provider
    lists[provider.id] = {
      rows: provider.models.flatMap((model) => readRow(model) ?? []),
      fallbacks: Array.isArray(fallbacks) ? fallbacks.filter(isText) : [],
    }
  }
  if (countRows(lists) === 0) throw new TypeError('The price list has no price that can be read.')
  return { version, lists }
}

/** The number of models that have a price. */
export function countRows(lists: PriceTable['lists']): number {
  return Object.values(lists).reduce((sum, { rows }) => sum + rows.length, 0)
}

function readRow(model: JsonValue): PriceRow | null {
  if (!isJsonObject(model) || !isText(model.id)) return null
  const match = readMatch(model.match)
  const { prices } = model
  const periods = (Array.isArray(prices) ? prices : [{ prices: prices ?? null }]).flatMap(
    (each) => readPeriod(each) ?? [],
  )
  const maxOutputTokens = readNumber(model.max_output, Number.MAX_SAFE_INTEGER)
  return match === null || periods.length === 0 ? null : { model: model.id, match, periods, maxOutputTokens }
}

function readMatch(value: JsonValue | undefined): Match | null {
  if (!isJsonObject(value)) return null
  if (Array.isArray(value.or)) {
    const or = readMatches(value.or)
    return or === null ? null : { or }
  }
  if (Array.isArray(value.and)) {
    const and = readMatches(value.and)
    return and === null ? null : { and }
  }
  for (const name of ['equals', 'starts_with', 'ends_with', 'contains', 'regex'] as const) {
    const text = value[name]
    if (!isText(text)) continue
    return name === 'regex' && !isExpression(text) ? null : ({ [name]: text } as Match)
  }
  return null
}

/** Null if one of them cannot be read: the others alone would mean something else. */
function readMatches(list: readonly JsonValue[]): Match[] | null {
  const read = list.flatMap((each) => readMatch(each) ?? [])
  return read.length < list.length ? null : read
}

function isExpression(text: string): boolean {
  try {
    new RegExp(text)
    return !REPEATED_GROUP.test(text)
  } catch {
    return false
  }
}

function readPeriod(value: JsonValue): Period | null {
  if (!isJsonObject(value) || !isJsonObject(value.prices)) return null
  const rates = readRates(value.prices)
  const { constraint } = value
  if (rates === null) return null
  if (!isJsonObject(constraint)) return { fromMs: null, hours: null, rates }
  const { start_date: date, start_time: start, end_time: end } = constraint
  if (isText(date)) return DATE.test(date) ? { fromMs: Date.parse(date), hours: null, rates } : null
  const startMs = timeOfDayMs(start)
  const endMs = timeOfDayMs(end)
  return startMs === null || endMs === null ? null : { fromMs: null, hours: { startMs, endMs }, rates }
}

function timeOfDayMs(value: JsonValue | undefined): number | null {
  const found = isText(value) ? TIME_OF_DAY.exec(value) : null
  if (found === null) return null
  const [, hours, minutes, seconds] = found
  return Number(hours) * HOUR_MS + Number(minutes) * MINUTE_MS + Number(seconds) * SECOND_MS
}

/** The rates of a row. Null where neither input nor requests have a price. */
export function readRates(prices: JsonObject): Rates | null {
  const input = readRate(prices.input_mtok)
  const request = readNumber(prices.requests_kcount)
  if (input === null && request === null) return null
  return {
    input: input ?? FREE,
    // Embeddings have no output.
    output: readRate(prices.output_mtok) ?? FREE,
    cacheRead: readRate(prices.cache_read_mtok),
    cacheWrite: readRate(prices.cache_write_mtok),
    reasoning: readRate(prices.output_reasoning_mtok),
    request: request === null ? 0 : Math.round(request * PICO_PER_KCOUNT_DOLLAR),
  }
}

/** The rates of a price of the configuration. */
export function ratesOf(price: Price): Rates {
  const { input, output, cacheRead, cacheWrite, reasoning, request = 0 } = price
  const optional = (dollars: number | undefined): Rate | null => (dollars === undefined ? null : flatRate(dollars))
  return {
    input: flatRate(input),
    output: flatRate(output),
    cacheRead: optional(cacheRead),
    cacheWrite: optional(cacheWrite),
    reasoning: optional(reasoning),
    request: Math.round(request * PICO_PER_KCOUNT_DOLLAR),
  }
}

function flatRate(dollars: number): Rate {
  return { base: toPico(dollars), tiers: [] }
}

const FREE: Rate = Object.freeze({ base: 0, tiers: Object.freeze([]) })

function readRate(value: JsonValue | undefined): Rate | null {
  const flat = readNumber(value)
  if (flat !== null) return flatRate(flat)
  if (!isJsonObject(value) || !Array.isArray(value.tiers)) return null
  const base = readNumber(value.base)
  const tiers = value.tiers.flatMap((tier) => {
    const above = isJsonObject(tier) ? readNumber(tier.start, Number.MAX_SAFE_INTEGER) : null
    const price = isJsonObject(tier) ? readNumber(tier.price) : null
    return above === null || price === null ? [] : [{ above, rate: toPico(price) }]
  })
  // A tier that cannot be read would make the dear requests cheap.
  if (base === null || tiers.length < value.tiers.length) return null
  return { base: toPico(base), tiers: tiers.sort((first, second) => first.above - second.above) }
}

/** Rounded up: a price that is not zero does not become zero. */
function toPico(dollars: number): number {
  // The product of two doubles may be a little above the whole number that is meant.
  return Math.ceil(Number((dollars * PICO_PER_MTOK_DOLLAR).toPrecision(SURE_DIGITS)))
}
const SURE_DIGITS = 12

function readNumber(value: JsonValue | undefined, max = MAX_DOLLARS): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 && value <= max ? value : null
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TEXT_CHARS
}
