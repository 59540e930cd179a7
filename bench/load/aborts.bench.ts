// S8: 500 clients a second that leave in the middle of a stream. Is each one's upstream closed within 50 ms, and does nothing grow?
import { Talker } from '../children.js'
import { type Contender, startBarePipe, startSluice } from '../contenders.js'
import { readMetric } from '../metric.js'
import { requestFor } from '../requests.js'
import { type Add, type Bench, once } from '../rounds.js'
import { type AbortReport, settledRssBytes } from '../stats.js'

const SCENARIO = 'S8 500 aborts/s'
const PER_SEC = 500
const SECONDS = 60
const QUICK_SECONDS = 6
/** The bare pipe's times hardly change with length. */
const FLOOR_SHARE = 1 / 4
/** By then all that is made once is made; growth is what comes after. */
const WARM_SHARE = 1 / 3
/** Long enough for an idle process to collect its garbage. */
const REST_LOOKS = 30

/** What the gateway itself believes to be open. */
const ACTIVE = /^sluice_active_(?:requests|streams)\b/
/** undici connects anew after an aborted answer. */
const IDLE = /^sluice_upstream_connections\{.*state="idle"/

/** Adds S8's figures. */
export async function runS8(bench: Bench): Promise<void> {
  const seconds = bench.isQuick ? QUICK_SECONDS : SECONDS
  for (const start of [startBarePipe, startSluice]) {
    const generator = new Talker('abort-generator.js')
    const { port } = await generator.hear<{ port: number }>()
    const contender = await start(`http://127.0.0.1:${port}`)
    try {
      bench.say(`${SCENARIO}: ${contender.name}`)
      const share = contender.isGateway ? 1 : FLOOR_SHARE
      const where = { scenario: SCENARIO, contender: contender.name, round: 1 }
      await once(bench, where, contender, (each, { add }) => abort({ each, generator, add }, seconds * share))
    } finally {
      contender.stop()
      generator.stop()
    }
  }
}

type Run = { readonly each: Contender; readonly generator: Talker; readonly add: Add }

async function abort({ each, generator, add }: Run, seconds: number): Promise<void> {
  const request = requestFor(each, { tokens: 1000 })
  const { origin, path, headers } = request
  const body = request.body.replace('"word ', '"@word ')
  const command = { origin, path, headers, body, perSec: PER_SEC }
  const ask = async (share: number): Promise<AbortReport> => {
    const report = await generator.ask<AbortReport>({ ...command, seconds: Math.max(1, Math.round(seconds * share)) })
    if (report.failed + report.unclosed > 0) {
      throw new Error(
        `${report.failed} never began (last: ${JSON.stringify(report.otherAnswer)}), ${report.unclosed} were never closed at the upstream`,
      )
    }
    return report
  }
  const warm = await ask(WARM_SHARE)
  const before = await settledRssBytes(each.pid, REST_LOOKS)
  const report = await ask(1 - WARM_SHARE)
  const after = await settledRssBytes(each.pid, REST_LOOKS)
  const { closedMs } = report
  for (const name of ['p50', 'p99', 'max'] as const) add(`closed ${name} ms`, closedMs[name], null)
  add('RSS growth, KB/1,000 aborts', (after - before) / 1024 / (report.aborted / 1000), null)
  add('aborts', warm.aborted + report.aborted, null)
  if (!each.isGateway) return
  add('requests active afterwards', await readMetric(each, ACTIVE), null)
  add('idle upstream connections afterwards', await readMetric(each, IDLE), null)
}
