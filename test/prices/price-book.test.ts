// Look-ups, and the list that comes with Sluice: each of its prices is the one that the list's own library computes.

import { readFileSync } from 'node:fs'
import { calcPrice } from '@pydantic/genai-prices'
import { test } from 'tap'
import { type JsonObject } from '../../src/model/json.js'
import { NO_PARTS, NO_USAGE, type UsageParts } from '../../src/model/usage.js'
import { costOf } from '../../src/prices/cost.js'
import { openPriceBook, PriceBook, ratesAt } from '../../src/prices/price-book.js'
import { ratesOf, readPrices } from '../../src/prices/read-prices.js'
import { type Period, type PricesConfig } from '../../src/prices/types.js'
import { matchesGlob } from '../../src/routing/glob.js'

const NOON_MS = Date.UTC(2026, 10, 29, 12)
const DAY_MS = 86_400_000
const LIST = [
  {
    id: 'vendor',
    fallback_model_providers: ['missing', 'other'],
    models: [
      { id: 'a', match: { starts_with: 'a' }, prices: { input_mtok: 1, output_mtok: 1 } },
      { id: 'dated', match: { equals: 'd-2025-08-07' }, prices: { input_mtok: 7, output_mtok: 7 } },
    ],
  },
  { id: 'other', models: [{ id: 'b', match: { equals: 'b' }, prices: { input_mtok: 2, output_mtok: 2 } }] },
]
const TABLE = readPrices(LIST, 'test')
const BASE: PricesConfig = {
  ...{ enabled: true, file: null, models: {}, serviceTiers: {}, unknown: 'allow', default: null },
  ...{ url: null, refreshMs: 1, cache: '/nowhere' },
  table: TABLE,
}

function find(prices: Partial<PricesConfig>, model: string, list: string | null = 'vendor'): number | undefined {
  const book = openPriceBook({ ...BASE, ...prices }, matchesGlob)
  return book?.find({ provider: 'p', model, list }, NOON_MS)?.input.base
}

test('a target is looked up in the list of its vendor, then in those that it refers to', (t) => {
  t.equal(find({}, 'abc'), 1_000_000)
  t.equal(find({}, 'b'), 2_000_000)
  t.equal(find({}, 'zzz'), undefined)
  t.equal(find({}, 'abc', null), undefined)
  t.equal(find({}, 'abc', 'toString'), undefined)
  t.equal(find({}, 'd-20250807'), 7_000_000, 'the date in its other form')
  t.end()
})

test('a price of the configuration precedes the list, the first that matches counts', (t) => {
  const models = { 'p/ab*': { input: 5, output: 0 }, 'p/*': { input: 6, output: 0 } }
  t.equal(find({ models }, 'abc'), 5_000_000)
  t.equal(find({ models }, 'b'), 6_000_000)
  t.equal(find({ models }, 'local', null), 6_000_000)
  t.end()
})

test('the most output of a model is that of its own price, else of its row in the list', (t) => {
  const model = { id: 'm', match: { equals: 'm' }, prices: { input_mtok: 1 }, max_output: 4096 }
  const table = readPrices([{ id: 'vendor', models: [model] }], 'test')
  const mostOf = (models: PricesConfig['models'], name = 'm') =>
    openPriceBook({ ...BASE, table, models }, matchesGlob)?.maxOutputOf({ provider: 'p', model: name, list: 'vendor' })
  t.equal(mostOf({}), 4096)
  t.equal(mostOf({}, 'other'), null)
  t.equal(mostOf({ 'p/m': { input: 1, output: 1 } }), 4096)
  t.equal(mostOf({ 'p/*': { input: 1, output: 1, maxOutputTokens: 100 } }), 100)
  t.end()
})

test('what is unknown has the default price, or none and is not to be used', (t) => {
  const fallback = { unknown: 'default', default: { input: 9, output: 9 } } as const
  t.equal(find(fallback, 'zzz'), 9_000_000)
  t.equal(find(fallback, 'abc'), 1_000_000)
  t.equal(find({ default: { input: 9, output: 9 } }, 'zzz'), undefined)
  const strict = openPriceBook({ ...BASE, unknown: 'reject' }, matchesGlob)
  t.equal(strict?.isPriceRequired, true)
  t.equal(openPriceBook(BASE, matchesGlob)?.isPriceRequired, false)
  t.equal(openPriceBook({ ...BASE, table: null }, matchesGlob), null)
  t.equal(strict?.version, 'test')
  t.end()
})

