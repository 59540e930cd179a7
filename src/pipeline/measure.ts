// What an exchange cost in tokens, and who says so: the provider in full, the provider up to a cut, or an estimate. What cannot
// be true is counted by nobody but a metric: it would put the key's limit into debt for half an hour.
import { IMPLAUSIBLE, NO_USAGE, type Usage, withinCap } from '../model/usage.js'
import { type Exchange } from './exchange.js'

/** The admission estimate's rule, for answers too: four bytes a token. */
const BYTES_PER_TOKEN = 4

/** Sets the exchange's usage from what its relay saw. `isComplete`: the provider's end marker was seen. */
export function measureUsage(exchange: Exchange, isComplete: boolean): void {
  const { meter, decoded } = exchange
  if (meter === null) {
    // Sent, and nothing came back yet: the provider has read the input all the same.
    exchange.usage = { ...NO_USAGE, inputTokens: decoded?.estimatedTokens ?? 0 }
    exchange.usageSource = 'estimated'
    return
  }
  const seenOutput = Math.ceil(meter.contentBytes / BYTES_PER_TOKEN)
  const report = withinCap(meter.usage, capOf(exchange))
  if (report === null || report === IMPLAUSIBLE) {
    exchange.usage = { ...NO_USAGE, inputTokens: decoded?.estimatedTokens ?? 0, outputTokens: seenOutput }
    exchange.usageSource = 'estimated'
    if (report === IMPLAUSIBLE) exchange.parts.metrics.implausibleUsage(exchange.routed?.target.provider ?? '')
    return
  }
  exchange.usage = isComplete ? report : atLeast(report, seenOutput)
  exchange.usageSource = isComplete ? 'provider' : 'partial'
}

/** The most output the client allowed, over all answers that it asked for; null where it named none. */
function capOf({ decoded }: Exchange): number | null {
  const facts = decoded?.facts
  if (facts === undefined || facts.maxOutputTokens === null) return null
  return facts.maxOutputTokens * (facts.answers ?? 1)
}

/** A cut stream's count lags behind what has already come. */
function atLeast(usage: Usage, outputTokens: number): Usage {
  return usage.outputTokens >= outputTokens ? usage : { ...usage, outputTokens }
}
