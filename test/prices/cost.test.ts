import { test } from 'tap'
import { NO_PARTS, NO_USAGE, type Usage, type UsageParts } from '../../src/model/usage.js'
import { addCosts, costOf, isPriced, MAX_NANO_DOLLARS, rateAt, ratesAtTier, toDollars } from '../../src/prices/cost.js'
import { ratesOf, withServiceTiers } from '../../src/prices/read-prices.js'
import { type PartRates, type Rate, type Rates } from '../../src/prices/types.js'
import { Random } from '../helpers/random.js'

function usage(counts: Partial<Usage>): Usage {
  return { ...NO_USAGE, ...counts }
}

const RATES = ratesOf({ input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75 })

test('input, cached, written and output tokens are charged each at its own rate, and none twice', (t) => {
  const counts = { inputTokens: 1000, cachedInputTokens: 200, cacheWriteTokens: 100, outputTokens: 10 }
  // 700 x 3 + 200 x 0.3 + 100 x 3.75 + 10 x 15 = 2685 millionths of a dollar.
  t.equal(costOf(RATES, usage(counts)), 2_685_000)
  t.end()
})

test('a part without a price of its own costs what its whole costs', (t) => {
  const plain = ratesOf({ input: 3, output: 15 })
  const counts = { inputTokens: 10, cachedInputTokens: 4, cacheWriteTokens: 3, outputTokens: 10, reasoningTokens: 5 }
  t.equal(costOf(plain, usage(counts)), costOf(plain, usage({ inputTokens: 10, outputTokens: 10 })))
  const thinking = ratesOf({ input: 3, output: 15, reasoning: 30 })
  t.equal(costOf(thinking, usage({ outputTokens: 10, reasoningTokens: 5 })), 5 * 15_000 + 5 * 30_000)
  t.end()
})

test('a count of a part above its whole is neither charged twice nor paid back', (t) => {
  const counts = { inputTokens: 10, cachedInputTokens: 50, cacheWriteTokens: 50, outputTokens: 2, reasoningTokens: 9 }
  t.equal(costOf(RATES, usage(counts)), 10 * 300 + 2 * 15_000)
  t.end()
})

test('a cost is rounded up once, so that no attempt is free that is not', (t) => {
  const cheap = ratesOf({ input: 0.0004, output: 0 })
  t.equal(costOf(cheap, usage({ inputTokens: 1 })), 1)
  t.equal(costOf(cheap, usage({ inputTokens: 3 })), 2)
  t.equal(costOf(cheap, usage({})), 0)
  t.end()
})

test('each request costs what requests cost, tokens or not', (t) => {
  t.equal(costOf(ratesOf({ input: 0, output: 0, request: 5 }), usage({})), 5_000_000)
  t.end()
})

test('a tier is for the whole request, and only above its bound', (t) => {
  const rate = {
    base: 3,
    tiers: [
      { above: 100, rate: 6 },
      { above: 200, rate: 9 },
    ],
    isMarginal: false,
  }
  t.same(
    [100, 101, 200, 201].map((tokens) => rateAt(rate, tokens)),
    [3, 6, 6, 9],
  )
  const tiered: Rates = { ...ratesOf({ input: 1, output: 1 }), input: rate }
  t.equal(costOf(tiered, usage({ inputTokens: 101 })), 1)
  t.end()
})

test('costs beyond what a double counts exactly are exact, and never above the largest', (t) => {
  const dear = ratesOf({ input: 100_000, output: 100_000 })
  const nano = costOf(dear, usage({ inputTokens: 9_999_999, outputTokens: 9_999_999 }))
  t.equal(BigInt(nano), (2n * 9_999_999n * 100_000_000_000n) / 1000n)
  const absurd: Rates = {
    ...dear,
    request: Number.MAX_SAFE_INTEGER,
    input: { base: Number.MAX_SAFE_INTEGER, tiers: [], isMarginal: false },
  }
  t.equal(costOf(absurd, usage({ inputTokens: 9_999_999 })), MAX_NANO_DOLLARS)
  t.equal(addCosts(MAX_NANO_DOLLARS, 1), MAX_NANO_DOLLARS)
  t.equal(addCosts(1, 2), 3)
  t.end()
})

