// S1: what does a small request cost that is not streamed? 1 KB in, 0.7 KB out; c=32 for CPU, c=1 for the latency it adds.
import { runClosedLoad } from '../closed-load.js'
import { against, type Contender, startBarePipe, startNginx, startPortkey, startSluice } from '../contenders.js'
import { runPlain } from '../plain-load.js'
import { type Ask, requestFor } from '../requests.js'
import { type Bench, interleave, scaled } from '../rounds.js'
import { quantile } from '../stats.js'

/** An answer of 64 tokens is about 0.7 KB. */
const SMALL: Ask = { tokens: 64, stream: false, promptBytes: 850 }
const REQUESTS = 10_000
const SINGLE_REQUESTS = 1500
/** A peer that takes about a millisecond of CPU a request gets so much less to do. */
const SLOW_SHARE = 0.05

/** Adds S1's figures. */
export async function runS1(bench: Bench): Promise<void> {
  const starts = [startBarePipe, startSluice, startNginx, startPortkey]
  await against([], starts, async (contenders, simulator) => {
    await interleave(bench, { scenario: 'S1 c=32', entrants: contenders }, async (each, turn) => {
      const load = { connections: 32, amount: scaled(bench, REQUESTS, turn) * shareOf(each) }
      const sample = await runPlain(each, requestFor(each, SMALL), load)
      turn.add('CPU us/request', sample.cpuUsPerRequest)
      turn.add('requests/s', sample.requestsPerSec, null)
    })
    await interleave(bench, { scenario: 'S1 c=1', entrants: [simulator, ...contenders] }, latency(bench))
  })
}

/** The simulator alone comes first in each round: what the others take more is what they add. */
function latency(bench: Bench) {
  let direct: readonly number[] = []
  return async (each: Contender, { add }: { add: (unit: string, ms: number, floor?: string | null) => void }) => {
    const amount = Math.round(scaled(bench, SINGLE_REQUESTS) * shareOf(each))
    const tookMs = await runClosedLoad(requestFor(each, SMALL), { amount })
    if (each.name === 'direct') direct = tookMs
    for (const [name, q] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ] as const) {
      add(`${name} ms`, quantile(tookMs, q), null)
      if (each.name !== 'direct') add(`added ${name} ms`, quantile(tookMs, q) - quantile(direct, q), null)
    }
  }
}

function shareOf({ name }: Contender): number {
  return name === 'portkey' ? SLOW_SHARE : 1
}