test('names that clients invent do not fill the memory, and known ones are still found', (t) => {
  let searches = 0
  const counted = (glob: string, name: string): boolean => {
    searches += 1
    return matchesGlob(glob, name)
  }
  const book = new PriceBook({ ...BASE, models: { 'none/*': { input: 1, output: 1 } } }, TABLE, counted)
  book.find({ provider: 'p', model: 'a', list: 'vendor' }, NOON_MS)
  book.find({ provider: 'p', model: 'a', list: 'vendor' }, NOON_MS)
  t.equal(searches, 1)
  for (let n = 0; n < 5000; n++) book.find({ provider: 'p', model: `z${n}`, list: 'vendor' }, NOON_MS)
  t.equal(book.find({ provider: 'p', model: 'a', list: 'vendor' }, NOON_MS)?.input.base, 1_000_000)
  t.equal(searches, 5002, 'once more after all were forgotten')
  t.end()
})

test('the last period that is valid counts', (t) => {
  const rates = (input: number) => ratesOf({ input, output: 0 })
  const periods: Period[] = [
    { fromMs: null, hours: null, rates: rates(1) },
    { fromMs: NOON_MS, hours: null, rates: rates(2) },
    { fromMs: null, hours: { startMs: 0, endMs: 3_600_000 }, rates: rates(3) },
    { fromMs: null, hours: { startMs: 23 * 3_600_000, endMs: 1000 }, rates: rates(4) },
  ]
  const at = (atMs: number) => (ratesAt(periods, atMs)?.input.base ?? 0) / 1_000_000
  const midnight = NOON_MS - (NOON_MS % DAY_MS)
  t.equal(at(NOON_MS - 1), 1)
  t.equal(at(NOON_MS), 2)
  t.same(
    [999, 1000, 3_599_999, 3_600_000].map((ms) => at(midnight + ms)),
    [4, 3, 3, 1],
  )
  t.equal(at(midnight - 1), 4)
  t.equal(ratesAt(periods.slice(1, 2), NOON_MS - 1), null)
  t.end()
})

test('each model of the list that comes with Sluice costs what the list’s own library says', (t) => {
  const list = JSON.parse(readFileSync('resources/prices.json', 'utf8')) as {
    providers: { id: string; models: { id: string; match: JsonObject }[] }[]
  }
  const table = readPrices(list, 'own')
  const book = openPriceBook({ ...BASE, table }, matchesGlob)
  const counted = {
    ...{ inputTokens: 300_000, outputTokens: 5000, cachedInputTokens: 20_000, cacheWriteTokens: 1000 },
    ...{ reasoningTokens: 300, parts: NO_PARTS },
  }
  const usage = {
    ...{ input_tokens: 300_000, output_tokens: 5000, cache_read_tokens: 20_000, cache_write_tokens: 1000 },
    output_reasoning_tokens: 300,
  }
  const ways: readonly (readonly [name: string, parts: Partial<UsageParts>, theirs: Record<string, number>])[] = [
    ['text', {}, {}],
    ['an hour', { longCacheWriteTokens: 400 }, { cache_write_1h_tokens: 400 }],
    [
      'audio',
      { audioInputTokens: 9000, cachedAudioTokens: 2000, audioOutputTokens: 700 },
      { input_audio_tokens: 9000, cache_audio_read_tokens: 2000, output_audio_tokens: 700 },
    ],
    [
      'images',
      { imageInputTokens: 8000, cachedImageTokens: 1500, imageOutputTokens: 600 },
      { input_image_tokens: 8000, cache_image_read_tokens: 1500, output_image_tokens: 600 },
    ],
    [
      'video',
      { videoInputTokens: 8000, videoOutputTokens: 600 },
      { input_video_tokens: 8000, output_video_tokens: 600 },
    ],
  ]
  const compared = new Map<string, number>()
  for (const { id, models } of list.providers) {
    for (const { id: model } of models) {
      const rates = book?.find({ provider: id, model, list: id }, NOON_MS) ?? null
      for (const [name, parts, more] of ways) {
        const theirs = calcPrice({ ...usage, ...more }, model, { providerId: id, timestamp: new Date(NOON_MS) })
        if (rates === null || theirs === null || rates.parts?.audioSecond != null) continue
        compared.set(name, (compared.get(name) ?? 0) + 1)
        const nano = theirs.total_price * 1_000_000_000
        const ours = costOf(rates, { ...counted, parts: { ...NO_PARTS, ...parts } })
        if (Math.abs(ours - nano) > 1.01) t.fail(`${name}: ${id}/${model}: ${ours}, not ${nano}`)
      }
    }
  }
  for (const [name] of ways) t.ok((compared.get(name) ?? 0) > 1000, `${name}: ${compared.get(name)} compared`)
  t.end()
})

