// Reads a price list in the form of genai-prices (https://github.com/pydantic/genai-prices, MIT), which `resources/prices.json` has
// and which its project publishes: a list of providers, each with its models, each with dollars for a million tokens.
//
//   { "id": "claude-sonnet-4-5", "match": { "starts_with": "claude-sonnet-4-5" },
//     "prices": { "input_mtok": { "base": 3, "tiers": [{ "start": 200000, "price": 6 }] }, "output_mtok": 15, ... } }
//
// Sluice's own list has two members besides: `max_output`, the most output tokens of one answer, and `service_tiers`, the multiples of the
// price for other classes of service. A price with tiers may be `marginal`.
//
// Units that are neither tokens, requests nor hours of audio (pages, searches) are not read: such costs are unknown to the gateway.
import { isJsonObject, type JsonObject, type JsonValue } from '../model/json.js'
import {
  type Match,
  type PartRates,
  type Period,
  type Price,
  type PriceList,
  type PriceRow,
  type PriceTable,
  type Rate,
  type Rates,
  type TokenPrice,
} from './types.js'

/** Pico-dollars a token for one dollar for a million tokens. */
const PICO_PER_MTOK_DOLLAR = 1_000_000
/** Pico-dollars a request for one dollar for a thousand requests. */
const PICO_PER_KCOUNT_DOLLAR = 1_000_000_000
const PICO_PER_DOLLAR = 1e12
const SEC_PER_HOUR = 3600
const SEC_PER_MINUTE = 60
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
  if (match === null || periods.length === 0) return null
  const maxOutputTokens = readNumber(model.max_output, Number.MAX_SAFE_INTEGER)
  return { model: model.id, match, periods, maxOutputTokens, serviceTiers: readMultiples(model.service_tiers) }
}

function readMultiples(value: JsonValue | undefined): Readonly<Record<string, number>> {
  if (!isJsonObject(value)) return {}
  const read = Object.entries(value).flatMap(([tier, multiple]): [string, number][] => {
    const number = readNumber(multiple, MAX_MULTIPLE)
    return number === null ? [] : [[tier, number]]
  })
  return Object.fromEntries(read)
}

/** Several times that of the dearest class of service on offer. */
const MAX_MULTIPLE = 100

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
  const parts = readParts(prices)
  if (input === null && request === null && parts?.audioSecond == null) return null
  return {
    input: input ?? FREE,
    // Embeddings have no output.
    output: readRate(prices.output_mtok) ?? FREE,
    cacheRead: readRate(prices.cache_read_mtok),
    cacheWrite: readRate(prices.cache_write_mtok),
    reasoning: readRate(prices.output_reasoning_mtok),
    request: request === null ? 0 : Math.round(request * PICO_PER_KCOUNT_DOLLAR),
    parts,
    serviceTiers: null,
  }
}

function readParts(prices: JsonObject): PartRates | null {
  const hours = readNumber(prices.input_audio_hours)
  return partsOrNull({
    longCacheWrite: readRate(prices.cache_write_1h_mtok),
    audioInput: readRate(prices.input_audio_mtok),
    imageInput: readRate(prices.input_image_mtok),
    videoInput: readRate(prices.input_video_mtok),
    cachedAudio: readRate(prices.cache_audio_read_mtok),
    cachedImage: readRate(prices.cache_image_read_mtok),
    audioOutput: readRate(prices.output_audio_mtok),
    imageOutput: readRate(prices.output_image_mtok),
    videoOutput: readRate(prices.output_video_mtok),
    image: null,
    audioSecond: hours === null ? null : toUnit((hours * PICO_PER_DOLLAR) / SEC_PER_HOUR),
  })
}

function partsOrNull(parts: PartRates): PartRates | null {
  return Object.values(parts).every((rate) => rate === null) ? null : parts
}

