// S12: what does it cost to keep a stream, so that its client may come back? Sluice without, with every stream kept in memory, and with
// the number of each frame in it. The ratio is to Sluice without.
import { against, type SluiceVariant, sluiceWith } from '../contenders.js'
import { type Ask } from '../requests.js'
import { type Bench, interleave, scaled } from '../rounds.js'
import { runStreams, type StreamLoad } from '../stream-load.js'

type Plan = { readonly scenario: string; readonly ask: Ask; readonly load: StreamLoad }

/** What the others are compared with. */
const UNKEPT = 'sluice'
const VARIANTS: readonly SluiceVariant[] = [
  { name: UNKEPT },
  { name: 'sluice, kept', streams: { resume: 'always' } },
  { name: 'sluice, kept with numbers', headers: { 'x-sluice-resume': '1' } },
]
const UNPACED: readonly Plan[] = [
  { scenario: 'S12 openai, 100 events', ask: { tokens: 100 }, load: { streams: 800, concurrency: 16 } },
  { scenario: 'S12 openai, 1,000 events', ask: { tokens: 1000 }, load: { streams: 100, concurrency: 16 } },
]
const PACED: Plan = {
  scenario: 'S12 openai, 100 events at 20 ms',
  ask: { tokens: 100 },
  load: { streams: 200, concurrency: 200 },
}
const PACE = ['--tokens-per-second', '50']

/** Adds S12's figures. */
export async function runS12(bench: Bench): Promise<void> {
  await runPlans(bench, [], UNPACED)
  await runPlans(bench, PACE, [PACED])
}

async function runPlans(bench: Bench, simulatorOptions: readonly string[], plans: readonly Plan[]): Promise<void> {
  await against(simulatorOptions, VARIANTS.map(sluiceWith), async (entrants) => {
    for (const { scenario, ask, load } of plans) {
      await interleave(bench, { scenario, entrants }, async (each, turn) => {
        const streams = scaled(bench, load.streams, turn)
        const { cpuUsPerEvent } = await runStreams(each, ask, { ...load, streams })
        turn.add('CPU us/event', cpuUsPerEvent, UNKEPT)
      })
    }
  })
}
