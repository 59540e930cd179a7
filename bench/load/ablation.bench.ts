// S9: what does each feature cost? The bare pipe, Sluice with all off that can be, then one after the other, traces to a collector
// that swallows them, and last every body through the pool. Metrics and validation cannot be turned off; what one metric costs tells bench/micro/metrics.
import { Talker } from '../children.js'
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
const WITH_TRACES = 'sluice, + traces'
const WITHOUT_BOTH = 'sluice, + keys'
/** Each has what the one before has, and something more. */
function variants(collector: string): readonly SluiceVariant[] {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector }
  return [
    { name: 'sluice, all off', keyLimits: null, limits: NO_LIMITS, log: NO_LOG },
    { name: WITHOUT_BOTH, keyLimits: {}, limits: NO_LIMITS, log: NO_LOG },
    { name: 'sluice, + limiter', log: NO_LOG },
    // Everything that is on by default: with the log.
    { name: ALL },
    { name: WITH_TRACES, env },
    { name: 'sluice, traces not sampled', env: { ...env, OTEL_TRACES_SAMPLER: 'always_off' } },
    { name: 'sluice, pool for all', offload: { minBytes: 0 } },
  ]
}

/** Adds S9's figures. */
export async function runS9(bench: Bench): Promise<void> {
  const collector = new Talker('trace-sink.js')
  const { port } = await collector.hear<{ port: number }>()
  const starts = variants(`http://127.0.0.1:${port}`).map(sluiceWith)
  await against([], [startBarePipe, ...starts], async (contenders) => {
    let withoutBoth = 0
    let withoutTraces = 0
    await interleave(bench, { scenario: SCENARIO, entrants: contenders }, async (each, { add, isWarmUp }) => {
      const request = requestFor(each, { tokens: 64, stream: false, promptBytes: 850 })
      const load = { connections: CONNECTIONS, amount: scaled(bench, REQUESTS, { isWarmUp }) }
      const { cpuUsPerRequest, loopUsPerRequest } = await runPlain(each, request, load)
      add('CPU us/request', cpuUsPerRequest)
      add('event loop us/request', loopUsPerRequest)
      if (each.name === WITHOUT_BOTH) withoutBoth = cpuUsPerRequest
      const share = (100 * (cpuUsPerRequest - withoutBoth)) / cpuUsPerRequest
      if (each.name === ALL) add('limiter and log, % of CPU', share, null)
      if (each.name === ALL) withoutTraces = cpuUsPerRequest
      const ofTraces = (100 * (cpuUsPerRequest - withoutTraces)) / withoutTraces
      if (each.name === WITH_TRACES) add('traces, % of CPU', ofTraces, null)
    })
  }).finally(() => collector.stop())
}
