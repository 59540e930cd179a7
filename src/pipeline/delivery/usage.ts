// The tokens of an attempt and their source: the provider's final count, its count up to a cut, or an estimate. Implausible usage
// is discarded and counted in a metric, since it would put the key's limit into debt for half an hour.
import { IMPLAUSIBLE, NO_USAGE, type Usage, withinCaps } from '../../model/usage.js'
import { type DecodedRequest } from '../../protocols/contract/request-task.js'
import { type AttemptState, type AttemptView } from '../attempt-state.js'
import { type ExchangeView } from '../exchange.js'

/** The admission estimate's rule, for answers too: four bytes a token. */
const BYTES_PER_TOKEN = 4

/** Sets an attempt's usage from what its relay saw. `isComplete`: the provider's end marker was seen. */
export function measureUsage({ decoded, context }: ExchangeView, state: AttemptState, isComplete: boolean): void {
  const { meter } = state
  if (decoded?.facts.endpoint?.isFree === true) return
  if (meter === null) {
    // The request was sent without an answer yet, but the provider has read the input.
    state.usage = { ...NO_USAGE, inputTokens: decoded?.estimatedTokens ?? 0 }
    state.usageSource = 'estimated'
    return
  }
  const seenOutput = Math.ceil(meter.contentBytes / BYTES_PER_TOKEN)
  const input = state.routed?.target.contextTokens ?? null
  const report = withinCaps(meter.usage, { input, output: capOf(decoded, state) })
  if (report === null || report === IMPLAUSIBLE) {
    state.usage = { ...NO_USAGE, inputTokens: decoded?.estimatedTokens ?? 0, outputTokens: seenOutput }
    state.usageSource = 'estimated'
    if (report === IMPLAUSIBLE) context.metrics.implausibleUsage(state.routed?.target.provider ?? '')
    return
  }
  state.usage = isComplete ? report : atLeast(report, seenOutput)
  state.usageSource = isComplete ? 'provider' : 'partial'
}

/** The output tokens of an attempt that runs: as reported so far, or as an estimate of what has arrived. */
export function outputTokensSeen({ meter, usage }: AttemptView): number {
  if (meter === null) return usage.outputTokens
  const seen = Math.ceil(meter.contentBytes / BYTES_PER_TOKEN)
  const reported = withinCaps(meter.usage, { input: null, output: null })
  return reported === null || reported === IMPLAUSIBLE ? seen : Math.max(reported.outputTokens, seen)
}

/** The most output the request allows over all answers; null where it names none, or the target's own fields may replace it. */
function capOf(decoded: DecodedRequest | null, { routed }: AttemptState): number | null {
  const facts = decoded?.facts
  if (facts === undefined || facts.maxOutputTokens === null) return null
  if (routed !== null && Object.keys(routed.target.extraBody).length > 0) return null
  return facts.maxOutputTokens * (facts.answers ?? 1)
}

/** The count of a cut stream lags behind what has already arrived. */
function atLeast(usage: Usage, outputTokens: number): Usage {
  return usage.outputTokens >= outputTokens ? usage : { ...usage, outputTokens }
}
