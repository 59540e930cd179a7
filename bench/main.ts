// npm run bench [-- --quick]: the simulator, each contender and the load in processes of their own, rounds interleaved,
// CPU per request and per event with median and spread, ratios to the bare pipe of the same run. Prints a table, writes JSON.
import { mkdirSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { parseArgs } from 'node:util'
import {
  type Contender,
  startBarePipe,
  startJoinedPipe,
  startNginx,
  startPortkey,
  startSimulator,
  startSluice,
} from './contenders.js'
import { runPlain } from './load/plain.bench.js'
import { runStreams, type StreamLoad } from './load/stream.bench.js'
import { type Spread, spread } from './stats.js'

type Figure = {
  readonly scenario: string
  readonly contender: string
  readonly unit: string
  readonly value: Spread
  ratio: number | null
}

/** Portkey takes about a millisecond of CPU a request: it gets a tenth of the load. */
const SLOW_SHARE = 10

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const rounds = values.quick ? 3 : 5
const size = values.quick ? 0.3 : 1

async function main(): Promise<void> {
  const plainStarts = [startBarePipe, startSluice, startNginx, startPortkey]
  const streamStarts = [startBarePipe, startJoinedPipe, startSluice, startNginx, startPortkey]
  report([
    ...(await against([], plainStarts, plain)),
    ...(await against([], streamStarts, (...all) => streams(UNPACED, ...all))),
    ...(await against(['--tokens-per-second', '50'], streamStarts, (...all) => streams(PACED, ...all))),
  ])
}

type Start = (upstream: string) => Promise<Contender | null>
type Measure = (contenders: readonly Contender[], simulator: Contender) => Promise<Figure[]>

/** Starts a simulator and the contenders in front of it, measures, stops them all. */
async function against(options: readonly string[], starts: readonly Start[], measure: Measure): Promise<Figure[]> {
  const simulator = await startSimulator(options)
  const contenders: Contender[] = []
  try {
    for (const start of starts) {
      const contender = await start(simulator.origin)
      if (contender !== null) contenders.push(contender)
    }
    return await measure(contenders, simulator)
  } finally {
    for (const each of [...contenders, simulator]) each.stop()
  }
}

async function plain(contenders: readonly Contender[], simulator: Contender): Promise<Figure[]> {
  const samples = new Samples()
  for (let round = 0; round <= rounds; round++) {
    process.stderr.write(`S1 round ${round}\n`)
    for (const each of contenders) {
      const amount = Math.round((each.name === 'portkey' ? 20_000 / SLOW_SHARE : 20_000) * size)
      const busy = await runPlain(each, 32, amount)
      const single = await runPlain(each, 1, Math.round(amount / 8))
      // Round 0 is the warm-up.
      if (round === 0) continue
      samples.add('S1 plain, c=32', each.name, 'CPU us/request', busy.cpuUsPerRequest)
      samples.add('S1 plain, c=32', each.name, 'requests/s', busy.requestsPerSec)
      samples.add('S1 plain, c=1', each.name, 'p50 ms', single.p50Ms)
      samples.add('S1 plain, c=1', each.name, 'p99 ms', single.p99Ms)
    }
    if (round > 0) {
      const direct = await runPlain(simulator, 1, Math.round(2500 * size))
      samples.add('S1 plain, c=1', 'direct', 'p50 ms', direct.p50Ms)
      samples.add('S1 plain, c=1', 'direct', 'p99 ms', direct.p99Ms)
    }
  }
  return samples.figures()
}

/** Streams of one pace. `streams` and `concurrency` for each length of stream. */
type StreamPlan = {
  readonly name: string
  readonly loads: readonly { readonly events: number; readonly streams: number; readonly concurrency: number }[]
}

const UNPACED: StreamPlan = {
  name: 'S3 passthrough',
  loads: [
    { events: 100, streams: 1200, concurrency: 16 },
    { events: 1000, streams: 120, concurrency: 16 },
  ],
}

/** As models write: 20 ms between events, so that each one is a read and a write of its own. */
const PACED: StreamPlan = {
  name: 'S3 passthrough, 20 ms pace',
  loads: [{ events: 100, streams: 600, concurrency: 200 }],
}

async function streams(plan: StreamPlan, contenders: readonly Contender[], simulator: Contender): Promise<Figure[]> {
  const samples = new Samples()
  for (const whole of plan.loads) {
    const { events } = whole
    const load = { ...whole, streams: Math.max(8, Math.round(whole.streams * size)), hash: false }
    const scenario = `${plan.name}, ${events} events`
    const expected = (await runStreams(simulator, { events, streams: 2, concurrency: 1, hash: true })).hashes.length
    const able = await warmUp(contenders, { load, expected, scenario })
    for (let round = 1; round <= rounds; round++) {
      process.stderr.write(`${scenario} round ${round}\n`)
      for (const each of able) {
        const sample = await runStreams(each, load)
        samples.add(scenario, each.name, 'CPU us/event', sample.cpuUsPerEvent)
        samples.add(scenario, each.name, 'events/s', sample.eventsPerSec)
        samples.add(scenario, each.name, 'first event p50 ms', sample.firstP50Ms)
        samples.add(scenario, each.name, 'first event p99 ms', sample.firstP99Ms)
        samples.add(scenario, each.name, 'gap p99 ms', sample.gapP99Ms)
      }
    }
  }
  return samples.figures()
}

/** Runs everyone once, unmeasured. A peer that cannot stream here is left out by name; ours and the floor must not fail. */
async function warmUp(
  contenders: readonly Contender[],
  { load, expected, scenario }: { load: StreamLoad; expected: number; scenario: string },
): Promise<Contender[]> {
  const able: Contender[] = []
  for (const each of contenders) {
    try {
      await runStreams(each, load)
      const { hashes } = await runStreams(each, { ...load, streams: 2, concurrency: 1, hash: true })
      if (hashes.length > expected) throw new Error(`${each.name}: bodies differ`)
      able.push(each)
    } catch (error) {
      if (each.name !== 'portkey') throw error
      process.stderr.write(`${scenario}: left out: ${error instanceof Error ? error.message : String(error)}\n`)
    }
  }
  return able
}

/** Samples by scenario, contender and unit, in the order they first came. */
class Samples {
  readonly #values = new Map<string, { scenario: string; contender: string; unit: string; samples: number[] }>()

  add(scenario: string, contender: string, unit: string, sample: number): void {
    const key = `${scenario}|${unit}|${contender}`
    const entry = this.#values.get(key) ?? { scenario, contender, unit, samples: [] }
    entry.samples.push(sample)
    this.#values.set(key, entry)
  }

  figures(): Figure[] {
    const figures = [...this.#values.values()].map(({ scenario, contender, unit, samples }) => ({
      scenario,
      contender,
      unit,
      value: spread(samples),
      ratio: null as number | null,
    }))
    for (const figure of figures) {
      const floor = figures.find(
        (each) => each.contender === 'bare pipe' && each.scenario === figure.scenario && each.unit === figure.unit,
      )
      if (floor !== undefined && floor.value.median > 0) figure.ratio = figure.value.median / floor.value.median
    }
    return figures.sort((a, b) => `${a.scenario}|${a.unit}`.localeCompare(`${b.scenario}|${b.unit}`))
  }
}

function report(figures: readonly Figure[]): void {
  const out = process.stdout
  out.write(
    `\nNode ${process.version}, V8 ${process.versions.v8}, Linux ${release()}, ${rounds} rounds, median (min..max)\n\n`,
  )
  out.write('| scenario | unit | contender | median | spread | x bare pipe |\n| --- | --- | --- | --: | --: | --: |\n')
  for (const { scenario, unit, contender, value, ratio } of figures) {
    out.write(
      `| ${scenario} | ${unit} | ${contender} | ${format(value.median)} | ${format(value.min)}..${format(value.max)} | ${ratio === null ? '' : ratio.toFixed(2)} |\n`,
    )
  }
  const folder = new URL('../../bench/out/', import.meta.url)
  mkdirSync(folder, { recursive: true })
  const versions = { node: process.version, v8: process.versions.v8, kernel: release() }
  writeFileSync(new URL('latest.json', folder), JSON.stringify({ versions, rounds, figures }, null, 1))
}

function format(value: number): string {
  return value >= 1000 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(3)
}

await main()
