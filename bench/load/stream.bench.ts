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
  {
    scenario: 'S3 responses, 100 events',
    ask: { client: 'responses', tokens: 100 },
    load: { streams: 600, concurrency: 16 },
  },
]
/**
 * As models write: each event is a read and a write of its own. The third is as many events a second of ten times as many streams:
 * 2,000 at 20 ms are more than two cores serve, with simulator and load on them. Streams begin one after the other over the time that
 * one takes, and further ones where they end, so that a stream meets others that are on their way; two hundred in one turn would
 * only wait for each other.
 */
const PACED: readonly (Plan & { readonly pace: readonly string[] })[] = [
  {
    scenario: 'S3 openai, 100 events at 20 ms',
    ask: { tokens: 100 },
    load: { streams: 300, concurrency: 200, rampMs: 2000 },
    pace: ['--tokens-per-second', '50'],
  },
  {
    scenario: 'S3 openai, 100 events at 20 ms, uneven',
    ask: { tokens: 100 },
    load: { streams: 300, concurrency: 200, rampMs: 2000 },
    pace: ['--tokens-per-second', '50', '--uneven'],
  },
  {
    scenario: 'S3 openai, 2,000 streams at 200 ms',
    ask: { tokens: 20 },
    load: { streams: 2000, concurrency: 2000, rampMs: 4000 },
    pace: ['--tokens-per-second', '5'],
  },
]
/** A few hundred streams would leave uncompiled what begins and ends one, and that would be a third of the figure. */
const WARM_UP = { ask: { tokens: 2 }, load: { streams: 6000, concurrency: 200 } } as const
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
  for (const plan of PACED) {
    await against(plan.pace, starts, (contenders, simulator) => addPaced(bench, plan, [simulator, ...contenders]))
  }
}

/** The simulator alone comes first in each round: what the others take more is what they add. */
async function addPaced(bench: Bench, { scenario, ask, load }: Plan, entrants: readonly Contender[]): Promise<void> {
  for (const each of entrants) await runStreams(each, WARM_UP.ask, WARM_UP.load)
  let direct = { gap: 0, first: { p50: 0, p99: 0 } }
  await interleave(bench, { scenario, entrants }, async (each, { add }) => {
    const { cpuUsPerEvent, gapMs, firstMs } = await runStreams(each, ask, load)
    add('gap p99 ms', gapMs.p99, null)
    if (each.name === 'direct') {
      direct = { gap: gapMs.p99, first: firstMs }
      return
    }
    add('CPU us/event', cpuUsPerEvent)
    add('gap p99 over direct, ms', gapMs.p99 - direct.gap, null)
    for (const name of ['p50', 'p99'] as const)
      add(`added first content ${name}, ms`, firstMs[name] - direct.first[name], null)
  })
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
