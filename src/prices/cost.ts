// What an attempt costs. Whole numbers alone: tokens times pico-dollars, rounded up once to nano-dollars. A part without a price of its own
// costs what the whole costs that it is a part of.
import { NO_PARTS, type Usage } from '../model/usage.js'
import { type Rate, type Rates } from './types.js'

const PICO_PER_NANO = 1000
const PICO_PER_NANO_BIG = 1000n
/** 9,007,199 $. A cost never exceeds it, so that sums in doubles, in Lua and in SQL stay exact for a while. */
export const MAX_NANO_DOLLARS = Number.MAX_SAFE_INTEGER
const NANO_DIGITS = 9
const NANO_PER_DOLLAR = 10 ** NANO_DIGITS

/** Nano-dollars for these tokens. */
export function costOf(rates: Rates, usage: Usage): number {
  const { parts } = usage
  if (parts === NO_PARTS && !isMarginal(rates)) return plainCost(rates, usage)
  return costOfSpans(spansOf(ratesAtTier(rates, parts.serviceTier), usage))
}

function isMarginal({ input, cacheRead, cacheWrite }: Rates): boolean {
  return input.isMarginal || cacheRead?.isMarginal === true || cacheWrite?.isMarginal === true
}

/** The rates of a class of service; those of the usual one where it has none of its own. */
export function ratesAtTier(rates: Rates, tier: string | null): Rates {
  const { serviceTiers } = rates
  if (tier === null || serviceTiers === null || !Object.hasOwn(serviceTiers, tier)) return rates
  return serviceTiers[tier] ?? rates
}

/** Of what nearly all requests use. */
function plainCost(rates: Rates, usage: Usage): number {
  const { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, reasoningTokens } = usage
  // A count of a part above its whole is the whole: nothing is charged twice, nothing is paid back.
  const cached = Math.min(cachedInputTokens, inputTokens)
  const written = Math.min(cacheWriteTokens, inputTokens - cached)
  const reasoning = Math.min(reasoningTokens, outputTokens)
  const fresh = inputTokens - cached - written
  const said = outputTokens - reasoning
  const input = rateAt(rates.input, inputTokens)
  const output = rateAt(rates.output, inputTokens)
  const read = rates.cacheRead === null ? input : rateAt(rates.cacheRead, inputTokens)
  const write = rates.cacheWrite === null ? input : rateAt(rates.cacheWrite, inputTokens)
  const thought = rates.reasoning === null ? output : rateAt(rates.reasoning, inputTokens)
  const pico = fresh * input + cached * read + written * write + said * output + reasoning * thought + rates.request
  return pico <= Number.MAX_SAFE_INTEGER ? Math.ceil(pico / PICO_PER_NANO) : costOfSpans(spansOf(rates, usage))
}

/** So many of a rate, in pico-dollars each. */
type Span = readonly [count: number, pico: number]

/**
 * All that was used, each token once. Input has an order where its tiers are marginal: what was read from the cache is the beginning of a
 * prompt, what was written into it follows, and the rest is the end.
 */
function spansOf(rates: Rates, usage: Usage): readonly Span[] {
  const { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, reasoningTokens, parts } = usage
  const own = rates.parts
  const read = rates.cacheRead
  const write = rates.cacheWrite ?? rates.input
  const cached = Math.min(cachedInputTokens, inputTokens)
  const written = Math.min(cacheWriteTokens, inputTokens - cached)
  const input = new Whole(inputTokens, inputTokens)
  const ofCache = new Whole(cached, inputTokens)
  const cachedAudio = ofCache.take(parts.cachedAudioTokens, own?.cachedAudio ?? read ?? own?.audioInput ?? rates.input)
  const cachedImage = ofCache.take(parts.cachedImageTokens, own?.cachedImage ?? read ?? own?.imageInput ?? rates.input)
  ofCache.rest(read ?? rates.input)
  input.skip(cached)
  const longWritten = Math.min(parts.longCacheWriteTokens, written)
  input.take(written - longWritten, write)
  input.take(longWritten, own?.longCacheWrite ?? write)
  input.take(parts.audioInputTokens - cachedAudio, own?.audioInput ?? rates.input)
  input.take(parts.imageInputTokens - cachedImage, own?.imageInput ?? rates.input)
  input.take(parts.videoInputTokens, own?.videoInput ?? rates.input)
  input.rest(rates.input)
  const output = new Whole(outputTokens, inputTokens)
  output.take(reasoningTokens, rates.reasoning ?? rates.output)
  output.take(parts.audioOutputTokens, own?.audioOutput ?? rates.output)
  output.take(parts.imageOutputTokens, own?.imageOutput ?? rates.output)
  output.take(parts.videoOutputTokens, own?.videoOutput ?? rates.output)
  output.rest(rates.output)
  return [
    ...[...ofCache.spans, ...input.spans, ...output.spans],
    ...([
      [parts.images, own?.image ?? 0],
      [parts.audioSeconds, own?.audioSecond ?? 0],
      [1, rates.request],
    ] as const),
  ]
}

