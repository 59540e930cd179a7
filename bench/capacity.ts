// npm run bench:capacity [-- --write]: measures what one gateway and one Redis spend on a request, an event and a held stream, computes
// from that what nodes and fleets carry (capacity/plan.ts), checks two of these predictions with two and four processes, and prints
// docs/internals/capacity.md, or writes it. Some three minutes; nothing else should run.
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { type Check, type Machine, printCapacity } from './capacity/page.js'
import { type Figures } from './capacity/plan.js'
import { ROOT, Talker } from './children.js'
import { against, type Contender, type Start, sluiceWith } from './contenders.js'
import { runPlain } from './plain-load.js'
import { type BenchRedis, startRedis } from './redis.js'
import { requestFor } from './requests.js'
import { type HeldReport, settledRssBytes, spread } from './stats.js'
import { runStreams } from './stream-load.js'

const PAGE = `${ROOT}docs/internals/capacity.md`
const ROUNDS = 3
/** As in S1: 1 KB, and 0.7 KB for 64 tokens. */
const SMALL = { tokens: 64, stream: false, promptBytes: 850 }
const REQUESTS = { connections: 32, amount: 4000 }
const WARM_UP = { connections: 32, amount: 6000 }
const PACE = ['--tokens-per-second', '50']
const STREAMS = { ask: { tokens: 100 }, load: { streams: 300, concurrency: 200, rampMs: 2000 } } as const
const STREAM_SEC = 2
const HELD_PACE = ['--tokens-per-second', '0.5']
const HELD = [1000, 4000]
const HELD_TOKENS = 4000
const WATCH_MS = 5000
const MANY = [2, 4]

const median = (samples: readonly number[]) => spread(samples).median

async function measure(redis: BenchRedis): Promise<{ figures: Figures; checks: Check[] }> {
  const withRedis: Start = sluiceWith({ redis: { url: redis.url } })
  const small = await against([], [sluiceWith({}), withRedis], async (pair) => {
    for (const each of pair) await runPlain(each, requestFor(each, SMALL), WARM_UP)
    const cpuUs: [number[], number[]] = [[], []]
    const calls: number[] = []
    const redisUs: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, each] of pair.entries()) {
        const before = redis.look()
        cpuUs[i === 0 ? 0 : 1].push((await runPlain(each, requestFor(each, SMALL), REQUESTS)).cpuUsPerRequest)
        const after = redis.look()
        if (i === 0) continue
        calls.push((after.calls - before.calls) / REQUESTS.amount)
        redisUs.push(((after.cpuMs - before.cpuMs) * 1000) / REQUESTS.amount)
      }
    }
    return { alone: median(cpuUs[0]), shared: median(cpuUs[1]), calls: median(calls), redisUs: median(redisUs) }
  })
  const kept: Start = sluiceWith({
    redis: { url: redis.url },
    streams: { store: 'redis', resume: 'always', tokenSecret: 'bench-capacity-0123456789abcdef0123' },
  })
  const paced = await against(PACE, [sluiceWith({}), kept], async ([plain, keeping]) => {
    if (plain === undefined || keeping === undefined) throw new Error('not started')
    for (const each of [plain, keeping]) await runStreams(each, STREAMS.ask, { streams: 600, concurrency: 200 })
    const eventUs: number[] = []
    for (let round = 0; round < ROUNDS; round++)
      eventUs.push((await runStreams(plain, STREAMS.ask, STREAMS.load)).cpuUsPerEvent)
    const before = redis.look()
    await runStreams(keeping, STREAMS.ask, STREAMS.load)
    const after = redis.look()
    const streamSec = STREAMS.load.streams * STREAM_SEC
    const bytes = (await (await post(plain, 100)).text()).length / 100
    return {
      eventUs: median(eventUs),
      bytes,
      calls: (after.calls - before.calls) / streamSec,
      redisUs: ((after.cpuMs - before.cpuMs) * 1000) / streamSec,
    }
  })
  const held = await against(HELD_PACE, [sluiceWith({})], ([each]) => hold(each))
  const [[few, fewMb], [many, manyMb]] = held
  const kbPerStream = ((manyMb - fewMb) * 1024) / (many - few)
  const figures: Figures = {
    cpuUsPerRequest: small.alone,
    cpuUsPerEvent: paced.eventUs,
    bytesPerEvent: paced.bytes,
    baseMb: fewMb - (few * kbPerStream) / 1024,
    kbPerStream,
    redis: {
      callsPerRequest: small.calls,
      cpuUsPerRequest: small.redisUs,
      callsPerStreamSec: paced.calls,
      cpuUsPerStreamSec: paced.redisUs,
      gatewayCpuUsPerRequest: small.shared,
    },
  }
  const checks: Check[] = []
  for (const processes of MANY) checks.push(await check(redis, withRedis, processes))
  return { figures, checks }
}

/** As many gateways as told share one Redis and the same load each. */
async function check(redis: BenchRedis, start: Start, processes: number): Promise<Check> {
  return against(
    [],
    Array.from({ length: processes }, () => start),
    async (all) => {
      const load = { connections: REQUESTS.connections / processes, amount: REQUESTS.amount }
      const ask = (each: Contender, amount: number) => runPlain(each, requestFor(each, SMALL), { ...load, amount })
      await Promise.all(all.map((each) => ask(each, WARM_UP.amount)))
      const before = redis.look()
      const samples = await Promise.all(all.map((each) => ask(each, load.amount)))
      const after = redis.look()
      const requests = load.amount * processes
      return {
        processes,
        gatewayCpuUsPerRequest: samples.reduce((total, { cpuUsPerRequest }) => total + cpuUsPerRequest, 0) / processes,
        redisCpuUsPerRequest: ((after.cpuMs - before.cpuMs) * 1000) / requests,
        callsPerRequest: (after.calls - before.calls) / requests,
      }
    },
  )
}

type Point = readonly [streams: number, mb: number]

async function hold(contender: Contender | undefined): Promise<readonly [Point, Point]> {
  if (contender === undefined) throw new Error('not started')
  const generator = new Talker('held-generator.js')
  const points: Point[] = []
  try {
    const request = requestFor(contender, { tokens: HELD_TOKENS })
    let opened = 0
    for (const count of HELD) {
      await generator.ask<HeldReport>({ open: count - opened, request })
      opened = count
      const { held } = await generator.ask<HeldReport>({ watchMs: WATCH_MS })
      if (held !== count) throw new Error(`${held} of ${count} streams are open`)
      points.push([count, (await settledRssBytes(contender.pid)) / 1024 ** 2])
    }
  } finally {
    generator.stop()
  }
  const [few, many] = points
  if (few === undefined || many === undefined) throw new Error('not held')
  return [few, many]
}

function post(contender: Contender, tokens: number): Promise<Response> {
  const { origin, path, headers, body } = requestFor(contender, { tokens })
  return fetch(origin + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })
}

const redis = await startRedis()
if (redis === null) {
  process.stderr.write('bench:capacity needs redis-server.\n')
  process.exit(1)
}
const { figures, checks } = await measure(redis)
redis.stop()
const machine: Machine = { node: process.version, cores: cpus().length }
const page = printCapacity(figures, checks, machine)
if (process.argv.includes('--write')) writeFileSync(PAGE, page)
process.stdout.write(page)
process.exit(0)
