// What an attempt costs. Whole numbers alone: tokens times pico-dollars, rounded up once to nano-dollars.
import { type Usage } from '../model/usage.js'
import { type Rate, type Rates } from './types.js'

const PICO_PER_NANO = 1000
const PICO_PER_NANO_BIG = 1000n
/** 9,007,199 $. A cost never exceeds it, so that sums in doubles, in Lua and in SQL stay exact for a while. */
export const MAX_NANO_DOLLARS = Number.MAX_SAFE_INTEGER
const NANO_DIGITS = 9

/** Nano-dollars for these tokens. */
export function costOf(rates: Rates, usage: Usage): number {
  const { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, reasoningTokens } = usage
  // A count of a part above its whole is the whole: nothing is charged twice, nothing is paid back.
  const cached = Math.min(cachedInputTokens, inputTokens)
  const written = Math.min(cacheWriteTokens, inputTokens - cached)
  const reasoning = Math.min(reasoningTokens, outputTokens)
  const rateOf = (rate: Rate | null, whole: Rate): number => rateAt(rate ?? whole, inputTokens)
  const parts: readonly (readonly [tokens: number, rate: number])[] = [
    [inputTokens - cached - written, rateAt(rates.input, inputTokens)],
    [cached, rateOf(rates.cacheRead, rates.input)],
    [written, rateOf(rates.cacheWrite, rates.input)],
    [outputTokens - reasoning, rateAt(rates.output, inputTokens)],
    [reasoning, rateOf(rates.reasoning, rates.output)],
    [1, rates.request],
  ]
  let pico = 0
  for (const [tokens, rate] of parts) pico += tokens * rate
  // Beyond 2^53 a double is no longer exact, and neither is what led there.
  if (pico <= Number.MAX_SAFE_INTEGER) return Math.ceil(pico / PICO_PER_NANO)
  return bigCost(parts)
}

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

/** Dollars as a decimal number, which is also JSON: `0.00123`. Exact, since no double takes part. */
export function toDollars(nano: number): string {
  const digits = String(nano).padStart(NANO_DIGITS + 1, '0')
  const fraction = digits.slice(-NANO_DIGITS).replace(/0+$/, '')
  const whole = digits.slice(0, -NANO_DIGITS)
  return fraction === '' ? whole : `${whole}.${fraction}`
}