/** The rates of a price of the configuration. */
export function ratesOf(price: Price): Rates {
  const { request = 0, image, audioMinute } = price
  const flat = (dollars: number | undefined): Rate | null => (dollars === undefined ? null : flatRate(dollars))
  const parts = {
    longCacheWrite: flat(price.longCacheWrite),
    audioInput: flat(price.audioInput),
    imageInput: flat(price.imageInput),
    videoInput: flat(price.videoInput),
    cachedAudio: flat(price.cachedAudio),
    cachedImage: flat(price.cachedImage),
    audioOutput: flat(price.audioOutput),
    imageOutput: flat(price.imageOutput),
    videoOutput: flat(price.videoOutput),
    image: image === undefined ? null : toUnit(image * PICO_PER_DOLLAR),
    audioSecond: audioMinute === undefined ? null : toUnit((audioMinute * PICO_PER_DOLLAR) / SEC_PER_MINUTE),
  }
  return {
    input: tieredRate(price, 'input') ?? FREE,
    output: tieredRate(price, 'output') ?? FREE,
    cacheRead: tieredRate(price, 'cacheRead'),
    cacheWrite: tieredRate(price, 'cacheWrite'),
    reasoning: tieredRate(price, 'reasoning'),
    request: Math.round(request * PICO_PER_KCOUNT_DOLLAR),
    parts: partsOrNull(parts),
    serviceTiers: null,
  }
}

/** A tier that does not name a price leaves it as it was below. Null where neither has one. */
function tieredRate(price: Price, name: keyof TokenPrice): Rate | null {
  const { tiers = [], marginalTiers: isMarginal = false } = price
  const base = price[name]
  if (base === undefined) return null
  const steps = tiers.flatMap(({ above, [name]: dollars }) =>
    dollars === undefined ? [] : [{ above, rate: toPico(dollars) }],
  )
  const sorted = steps.sort((first, second) => first.above - second.above)
  return { base: toPico(base), tiers: sorted, isMarginal: isMarginal && !OF_OUTPUT.has(name) && sorted.length > 0 }
}

/** Output costs what the tier of the whole input says. */
const OF_OUTPUT: ReadonlySet<keyof TokenPrice> = new Set(['output', 'reasoning'])

/**
 * The same with the multiples of each class of service, which are for all of it. The multiple of a rate is rounded up.
 * `multiples`: by name of the class
 */
export function withServiceTiers(rates: Rates, multiples: Readonly<Record<string, number>>): Rates {
  const names = Object.keys(multiples)
  if (names.length === 0) return rates
  const tiers = names.map((name) => [name.toLowerCase(), multiplied(rates, multiples[name] ?? 1)])
  return { ...rates, serviceTiers: Object.fromEntries(tiers) }
}

function multiplied({ parts, ...rates }: Rates, multiple: number): Rates {
  const times = (pico: number): number => toUnit(pico * multiple)
  const timesRate = (rate: Rate): Rate => ({
    ...rate,
    base: times(rate.base),
    tiers: rate.tiers.map(({ above, rate: pico }) => ({ above, rate: times(pico) })),
  })
  const maybe = (rate: Rate | null): Rate | null => (rate === null ? null : timesRate(rate))
  const unit = (pico: number | null): number | null => (pico === null ? null : times(pico))
  return {
    input: timesRate(rates.input),
    output: timesRate(rates.output),
    cacheRead: maybe(rates.cacheRead),
    cacheWrite: maybe(rates.cacheWrite),
    reasoning: maybe(rates.reasoning),
    request: times(rates.request),
    parts:
      parts === null
        ? null
        : {
            longCacheWrite: maybe(parts.longCacheWrite),
            audioInput: maybe(parts.audioInput),
            imageInput: maybe(parts.imageInput),
            videoInput: maybe(parts.videoInput),
            cachedAudio: maybe(parts.cachedAudio),
            cachedImage: maybe(parts.cachedImage),
            audioOutput: maybe(parts.audioOutput),
            imageOutput: maybe(parts.imageOutput),
            videoOutput: maybe(parts.videoOutput),
            image: unit(parts.image),
            audioSecond: unit(parts.audioSecond),
          },
    serviceTiers: null,
  }
}

function flatRate(dollars: number): Rate {
  return { base: toPico(dollars), tiers: [], isMarginal: false }
}

const FREE: Rate = Object.freeze({ base: 0, tiers: Object.freeze([]), isMarginal: false })

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
  const sorted = tiers.sort((first, second) => first.above - second.above)
  return { base: toPico(base), tiers: sorted, isMarginal: value.marginal === true && sorted.length > 0 }
}

function toPico(dollars: number): number {
  return toUnit(dollars * PICO_PER_MTOK_DOLLAR)
}

/** Rounded up: a price that is not zero does not become zero. */
function toUnit(pico: number): number {
  // The product of two doubles may be a little above the whole number that is meant.
  return Math.ceil(Number(pico.toPrecision(SURE_DIGITS)))
}
const SURE_DIGITS = 12

function readNumber(value: JsonValue | undefined, max = MAX_DOLLARS): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 && value <= max ? value : null
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TEXT_CHARS
}
