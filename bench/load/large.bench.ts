// S2: what does a large request cost, do the small ones beside it feel it, and from which size on does the pool of workers pay
// off? The last is the curve by which `offload.minBytes` is chosen.
import { runOnce } from '../children.js'
import { against, type Contender, sluiceWith, startBarePipe, startNginx, startSluice } from '../contenders.js'
import { type OpenReport, quantileOf } from '../open-load.js'
import { runPlain } from '../plain-load.js'
import { type Ask, requestFor } from '../requests.js'
import { type Add, type Bench, interleave, scaled } from '../rounds.js'

const KB = 1024
/** Requests of one sample, for about a second's work. */
const SIZES = [
  { name: '128 KB', bytes: 128 * KB, amount: 400 },
  { name: '512 KB', bytes: 512 * KB, amount: 120 },
  { name: '2 MB', bytes: 2048 * KB, amount: 32 },
] as const
const CURVE = [
  { name: '4 KB', bytes: 4 * KB, amount: 2000 },
  { name: '16 KB', bytes: 16 * KB, amount: 1600 },
  { name: '32 KB', bytes: 32 * KB, amount: 1200 },
  { name: '64 KB', bytes: 64 * KB, amount: 800 },
  { name: '128 KB', bytes: 128 * KB, amount: 400 },
  { name: '512 KB', bytes: 512 * KB, amount: 120 },
] as const
const CONNECTIONS = 8
const WARM_UP_REQUESTS = 6000
const LARGE_CONNECTIONS = 4
const CURVE_ROUNDS = 3
const NEVER = 1024 * KB * KB

/** Adds S2's figures. */
export async function runS2(bench: Bench): Promise<void> {
  await against([], [startBarePipe, startSluice, startNginx], async (contenders) => {
    await warmUp(contenders)
    for (const { name, bytes, amount } of SIZES) {
      await interleave(bench, { scenario: `S2 ${name}`, entrants: contenders }, async (each, { add }) => {
        const load = { connections: LARGE_CONNECTIONS, amount: scaled(bench, amount) }
        const sample = await runPlain(each, requestFor(each, askOf(bytes)), load)
        add('CPU us/request', sample.cpuUsPerRequest)
      })
    }
  })
  await addCurve(bench)
  await against([], [startBarePipe, startSluice], (contenders) => addBeside(bench, contenders))
}

/** The few large ones of a round would not bring V8 to compile what they run. */
async function warmUp(contenders: readonly Contender[]): Promise<void> {
  const load = { connections: CONNECTIONS, amount: WARM_UP_REQUESTS }
  for (const each of contenders) await runPlain(each, requestFor(each, askOf(KB)), load)
}

/** All inline against all in the pool, by size: CPU in all, and what of it keeps the event loop from others. */
async function addCurve(bench: Bench): Promise<void> {
  const inline = sluiceWith({ name: 'sluice, inline', offload: { minBytes: NEVER } })
  const pool = sluiceWith({ name: 'sluice, pool', offload: { minBytes: 0 } })
  await against([], [inline, pool], async (entrants) => {
    await warmUp(entrants)
    for (const { name, bytes, amount } of CURVE) {
      const plan = { scenario: `S2 curve, ${name}`, entrants, rounds: Math.min(bench.rounds, CURVE_ROUNDS) }
      await interleave(bench, plan, async (each, { add }) => {
        const load = { connections: CONNECTIONS, amount: scaled(bench, amount) }
        const sample = await runPlain(each, requestFor(each, askOf(bytes)), load)
        add('CPU us/request', sample.cpuUsPerRequest, 'sluice, inline')
        add('event loop us/request', sample.loopUsPerRequest, 'sluice, inline')
      })
    }
  })
}

const BESIDE_ROUNDS = 3
const QUICK_BESIDE_ROUNDS = 1
const SMALL_PER_SEC = 200
const BESIDE_SEC = 5

/** Small ones alone, then beside one of 2 MB a second. */
async function addBeside(bench: Bench, contenders: readonly Contender[]): Promise<void> {
  const rounds = bench.isQuick ? QUICK_BESIDE_ROUNDS : BESIDE_ROUNDS
  const scenario = 'S2 200 small/s'
  const twice = contenders.flatMap((each) => [
    { name: each.name, each, isBeside: false },
    { name: `${each.name}, beside 2 MB/s`, each, isBeside: true },
  ])
  await interleave(bench, { scenario, entrants: twice, rounds }, async ({ each, isBeside }, { add, isWarmUp }) => {
    const seconds = isWarmUp || bench.isQuick ? 2 : BESIDE_SEC
    const small = open(each, askOf(KB), SMALL_PER_SEC, seconds)
    // Both are awaited, so that nothing of this sample runs on into the next one.
    const large = isBeside ? open(each, askOf(2048 * KB), 1, seconds) : null
    const [report] = await Promise.all([small, large])
    addTimes(add, report, each.name)
  })
}

function addTimes(add: Add, { servedMs }: OpenReport, floor: string): void {
  add('p50 ms', quantileOf(servedMs, 0.5), floor)
  add('p99 ms', quantileOf(servedMs, 0.99), floor)
}

async function open(contender: Contender, ask: Ask, perSec: number, seconds: number): Promise<OpenReport> {
  const { origin, path, headers, body } = requestFor(contender, ask)
  const load = { url: origin + path, headers, body, perSec, seconds }
  const report = await runOnce<OpenReport>('open-generator.js', load)
  if (report.failed + report.refused > 0) throw new Error(`${report.failed} failed, ${report.refused} refused`)
  return report
}

function askOf(promptBytes: number): Ask {
  return { tokens: 64, stream: false, promptBytes }
}