test('dollars are written exactly', (t) => {
  const written = [0, 1, 1000, 2_685_000, 1_000_000_000, 12_340_000_000, MAX_NANO_DOLLARS].map(toDollars)
  t.same(written, ['0', '0.000000001', '0.000001', '0.002685', '1', '12.34', '9007199.254740991'])
  t.end()
})

test('the sum over drawn parts is the whole: splitting a request never makes it dearer than its rounding', (t) => {
  let seed = 7
  const draw = (max: number): number => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % max
  }
  for (let round = 0; round < 500; round++) {
    const inputTokens = draw(100_000)
    const outputTokens = draw(10_000)
    const whole = costOf(RATES, usage({ inputTokens, outputTokens }))
    const parts = costOf(RATES, usage({ inputTokens })) + costOf(RATES, usage({ outputTokens }))
    if (parts < whole || parts > whole + 1) t.fail(`${inputTokens} and ${outputTokens}: ${parts} for ${whole}`)
  }
  t.pass()
  t.end()
})

function parts(counts: Partial<UsageParts>): UsageParts {
  return { ...NO_PARTS, ...counts }
}

const BASE = { input: 1, output: 2 }
const MILLIONTH = 1000

test('each part has its own price, each token is charged once', (t) => {
  const price = {
    ...{ ...BASE, cacheRead: 0.1, cacheWrite: 1.25, longCacheWrite: 2, reasoning: 3, audioInput: 10, imageInput: 5 },
    ...{ videoInput: 7, cachedAudio: 0.5, cachedImage: 0.4, audioOutput: 20, imageOutput: 30, videoOutput: 40 },
  }
  const counts = {
    ...{ inputTokens: 1000, cachedInputTokens: 100, cacheWriteTokens: 50, outputTokens: 500, reasoningTokens: 10 },
    parts: parts({
      ...{ longCacheWriteTokens: 20, audioInputTokens: 70, imageInputTokens: 60, videoInputTokens: 5 },
      ...{ cachedAudioTokens: 30, cachedImageTokens: 10 },
      ...{ audioOutputTokens: 40, imageOutputTokens: 30, videoOutputTokens: 20 },
    }),
  }
  const cached = 30 * 0.5 + 10 * 0.4 + 60 * 0.1
  const written = 30 * 1.25 + 20 * 2
  const input = 40 * 10 + 50 * 5 + 5 * 7 + (1000 - 150 - 95)
  const output = 10 * 3 + 40 * 20 + 30 * 30 + 20 * 40 + 400 * 2
  t.equal(costOf(ratesOf(price), usage(counts)), Math.round((cached + written + input + output) * MILLIONTH))
  t.end()
})

test('a part without a price costs what the whole costs that it is a part of, and never nothing', (t) => {
  const all = parts({
    ...{ longCacheWriteTokens: 5, audioInputTokens: 5, imageInputTokens: 5, videoInputTokens: 5 },
    ...{ cachedAudioTokens: 2, cachedImageTokens: 2, audioOutputTokens: 3, imageOutputTokens: 3, videoOutputTokens: 3 },
  })
  const counts = { inputTokens: 100, cachedInputTokens: 10, cacheWriteTokens: 10, outputTokens: 20, reasoningTokens: 2 }
  for (const price of [BASE, { ...BASE, cacheRead: 0.1, cacheWrite: 1.25, reasoning: 4 }]) {
    t.equal(costOf(ratesOf(price), usage({ ...counts, parts: all })), costOf(ratesOf(price), usage(counts)))
  }
  const audio = ratesOf({ ...BASE, audioInput: 10 })
  const cached = usage({
    inputTokens: 5,
    cachedInputTokens: 5,
    parts: parts({ audioInputTokens: 5, cachedAudioTokens: 5 }),
  })
  t.equal(costOf(audio, cached), 50 * MILLIONTH, 'audio from the cache costs what audio costs')
  t.end()
})

test('parts above their whole are neither charged twice nor paid back', (t) => {
  const most = parts({
    ...{ longCacheWriteTokens: 99, audioInputTokens: 99, imageInputTokens: 99, cachedAudioTokens: 99 },
    audioOutputTokens: 99,
  })
  const rates = ratesOf({ ...BASE, audioInput: 1, imageInput: 1, longCacheWrite: 1, audioOutput: 2 })
  const counts = { inputTokens: 10, cachedInputTokens: 4, cacheWriteTokens: 3, outputTokens: 5, parts: most }
  t.equal(costOf(rates, usage(counts)), 20 * MILLIONTH)
  t.end()
})