/** Tokens of which parts are taken from the front, each part never more than there are left. */
class Whole {
  readonly spans: Span[] = []
  readonly #tokens: number
  readonly #inputTokens: number
  #taken = 0

  constructor(tokens: number, inputTokens: number) {
    this.#tokens = tokens
    this.#inputTokens = inputTokens
  }

  /** @returns how many were taken */
  take(tokens: number, rate: Rate): number {
    const from = this.#taken
    const count = Math.max(0, Math.min(tokens, this.#tokens - from))
    this.#taken += count
    if (!rate.isMarginal) {
      this.spans.push([count, rateAt(rate, this.#inputTokens)])
      return count
    }
    let at = from
    let pico = rate.base
    for (const { above, rate: next } of rate.tiers) {
      const end = Math.min(Math.max(above, at), this.#taken)
      this.spans.push([end - at, pico])
      at = end
      pico = next
    }
    this.spans.push([this.#taken - at, pico])
    return count
  }

  skip(tokens: number): void {
    this.#taken += tokens
  }

  rest(rate: Rate): void {
    this.take(this.#tokens - this.#taken, rate)
  }
}

function costOfSpans(spans: readonly Span[]): number {
  let pico = 0
  for (const [count, each] of spans) pico += count * each
  // Beyond 2^53 a double is no longer exact, and neither is what led there.
  return pico <= Number.MAX_SAFE_INTEGER ? Math.ceil(pico / PICO_PER_NANO) : bigCost(spans)
}

/** What was used has a price: images and seconds of audio are not free because the model has only prices for tokens. */
export function isPriced({ parts: own }: Rates, { inputTokens, outputTokens, parts }: Usage): boolean {
  if (inputTokens > 0 || outputTokens > 0) return true
  return (parts.images === 0 || own?.image != null) && (parts.audioSeconds === 0 || own?.audioSecond != null)
}

/** The same without doubles. */
function bigCost(spans: readonly Span[]): number {
  let pico = 0n
  for (const [count, each] of spans) pico += BigInt(count) * BigInt(each)
  const nano = (pico + PICO_PER_NANO_BIG - 1n) / PICO_PER_NANO_BIG
  return nano > BigInt(MAX_NANO_DOLLARS) ? MAX_NANO_DOLLARS : Number(nano)
}

/** The sum of two costs, never above `MAX_NANO_DOLLARS`. */
export function addCosts(first: number, second: number): number {
  return Math.min(first + second, MAX_NANO_DOLLARS)
}

/** The dearest that any token of a request with at most so much input may cost. */
export function dearestRate({ base, tiers }: Rate, inputTokens: number): number {
  let dearest = base
  for (const { above, rate } of tiers) if (inputTokens > above && rate > dearest) dearest = rate
  return dearest
}

/** Pico-dollars a token of a request with so much input, where the tiers are for all of it. */
export function rateAt({ base, tiers }: Rate, inputTokens: number): number {
  let rate = base
  for (const tier of tiers) if (inputTokens > tier.above) rate = tier.rate
  return rate
}

/** Dollars as a decimal number, which is also JSON: `0.00123`. Exact: whole numbers alone take part. */
export function toDollars(nano: number): string {
  const whole = Math.floor(nano / NANO_PER_DOLLAR)
  let fraction = nano % NANO_PER_DOLLAR
  if (fraction === 0) return String(whole)
  let digits = NANO_DIGITS
  for (; fraction % 10 === 0; digits -= 1) fraction /= 10
  return `${whole}.${String(fraction).padStart(digits, '0')}`
}
