// What an attempt costs at most at one target's price, and how much output an amount pays for at least.
import { type Amount } from '../../accounts/budgets/types.js'
import { MAX_NANO_DOLLARS, rateAt } from '../../prices/cost.js'
import { type Rates } from '../../prices/types.js'

const PICO_PER_NANO = 1000

/** Upper bounds for one attempt, in pico-dollars. All 0 where no budget counts money. */
export type Bound = {
  readonly inputTokens: number
  /** For all of the input, and for the request as such. */
  readonly inputPico: number
  /** For one output token. */
  readonly outputPico: number
}

/** `rates`: null where only tokens are counted. */
export function boundOf(rates: Rates | null, inputTokens: number): Bound {
  if (rates === null) return { inputTokens, inputPico: 0, outputPico: 0 }
  const { input, output, cacheRead, cacheWrite, reasoning, request } = rates
  // All of the input may be written to the provider's cache, and all of the output may be reasoning.
  const read = rateAt(cacheRead ?? input, inputTokens)
  const write = rateAt(cacheWrite ?? input, inputTokens)
  const inputRate = Math.max(rateAt(input, inputTokens), read, write)
  const outputPico = Math.max(rateAt(output, inputTokens), rateAt(reasoning ?? output, inputTokens))
  return { inputTokens, inputPico: inputTokens * inputRate + request, outputPico }
}

/** The input and so much output. */
export function amountFor(bound: Bound, outputTokens: number): Amount {
  const pico = bound.inputPico + outputTokens * bound.outputPico
  return {
    nano: Math.min(Math.ceil(pico / PICO_PER_NANO), MAX_NANO_DOLLARS),
    tokens: bound.inputTokens + outputTokens,
  }
}

/** So much output alone, for a request whose input is reserved. */
export function amountOfOutput({ outputPico }: Bound, outputTokens: number): Amount {
  const nano = Math.min(Math.ceil((outputTokens * outputPico) / PICO_PER_NANO), MAX_NANO_DOLLARS)
  return { nano, tokens: outputTokens }
}

/** Output tokens that an amount pays for, behind the input. */
export function payableOutput(bound: Bound, { nano, tokens }: Amount): number {
  const byTokens = tokens - bound.inputTokens
  if (bound.outputPico === 0) return Math.max(0, byTokens)
  const byMoney = Math.floor((nano * PICO_PER_NANO - bound.inputPico) / bound.outputPico)
  return Math.max(0, Math.min(byTokens, byMoney))
}