test('images and seconds have prices of their own; without one they are not priced, and not free', (t) => {
  const made = usage({ parts: parts({ images: 3 }) })
  const heard = usage({ parts: parts({ audioSeconds: 90 }) })
  const rates = ratesOf({ ...BASE, image: 0.04, audioMinute: 0.006 })
  t.equal(costOf(rates, made), 120_000_000)
  t.equal(costOf(rates, heard), 9_000_000)
  t.same([isPriced(rates, made), isPriced(rates, heard)], [true, true])
  const plain = ratesOf(BASE)
  t.same([isPriced(plain, made), isPriced(plain, heard)], [false, false])
  t.equal(isPriced(plain, usage({ inputTokens: 1, parts: parts({ images: 3 }) })), true, 'tokens have a price')
  t.end()
})

test('another class of service costs a multiple; one that has none costs what the usual one costs', (t) => {
  const rates = withServiceTiers(ratesOf({ ...BASE, audioInput: 4, image: 1 }), { flex: 0.5, Priority: 1.75 })
  const of = (serviceTier: string | null) =>
    costOf(rates, usage({ inputTokens: 10, outputTokens: 10, parts: parts({ audioInputTokens: 5, serviceTier }) }))
  const usual = (5 + 5 * 4 + 10 * 2) * MILLIONTH
  t.same([null, 'flex', 'priority', 'scale', 'constructor'].map(of), [usual, usual / 2, usual * 1.75, usual, usual])
  t.equal(ratesAtTier(rates, 'flex').parts?.image, 5e11)
  t.equal(withServiceTiers(rates, {}), rates)
  t.end()
})

test('a marginal tier is for the input above its bound alone, in the order of the prompt', (t) => {
  const tiers = [
    { above: 200, input: 4, output: 3, cacheRead: 0.4 },
    { above: 100, input: 2, output: 3, cacheRead: 0.2 },
  ]
  const rates = ratesOf({ ...BASE, cacheRead: 0.1, tiers, marginalTiers: true })
  const input = (counts: Partial<Usage>) => costOf(rates, usage(counts)) / MILLIONTH
  t.equal(input({ inputTokens: 100 }), 100)
  t.equal(input({ inputTokens: 150 }), 100 + 50 * 2)
  t.equal(input({ inputTokens: 250 }), 100 + 100 * 2 + 50 * 4)
  t.equal(input({ inputTokens: 250, cachedInputTokens: 150 }), 100 * 0.1 + 50 * 0.2 + 50 * 2 + 50 * 4)
  t.equal(input({ inputTokens: 150, outputTokens: 10 }), 200 + 30, 'output has the price of the whole request')
  const whole = ratesOf({ ...BASE, cacheRead: 0.1, tiers })
  t.equal(costOf(whole, usage({ inputTokens: 250, outputTokens: 10 })), (250 * 4 + 30) * MILLIONTH)
  t.end()
})

const PART_RATES: readonly (keyof PartRates)[] = [
  ...(['longCacheWrite', 'audioInput', 'imageInput', 'videoInput', 'cachedAudio', 'cachedImage'] as const),
  ...(['audioOutput', 'imageOutput', 'videoOutput'] as const),
]

