// What an exchange cost in tokens, and who says so: the provider in full, the provider up to a cut, or an estimate.
import { NO_USAGE, type Usage } from '../model/usage.js'
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
  if (meter.usage === null) {
    exchange.usage = { ...NO_USAGE, inputTokens: decoded?.estimatedTokens ?? 0, outputTokens: seenOutput }
    exchange.usageSource = 'estimated'
    return
  }
  exchange.usage = isComplete ? meter.usage : atLeast(meter.usage, seenOutput)
  exchange.usageSource = isComplete ? 'provider' : 'partial'
}

/** A cut stream's count lags behind what has already come. */
function atLeast(usage: Usage, outputTokens: number): Usage {
  return usage.outputTokens >= outputTokens ? usage : { ...usage, outputTokens }
}
