// S7: what do 200 clients cost that stopped reading, among 1,000? Memory must stay bounded, and the others must not notice.
import { Talker } from '../children.js'
import { against, type Contender, startSimulator, startSluice } from '../contenders.js'
import { readMetric } from '../metric.js'
import { requestFor } from '../requests.js'
import { type Bench, once, scaled, type Turn } from '../rounds.js'
import { type HeldReport, rssBytes } from '../stats.js'

const SCENARIO = 'S7 200 stalled of 1,000'
const READERS = 800
const STALLED = 200
/** 4,000 events a second in all: enough to see a delay, and the machine is not busy. */
const PACE = ['--tokens-per-second', '5']
const TOKENS = 4000
/** About 1.8 MB: more than fits into the sockets on the way, so that some of it lies in the gateway and stays there. */
const STALLED_TOKENS = 8000
/** About 4.6 MB: more than a reader may lag behind, so that it is cut. */
const CUT_TOKENS = 20_000
const WATCH_MS = 8000
const QUICK_WATCH_MS = 3000
/** What the upstream sends at once is through by then. */
const SETTLE_MS = 4000
const LOOK_MS = 50
const CUT = /^sluice_requests_total\{.*outcome="slow_reader"/

/** Adds S7's figures. */
export async function runS7(bench: Bench): Promise<void> {
  // Stalled readers are sent as much as they should take, the others what a model writes: two upstreams.
  const fast = await startSimulator()
  const providers = { fast: { protocol: 'openai-chat', baseUrl: `${fast.origin}/v1`, apiKey: 'sk-bench' } }
  try {
    await against(PACE, [(upstream) => startSluice(upstream, { providers })], async ([gateway]) => {
      if (gateway === undefined) return
      bench.say(SCENARIO)
      const where = { scenario: SCENARIO, contender: gateway.name, round: 1 }
      await once(bench, where, gateway, (each, turn) => stall(bench, each, turn))
    })
  } finally {
    fast.stop()
  }
}

async function stall(bench: Bench, gateway: Contender, { add }: Turn): Promise<void> {
  const generator = new Talker('held-generator.js')
  const readers = scaled(bench, READERS)
  const count = scaled(bench, STALLED)
  const watchMs = bench.isQuick ? QUICK_WATCH_MS : WATCH_MS
  try {
    await generator.ask<HeldReport>({ open: readers, request: requestFor(gateway, { tokens: TOKENS }) })
    const alone = await generator.ask<HeldReport>({ watchMs })
    const held = await openStalled(gateway, { count, tokens: STALLED_TOKENS, others: generator, watchMs })
    const cut = await openStalled(gateway, { count, tokens: CUT_TOKENS, others: generator, watchMs })
    add('gap p99 ms of the others, alone', alone.gapMs.p99, null)
    add('gap p99 ms of the others, beside stalled', held.gapP99Ms, null)
    add('gap p99, beside stalled to alone', held.gapP99Ms / alone.gapMs.p99, null)
    add('RSS KB/stalled reader', held.peakKbEach, null)
    add('RSS KB/reader that is cut', cut.peakKbEach, null)
    add('cut as slow_reader, %', (100 * (await readMetric(gateway, CUT))) / count, null)
  } finally {
    generator.stop()
  }
}

type Stalled = { readonly count: number; readonly tokens: number; readonly others: Talker; readonly watchMs: number }

/** Lets `count` clients stop reading and watches the others; memory is the most seen meanwhile. */
async function openStalled(gateway: Contender, { count, tokens, others, watchMs }: Stalled) {
  const generator = new Talker('held-generator.js')
  const before = rssBytes(gateway.pid)
  const peak = watchPeak(gateway.pid)
  const request = requestFor(gateway, { tokens })
  const body = request.body.replace('openai/', 'fast/')
  try {
    await generator.ask<HeldReport>({ open: count, isStalled: true, request: { ...request, body } })
    await others.ask<HeldReport>({ watchMs: SETTLE_MS })
    const seen = await others.ask<HeldReport>({ watchMs })
    if (seen.over > 0) throw new Error(`${seen.over} of those that read were cut`)
    return { gapP99Ms: seen.gapMs.p99, peakKbEach: (peak() - before) / 1024 / count }
  } finally {
    peak()
    generator.stop()
  }
}

/** Looks at memory until it is called; returns the most seen, in bytes. */
function watchPeak(pid: number): () => number {
  let most = rssBytes(pid)
  const timer = setInterval(() => {
    most = Math.max(most, rssBytes(pid))
  }, LOOK_MS)
  return () => {
    clearInterval(timer)
    return most
  }
}