test('costs are what token by token adds up to, whatever the prices and parts', (t) => {
  const random = Random.ofRun()
  const upTo = (most: number) => Math.floor(random.below(most + 1))
  const rate = (mayBeMarginal: boolean): Rate => {
    const bounds = [upTo(50), 50 + upTo(50)]
    const tiers = random.below(2) < 1 ? [] : bounds.map((above) => ({ above, rate: upTo(5_000_000) }))
    return { base: upTo(5_000_000), tiers, isMarginal: mayBeMarginal && tiers.length > 0 && random.below(2) < 1 }
  }
  const maybe = (mayBeMarginal: boolean) => (random.below(2) < 1 ? null : rate(mayBeMarginal))
  for (let round = 0; round < 1000; round++) {
    const none = { image: upTo(1000), audioSecond: upTo(1000) }
    const own = Object.fromEntries(
      PART_RATES.map((name) => [name, maybe(!name.endsWith('Output'))]),
    ) as unknown as PartRates
    const rates: Rates = {
      ...{ input: rate(true), output: rate(false), cacheRead: maybe(true), cacheWrite: maybe(true) },
      ...{ reasoning: maybe(false), request: upTo(1000), serviceTiers: null },
      parts: random.below(3) < 1 ? null : { ...own, ...none },
    }
    const counts = usage({
      ...{ inputTokens: upTo(150), outputTokens: upTo(80), cachedInputTokens: upTo(80), cacheWriteTokens: upTo(80) },
      ...{ reasoningTokens: upTo(40) },
      parts:
        random.below(3) < 1
          ? NO_PARTS
          : parts({
              ...{ longCacheWriteTokens: upTo(40), audioInputTokens: upTo(60), imageInputTokens: upTo(60) },
              ...{ videoInputTokens: upTo(60), cachedAudioTokens: upTo(30), cachedImageTokens: upTo(30) },
              ...{ audioOutputTokens: upTo(40), imageOutputTokens: upTo(40), videoOutputTokens: upTo(40) },
              ...{ images: upTo(3), audioSeconds: upTo(9) },
            }),
    })
    const expected = Math.ceil(byToken(rates, counts) / 1000)
    if (costOf(rates, counts) !== expected)
      t.fail(JSON.stringify({ seed: random.seed, rates, counts, expected, found: costOf(rates, counts) }))
  }
  t.pass()
  t.end()
})

/** Pico-dollars, one token after the other: slow, and with nothing in common with the code under test. */
function byToken(rates: Rates, { inputTokens, outputTokens, parts: used, ...counts }: Usage): number {
  const own = rates.parts
  const priceOf = (rate: Rate, position: number): number => {
    const at = rate.isMarginal ? position + 1 : inputTokens
    return rate.tiers.reduce((price, { above, rate: next }) => (at > above ? next : price), rate.base)
  }
  const write = rates.cacheWrite ?? rates.input
  const cached = Math.min(counts.cachedInputTokens, inputTokens)
  const written = Math.min(counts.cacheWriteTokens, inputTokens - cached)
  const long = Math.min(used.longCacheWriteTokens, written)
  const cachedAudio = Math.min(used.cachedAudioTokens, cached)
  const cachedImage = Math.min(used.cachedImageTokens, cached - cachedAudio)
  const kinds: Rate[] = []
  const add = (count: number, rate: Rate, most: number) => {
    for (let n = 0; n < count && kinds.length < most; n++) kinds.push(rate)
  }
  add(cachedAudio, own?.cachedAudio ?? rates.cacheRead ?? own?.audioInput ?? rates.input, cached)
  add(cachedImage, own?.cachedImage ?? rates.cacheRead ?? own?.imageInput ?? rates.input, cached)
  add(cached, rates.cacheRead ?? rates.input, cached)
  add(written - long, write, cached + written)
  add(long, own?.longCacheWrite ?? write, cached + written)
  add(used.audioInputTokens - cachedAudio, own?.audioInput ?? rates.input, inputTokens)
  add(used.imageInputTokens - cachedImage, own?.imageInput ?? rates.input, inputTokens)
  add(used.videoInputTokens, own?.videoInput ?? rates.input, inputTokens)
  add(inputTokens, rates.input, inputTokens)
  let pico = kinds.reduce((sum, rate, position) => sum + priceOf(rate, position), 0)
  kinds.length = 0
  add(counts.reasoningTokens, rates.reasoning ?? rates.output, outputTokens)
  add(used.audioOutputTokens, own?.audioOutput ?? rates.output, outputTokens)
  add(used.imageOutputTokens, own?.imageOutput ?? rates.output, outputTokens)
  add(used.videoOutputTokens, own?.videoOutput ?? rates.output, outputTokens)
  add(outputTokens, rates.output, outputTokens)
  pico += kinds.reduce((sum, rate) => sum + priceOf(rate, 0), 0)
  return pico + rates.request + used.images * (own?.image ?? 0) + used.audioSeconds * (own?.audioSecond ?? 0)
}
