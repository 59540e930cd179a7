// S13: what does a coding agent's step cost, 215 KB of conversation and tools, passed to its own protocol and translated? And do the
// streams of the same event loop feel fifty of them a second?
import { runOnce } from '../children.js'
import { against, type Contender, startBarePipe, startNginx, startSluice } from '../contenders.js'
import { type OpenReport } from '../open-load.js'
import { runPlain } from '../plain-load.js'
import { type Ask, requestFor } from '../requests.js'
import { type Bench, interleave, scaled } from '../rounds.js'
import { runStreams } from '../stream-load.js'

const STEP: Ask = { tokens: 20, stream: false, isAgent: true }
/** The others cannot translate: their row is the same request, passed on. */
const TRANSLATED: Ask = { ...STEP, client: 'openai', upstream: 'anthropic' }
const LOAD = { connections: 8, amount: 400 }
const WARM_UP_REQUESTS = 1500

/** Adds S13's figures. */
export async function runS13(bench: Bench): Promise<void> {
  await against([], [startBarePipe, startSluice, startNginx], async (contenders) => {
    const ways = [
      { scenario: 'S13 215 KB, openai', ask: STEP },
      { scenario: 'S13 215 KB, openai to anthropic', ask: TRANSLATED },
    ]
    for (const { scenario, ask } of ways) {
      // The bare pipe comes first in each round.
      let pipeUs = 0
      await interleave(bench, { scenario, entrants: contenders }, async (each, { add, isWarmUp }) => {
        const amount = isWarmUp ? WARM_UP_REQUESTS : scaled(bench, LOAD.amount)
        const sample = await runPlain(each, requestFor(each, each.isGateway ? ask : STEP), { ...LOAD, amount })
        add('CPU us/request', sample.cpuUsPerRequest)
        add('event loop us/request', sample.loopUsPerRequest)
        if (each.name === 'bare pipe') pipeUs = sample.loopUsPerRequest
        else add('added event loop us/request', sample.loopUsPerRequest - pipeUs, null)
      })
    }
  })
  await against(PACE, [startBarePipe, startSluice], (contenders) => addBeside(bench, contenders))
}

const PACE = ['--tokens-per-second', '50']
const STREAMS = { ask: { tokens: 100 }, load: { streams: 200, concurrency: 200 } } as const
const STEPS_PER_SEC = 50
/** As long as the streams run: a hundred events at 20 ms. */
const STEPS_SEC = 2

/** 200 streams at a model's pace alone, then beside fifty steps a second, passed on and translated. */
async function addBeside(bench: Bench, contenders: readonly Contender[]): Promise<void> {
  const entrants = contenders.flatMap((each) => [
    { name: each.name, each, step: null },
    { name: `${each.name}, beside steps`, each, step: STEP },
    ...(each.isGateway ? [{ name: `${each.name}, beside translated steps`, each, step: TRANSLATED }] : []),
  ])
  await interleave(bench, { scenario: 'S13 200 streams at 20 ms', entrants }, async ({ each, step }, { add }) => {
    const steps = step === null ? null : sendSteps(each, step)
    // Both are awaited, so that nothing of this sample runs on into the next one.
    const [sample] = await Promise.all([runStreams(each, STREAMS.ask, STREAMS.load), steps])
    add('gap p99 ms', sample.gapMs.p99, each.name)
  })
}

async function sendSteps(contender: Contender, ask: Ask): Promise<void> {
  const { origin, path, headers, body } = requestFor(contender, ask)
  const load = { url: origin + path, headers, body, perSec: STEPS_PER_SEC, seconds: STEPS_SEC }
  const report = await runOnce<OpenReport>('open-generator.js', load)
  if (report.failed + report.refused > 0) throw new Error(`${report.failed} failed, ${report.refused} refused`)
}
