// S16: what does TLS to the provider cost, which is how everybody lives? Streams at a model's pace, streams that are held, and streams
// that all begin at once on a process that has none, over HTTP/1.1 with a connection each, and over HTTP/2 with shared ones. The front
// that speaks TLS is a process of its own.
import { Talker } from '../children.js'
import { against, type Contender, type Start, startSimulator, startSluice, startTlsPipe } from '../contenders.js'
import { requestFor } from '../requests.js'
import { type Add, type Bench, interleave, once, scaled } from '../rounds.js'
import { type FrontReport, type HeldReport, settledRssBytes } from '../stats.js'
import { runStreams } from '../stream-load.js'

type Front = {
  /** Of the simulator behind it. */
  readonly clear: string
  readonly origin: string
  readonly certFile: string
  readonly connections: () => Promise<FrontReport>
}

const PACED = { ask: { tokens: 100 }, load: { streams: 200, concurrency: 200 } } as const
const WARM_UP = { ask: { tokens: 2 }, load: { streams: 2000, concurrency: 100 } } as const
const IN_CLEAR = 'sluice, in clear'
const PACE = ['--tokens-per-second', '50']
/** What is measured is holding. */
const HELD_PACE = ['--tokens-per-second', '0.5']
/** Far apart: what the heap takes at once is large at first. */
const HELD = [200, 2200]
const HELD_TOKENS = 4000
const WATCH_MS = 3000
const STORM = { ask: { tokens: 5 }, load: { streams: 200, concurrency: 200 } } as const

/** Adds S16's figures. */
export async function runS16(bench: Bench): Promise<void> {
  const scenario = 'S16 openai over TLS, 100 events at 20 ms'
  await inFront(PACE, async (front) => {
    await against([], [...startsOf(front), inClear(front)], async (contenders) => {
      for (const each of contenders) await runStreams(each, WARM_UP.ask, WARM_UP.load)
      await interleave(bench, { scenario, entrants: contenders }, async (each, { add }) => {
        const load = { ...PACED.load, streams: scaled(bench, PACED.load.streams) }
        const { cpuUsPerEvent, gapMs } = await runStreams(each, PACED.ask, load)
        add('CPU us/event', cpuUsPerEvent)
        add('CPU us/event to clear', cpuUsPerEvent, IN_CLEAR)
        add('gap p99 ms', gapMs.p99, null)
      })
    })
  })
  await inFront(HELD_PACE, async (front) => {
    for (const start of startsOf(front)) {
      await against([], [start], async ([contender]) => {
        if (contender === undefined) return
        const where = { scenario: 'S16 held over TLS', contender: contender.name, round: 1 }
        await once(bench, where, contender, (each, { add }) => hold(each, { add, front }))
      })
    }
  })
  await inFront(PACE, async (front) => {
    for (const start of startsOf(front)) {
      await against([], [start], async ([contender]) => {
        if (contender === undefined) return
        const where = { scenario: 'S16 200 streams at once, cold', contender: contender.name, round: 1 }
        await once(bench, where, contender, (each, { add }) => storm(each, { add, front }))
      })
    }
  })
}

/** A simulator behind TLS. */
async function inFront(pace: readonly string[], measure: (front: Front) => Promise<void>): Promise<void> {
  const simulator = await startSimulator(pace)
  const talker = new Talker('tls-front.js', [simulator.origin])
  try {
    const { origin, certFile } = await talker.hear<Pick<Front, 'origin' | 'certFile'>>()
    await measure({ clear: simulator.origin, origin, certFile, connections: () => talker.ask<FrontReport>({}) })
  } finally {
    talker.stop()
    simulator.stop()
  }
}

function startsOf({ origin, certFile }: Front): readonly Start[] {
  const sluice = (name: string, http2: string) => startBefore(name, origin, { http2, tls: { caFile: certFile } })
  return [() => startTlsPipe(origin, certFile), sluice('sluice', 'off'), sluice('sluice, HTTP/2', 'auto')]
}

/** The same without TLS. */
function inClear({ clear }: Front): Start {
  return startBefore(IN_CLEAR, clear, {})
}

function startBefore(name: string, origin: string, options: object): Start {
  const openai = { protocol: 'openai-chat', baseUrl: `${origin}/v1`, apiKey: 'sk-bench', ...options }
  return (upstream) => startSluice(upstream, { name, providers: { openai } })
}

type Watched = { readonly add: Add; readonly front: Front }

async function hold(contender: Contender, { add, front }: Watched): Promise<void> {
  const generator = new Talker('held-generator.js')
  const rssKb: number[] = []
  try {
    let opened = 0
    for (const count of HELD) {
      const request = requestFor(contender, { tokens: HELD_TOKENS })
      await generator.ask<HeldReport>({ open: count - opened, request })
      opened = count
      const seen = await generator.ask<HeldReport>({ watchMs: WATCH_MS })
      if (seen.held !== count) throw new Error(`${seen.held} of ${count} streams are open`)
      rssKb.push((await settledRssBytes(contender.pid)) / 1024)
    }
    add('connections', (await front.connections()).open, null)
  } finally {
    generator.stop()
  }
  const [few = 0, many = 0] = rssKb
  add('RSS KB/stream', (many - few) / ((HELD[1] ?? 0) - (HELD[0] ?? 0)))
}

/** On a process that has no connection, and no TLS session. */
async function storm(contender: Contender, { add, front }: Watched): Promise<void> {
  const before = await front.connections()
  const { cpuUsPerEvent, firstMs } = await runStreams(contender, STORM.ask, STORM.load)
  const after = await front.connections()
  add('CPU ms', (cpuUsPerEvent * STORM.load.streams * STORM.ask.tokens) / 1000)
  add('first token p50 ms', firstMs.p50, null)
  add('first token p99 ms', firstMs.p99, null)
  add('connections', after.made - before.made, null)
  add('of them resumed', after.resumed - before.resumed, null)
}