test('the simulator has example prices, so that costs are seen without a provider', (t) => {
  const list = JSON.parse(readFileSync('resources/prices.json', 'utf8')) as JsonObject
  const book = openPriceBook({ ...BASE, table: readPrices(list, 'own') }, matchesGlob)
  for (const model of ['echo', 'lorem-500', 'tools']) {
    t.match(book?.find({ provider: 'sim', model, list: 'sim' }, NOON_MS), { input: { base: 1_000_000 } })
  }
  t.end()
})

test('hours of audio cost what the list’s own library says', (t) => {
  const list = JSON.parse(readFileSync('resources/prices.json', 'utf8')) as JsonObject
  const book = openPriceBook({ ...BASE, table: readPrices(list, 'own') }, matchesGlob)
  for (const [id, model] of [
    ['openai', 'whisper-1'],
    ['openai', 'gpt-transcribe'],
    ['groq', 'whisper-large-v3'],
    ['mistral', 'voxtral-mini-2602'],
  ] as const) {
    const rates = book?.find({ provider: id, model, list: id }, NOON_MS) ?? null
    const seconds = { audio_seconds: 100, input_audio_seconds: 100 }
    const theirs = calcPrice(seconds, model, { providerId: id, timestamp: new Date(NOON_MS) })
    const ours = rates === null ? 0 : costOf(rates, { ...NO_USAGE, parts: { ...NO_PARTS, audioSeconds: 100 } })
    t.ok(Math.abs(ours - (theirs?.total_price ?? 0) * 1e9) < 1.01, `${model}: ${ours}, ${theirs?.total_price}`)
  }
  t.end()
})

test('multiples for classes of service are those of the configuration, else of the list', (t) => {
  const model = { id: 'm', match: { equals: 'm' }, prices: { input_mtok: 1 }, service_tiers: { flex: 0.5, odd: 'x' } }
  const table = readPrices([{ id: 'vendor', models: [model] }], 'test')
  const tiersOf = (prices: Partial<PricesConfig>) => {
    const found = openPriceBook({ ...BASE, table, ...prices }, matchesGlob)
    const rates = found?.find({ provider: 'p', model: 'm', list: 'vendor' }, NOON_MS)
    return Object.entries(rates?.serviceTiers ?? {}).map(([name, { input }]) => [name, input.base])
  }
  t.same(tiersOf({}), [['flex', 500_000]])
  t.same(tiersOf({ models: { 'p/m': { input: 4, output: 1 } } }), [['flex', 2_000_000]], 'of a price of one’s own, too')
  t.same(tiersOf({ serviceTiers: { 'q/*': { flex: 3 }, 'p/*': { priority: 2 } } }), [['priority', 2_000_000]])
  t.end()
})

/** Whether a row with that rule is found by these names. */
function found(match: JsonObject, ...names: readonly string[]): boolean[] {
  const table = readPrices([{ id: 'v', models: [{ id: 'x', match, prices: { input_mtok: 1 } }] }], 'test')
  const book = openPriceBook({ ...BASE, table }, matchesGlob)
  return names.map((model) => book?.find({ provider: 'p', model, list: 'v' }, NOON_MS) !== null)
}

test('a rule compares names without regard to case, as the list’s library does', (t) => {
  t.same(found({ equals: 'GPT-5' }, 'gpt-5', 'gpt-5-mini'), [true, false])
  t.same(found({ starts_with: 'claude-' }, 'Claude-sonnet-5', 'my-claude-'), [true, false])
  t.same(found({ ends_with: '-mini' }, 'gpt-5-mini', 'gpt-5-mini-2'), [true, false])
  t.same(found({ contains: 'flash' }, 'gemini-3-flash-preview', 'gemini-3-pro'), [true, false])
  t.same(found({ regex: '^gpt-6-\\d{4}$' }, 'GPT-6-2026', 'gpt-6-26'), [true, false])
  t.same(found({ or: [{ equals: 'a' }, { equals: 'b' }] }, 'a', 'b', 'c'), [true, true, false])
  t.same(found({ and: [{ starts_with: 'a' }, { ends_with: 'z' }] }, 'az', 'a', 'z'), [true, false, false])
  t.same(found({ starts_with: 'a' }, 'a'.repeat(257)), [false], 'no model has such a name')
  t.end()
})
