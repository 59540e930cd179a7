// What an attempt costs. Whole numbers alone: tokens times pico-dollars, rounded up once to nano-dollars.
import { type Usage } from '../model/usage.js'
import { type Rate, type Rates } from './types.js'

const PICO_PER_NANO = 1000
const PICO_PER_NANO_BIG = 1000n
/** 9,007,199 $. A cost never exceeds it, so that sums in doubles, in Lua and in SQL stay exact for a while. */
export const MAX_NANO_DOLLARS = Number.MAX_SAFE_INTEGER
const NANO_DIGITS = 9
const NANO_PER_DOLLAR = 10 ** NANO_DIGITS

/** Nano-dollars for these tokens. */
export function costOf(rates: Rates, usage: Usage): number {
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
  // Beyond 2^53 a double is no longer exact, and neither is what led there.
  if (pico <= Number.MAX_SAFE_INTEGER) return Math.ceil(pico / PICO_PER_NANO)
  return bigCost([
    [fresh, input],
    [cached, read],
    [written, write],
    [said, output],
    [reasoning, thought],
    [1, rates.request],
  ])
}

/** The same without doubles. */
function bigCost(parts: readonly (readonly [tokens: number, rate: number])[]): number {
  let pico = 0n
  for (const [tokens, rate] of parts) pico += BigInt(tokens) * BigInt(rate)
  const nano = (pico + PICO_PER_NANO_BIG - 1n) / PICO_PER_NANO_BIG
  return nano > BigInt(MAX_NANO_DOLLARS) ? MAX_NANO_DOLLARS : Number(nano)
}

/** The sum of two costs, never above `MAX_NANO_DOLLARS`. */
export function addCosts(first: number, second: number): number {
  return Math.min(first + second, MAX_NANO_DOLLARS)
}

/** Pico-dollars a token of a request with so much input. */
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
