// What an attempt costs at most at one target's price, and how much output an amount pays for at least.
import { type Amount } from '../../accounts/budgets/types.js'
import { dearestRate, MAX_NANO_DOLLARS, ratesAtTier } from '../../prices/cost.js'
import { type PartRates, type Rate, type Rates } from '../../prices/types.js'

const PICO_PER_NANO = 1000

/** Upper bounds for one attempt, in pico-dollars. All 0 where no budget counts money. */
export type Bound = {
  readonly inputTokens: number
  /** For all of the input, and for the request as such. */
  readonly inputPico: number
  /** For one output token. */
  readonly outputPico: number
}

/** What else a request may use, as far as it is known. */
export type Asked = {
  /** Classes of service with which the provider may serve it, besides the usual one. */
  readonly serviceTiers: Iterable<string>
  readonly images: number
  readonly audioSeconds: number
}

export const NOTHING_ELSE: Asked = Object.freeze({ serviceTiers: [], images: 0, audioSeconds: 0 })

/** `rates`: null where only tokens are counted. What is not known beforehand is taken for the dearest that it can be. */
export function boundOf(rates: Rates | null, inputTokens: number, asked: Asked = NOTHING_ELSE): Bound {
  if (rates === null) return { inputTokens, inputPico: 0, outputPico: 0 }
  let bound = boundAtTier(rates, inputTokens, asked)
  for (const tier of asked.serviceTiers) {
    const { inputPico, outputPico } = boundAtTier(ratesAtTier(rates, tier), inputTokens, asked)
    bound = {
      inputTokens,
      inputPico: Math.max(bound.inputPico, inputPico),
      outputPico: Math.max(bound.outputPico, outputPico),
    }
  }
  return bound
}

function boundAtTier(rates: Rates, inputTokens: number, { images, audioSeconds }: Asked): Bound {
  const { input, output, cacheRead, cacheWrite, reasoning, request, parts } = rates
  // All of the input may be written to the provider's cache, or be audio, and all of the output may be reasoning.
  const own = parts ?? NO_RATES
  const inputs = [input, cacheRead, cacheWrite, own.longCacheWrite, own.audioInput, own.imageInput, own.videoInput]
  const inputRate = dearestOf([...inputs, own.cachedAudio, own.cachedImage], inputTokens)
  const outputs = [output, reasoning, own.audioOutput, own.imageOutput, own.videoOutput]
  const units = images * (own.image ?? 0) + audioSeconds * (own.audioSecond ?? 0)
  const inputPico = inputTokens * inputRate + request + units
  return { inputTokens, inputPico, outputPico: dearestOf(outputs, inputTokens) }
}

function dearestOf(rates: readonly (Rate | null)[], inputTokens: number): number {
  let dearest = 0
  for (const rate of rates) if (rate !== null) dearest = Math.max(dearest, dearestRate(rate, inputTokens))
  return dearest
}

const NO_RATES: PartRates = Object.freeze({
  ...{ longCacheWrite: null, audioInput: null, imageInput: null, videoInput: null, cachedAudio: null },
  ...{ cachedImage: null, audioOutput: null, imageOutput: null, videoOutput: null, image: null, audioSecond: null },
})

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
