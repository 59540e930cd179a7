// S3: what does a streamed event cost that passes through in its own protocol, and how late does it make the first one?
// Unpaced for CPU, at a model's pace for gaps, one at a time for the first content. Bodies must be the upstream's.
import { against, type Contender, startBarePipe, startJoinedPipe, startNginx, startSluice } from '../contenders.js'
import { type Ask } from '../requests.js'
import { type Bench, interleave, scaled } from '../rounds.js'
import { runStreams, type StreamLoad } from '../stream-load.js'

type Plan = { readonly scenario: string; readonly ask: Ask; readonly load: StreamLoad }

const STARTS = [startBarePipe, startJoinedPipe, startSluice, startNginx]
const UNPACED: readonly Plan[] = [
  { scenario: 'S3 openai, 100 events', ask: { tokens: 100 }, load: { streams: 800, concurrency: 16 } },
  { scenario: 'S3 openai, 1,000 events', ask: { tokens: 1000 }, load: { streams: 100, concurrency: 16 } },
  {
    scenario: 'S3 anthropic, 100 events',
    ask: { client: 'anthropic', tokens: 100 },
    load: { streams: 600, concurrency: 16 },
  },
]
/** As models write: 20 ms between events, so that each one is a read and a write of its own. */
const PACED: Plan = {
  scenario: 'S3 openai, 100 events at 20 ms',
  ask: { tokens: 100 },
  load: { streams: 200, concurrency: 200 },
}
const PACE = ['--tokens-per-second', '50']
/** So many that the 99th percentile is more than the worst of a few. */
const SINGLE: StreamLoad = { streams: 400, concurrency: 1 }
const SINGLE_EVENTS = 20

/** Adds S3's figures. */
export async function runS3(bench: Bench): Promise<void> {
  await against([], STARTS, async (contenders, simulator) => {
    for (const plan of UNPACED) {
      const expected = await hashesOf(simulator, plan.ask)
      await interleave(bench, { scenario: plan.scenario, entrants: contenders }, async (each, turn) => {
        const load = { ...plan.load, streams: scaled(bench, plan.load.streams, turn) }
        if (turn.isWarmUp) await checkBytes(each, plan.ask, expected)
        const sample = await runStreams(each, plan.ask, load)
        turn.add('CPU us/event', sample.cpuUsPerEvent)
      })
    }
    await addFirst(bench, [simulator, ...contenders])
  })
  const starts = bench.isQuick ? [startBarePipe, startSluice] : STARTS
  await against(PACE, starts, (contenders) =>
    interleave(bench, { scenario: PACED.scenario, entrants: contenders }, async (each, { add }) => {
      const sample = await runStreams(each, PACED.ask, PACED.load)
      add('CPU us/event', sample.cpuUsPerEvent)
      add('gap p99 ms', sample.gapMs.p99)
    }),
  )
}

/** The simulator alone comes first in each round: what the others take more is what they add. */
async function addFirst(bench: Bench, entrants: readonly Contender[]): Promise<void> {
  let direct = { p50: 0, p99: 0 }
  await interleave(bench, { scenario: 'S3 first content, c=1', entrants }, async (each, { add }) => {
    const load = { ...SINGLE, streams: scaled(bench, SINGLE.streams) }
    const { firstMs } = await runStreams(each, { tokens: SINGLE_EVENTS }, load)
    if (each.name === 'direct') direct = firstMs
    for (const name of ['p50', 'p99'] as const) {
      add(`${name} ms`, firstMs[name], null)
      if (each.name !== 'direct') add(`added ${name} ms`, firstMs[name] - direct[name], null)
    }
  })
}

async function hashesOf(contender: Contender, ask: Ask): Promise<string> {
  const { hashes } = await runStreams(contender, ask, { streams: 4, concurrency: 2, hash: true })
  return hashes.join()
}

/** @throws when a body is not the upstream's, byte by byte, but for ids and times */
async function checkBytes(contender: Contender, ask: Ask, expected: string): Promise<void> {
  if ((await hashesOf(contender, ask)) !== expected) throw new Error('the bytes are not the upstream’s')
}
