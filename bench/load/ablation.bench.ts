// S9: what does each feature cost? The bare pipe, Sluice with all off that can be, then one after the other, and last every
// body through the pool. Metrics and validation cannot be turned off; what one metric costs tells bench/micro/metrics.
import { against, type SluiceVariant, sluiceWith, startBarePipe } from '../contenders.js'
import { runPlain } from '../plain-load.js'
import { requestFor } from '../requests.js'
import { type Bench, interleave, scaled } from '../rounds.js'

const SCENARIO = 'S9 ablation'
const REQUESTS = 8000
const CONNECTIONS = 32
const NO_LIMITS = { concurrency: null, requestsPerMinute: null, shed: { lagMs: null } }
const NO_LOG = { level: 'silent', file: null }

const ALL = 'sluice'
const WITHOUT_BOTH = 'sluice, + keys'
/** Each has what the one before has, and something more. */
const VARIANTS: readonly SluiceVariant[] = [
  { name: 'sluice, all off', keyLimits: null, limits: NO_LIMITS, log: NO_LOG },
  { name: WITHOUT_BOTH, keyLimits: {}, limits: NO_LIMITS, log: NO_LOG },
  { name: 'sluice, + limiter', log: NO_LOG },
  // Everything: with the log.
  { name: ALL },
  { name: 'sluice, pool for all', offload: { minBytes: 0 } },
]

/** Adds S9's figures. */
export async function runS9(bench: Bench): Promise<void> {
  await against([], [startBarePipe, ...VARIANTS.map(sluiceWith)], async (contenders) => {
    let withoutBoth = 0
    await interleave(bench, { scenario: SCENARIO, entrants: contenders }, async (each, { add, isWarmUp }) => {
      const request = requestFor(each, { tokens: 64, stream: false, promptBytes: 850 })
      const load = { connections: CONNECTIONS, amount: scaled(bench, REQUESTS, { isWarmUp }) }
      const { cpuUsPerRequest } = await runPlain(each, request, load)
      add('CPU us/request', cpuUsPerRequest)
      if (each.name === WITHOUT_BOTH) withoutBoth = cpuUsPerRequest
      const share = (100 * (cpuUsPerRequest - withoutBoth)) / cpuUsPerRequest
      if (each.name === ALL) add('limiter and log, % of CPU', share, null)
    })
  })
}
