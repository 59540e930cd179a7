// npm run soak: a real gateway before a real simulator, under mixed load with faults, aborts, slow readers and reloads for ten
// minutes (SOAK_MINUTES). Prints a line every half a minute and a verdict; exit code 1 if memory or descriptors grow, an end
// was not clear, or the gateway complained. Then the floods (floods.ts), some three minutes. SEED=n draws the same load.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { type Running, simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { descriptorCount, INSPECTED, memoryOf } from '../helpers/inspector.js'
import { parsePage, type Sample } from '../helpers/prometheus.js'
import { Random } from '../helpers/random.js'
import { Clients } from './clients.js'
import { runFloods } from './floods.js'
import { type Growth, growthOf, median } from './growth.js'

const MINUTES = Number(process.env.SOAK_MINUTES ?? 10)
const CLIENTS = Number(process.env.SOAK_CLIENTS ?? 24)
const SAMPLE_MS = 10_000
const LINE_EVERY = 2
const RELOAD_EVERY = 2
/** Code is compiled, pools and caches fill. */
const WARM_UP_SHARE = 0.3
/** Of resident memory, of what has surely grown: the allocator's pages come and go by some percent. */
const MAX_GROWTH = 0.01
/**
 * Of memory in use, surely grown: V8 still learns and compiles after minutes, 28 bytes a request in a run of ten; the least
 * that a leak would keep of an exchange is more.
 */
const MAX_BYTES_A_REQUEST = 64
const MAX_DESCRIPTOR_GROWTH = 1.25
const SETTLE_MS = 10_000
const KEEP_ALIVE_MS = 2000
/** Of the worker threads, which the first large body starts. */
const POOL_DESCRIPTORS = 8
/** As the image has them: without, glibc keeps what large buffers took, 7 % more within ten minutes. */
const ALLOCATOR = { MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' }
const MEBIBYTE = 1024 * 1024
const INSPECTOR_WORDS = /^(?:Debugger |For help, see: ).*\n/gm

type Look = {
  readonly atMs: number
  readonly rssBytes: number
  readonly usedBytes: number
  readonly descriptors: number
  /** Requests so far. */
  readonly asked: number
}

const closers: (() => unknown)[] = []
const ground = { teardown: (close: () => unknown) => void closers.push(close) }

function configOf(simulator: Running, round: number): object {
  const timeouts = { connectMs: 2000, firstTokenMs: 2000, betweenTokensMs: 3000, wholeMs: 6000 }
  const providers = Object.entries(simulatedProviders(simulator.origin)).map(([name, provider]) => [
    name,
    { ...provider, keepAliveMs: KEEP_ALIVE_MS, timeouts },
  ])
  return {
    server: { port: 0, readerStallMs: 2000 },
    log: { level: 'warn' },
    // The large prompt is for the workers.
    offload: { minBytes: 32_768 },
    // A machine that is short of processors for other reasons shall not cost requests here.
    limits: { concurrency: 2000 + round, shed: { lagMs: null } },
    providers: Object.fromEntries(providers),
    models: { both: { targets: ['openai/lorem-max', 'anthropic/lorem-max'], hedge: { afterMs: 500 } } },
  }
}

async function scrape({ origin }: Running): Promise<Sample[]> {
  return parsePage(await (await request(`${origin}/metrics`)).body.text()).samples
}

function sumOf(samples: readonly Sample[], name: string): number {
  return samples.filter((sample) => sample.name === name).reduce((total, { value }) => total + value, 0)
}

async function look(gateway: Running, asked: number): Promise<Look> {
  const { rssBytes, usedBytes } = await memoryOf(gateway)
  return { atMs: performance.now(), rssBytes, usedBytes, descriptors: descriptorCount(gateway.pid), asked }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function mib(bytes: number): string {
  return `${(bytes / MEBIBYTE).toFixed(1)} MiB`
}

async function soak(): Promise<string[]> {
  const random = Random.ofRun()
  say(`soak of ${MINUTES} minutes, ${CLIENTS} clients, SEED=${random.seed}`)
  const simulator = await startSimulator(ground, ['--tokens-per-second', '100'])
  const gateway = await startGateway(ground, { config: configOf(simulator, 0), env: { ...INSPECTED, ...ALLOCATOR } })
  await scrape(gateway)
  const descriptorsBefore = descriptorCount(gateway.pid)
  const agent = new Agent({ connections: CLIENTS, keepAliveTimeout: KEEP_ALIVE_MS })
  const clients = new Clients(gateway.origin, random, agent)
  const load = clients.run(CLIENTS)

  const startedAtMs = performance.now()
  const endMs = startedAtMs + MINUTES * 60_000
  const looks: Look[] = []
  while (performance.now() < endMs && gateway.child.exitCode === null) {
    await sleep(Math.min(SAMPLE_MS, Math.max(0, endMs - performance.now())))
    // Looked at with nothing in flight: what a request holds while it runs is no growth.
    await clients.rest()
    looks.push(await look(gateway, clients.tally.asked))
    clients.go()
    if (looks.length % RELOAD_EVERY === 0) {
      writeFileSync(join(gateway.folder, 'sluice.json'), JSON.stringify(configOf(simulator, looks.length)))
      gateway.child.kill('SIGHUP')
    }
    if (looks.length % LINE_EVERY === 0) tell(looks, clients, startedAtMs)
  }
  clients.stop()
  await load
  await agent.close()
  const faults = await settle(gateway, descriptorsBefore)
  await simulator.stop()
  return [...clients.complaints, ...faults, ...judge(looks, startedAtMs), ...(await runFloods(ground, say))]
}

function tell(looks: readonly Look[], { tally, complaints }: Clients, startedAtMs: number): void {
  const last = looks.at(-1)
  if (last === undefined) return
  const seconds = Math.round((last.atMs - startedAtMs) / 1000)
  const { asked, complete, failed, left } = tally
  say(
    `${seconds} s: asked ${asked}, complete ${complete}, failed ${failed}, left ${left}; ` +
      `resident ${mib(last.rssBytes)}, in use ${mib(last.usedBytes)}, ${last.descriptors} descriptors; ` +
      `${complaints.length} complaints`,
  )
}

/** Once nobody asks any more, everything must come back to where it was. */
async function settle(gateway: Running, descriptorsBefore: number): Promise<string[]> {
  if (gateway.child.exitCode !== null) return [`the gateway ended with ${gateway.child.exitCode}`]
  const deadlineMs = performance.now() + SETTLE_MS
  let faults: string[]
  do {
    await sleep(200)
    const open = sumOf(await scrape(gateway), 'sluice_active_requests')
    const descriptors = descriptorCount(gateway.pid)
    faults = open === 0 ? [] : [`${open} requests are in flight`]
    if (descriptors > descriptorsBefore + POOL_DESCRIPTORS)
      faults.push(`${descriptors} descriptors, ${descriptorsBefore} before`)
  } while (faults.length > 0 && performance.now() < deadlineMs)
  const samples = await scrape(gateway)
  const rejected = samples.find(
    ({ name, labels }) => name === 'sluice_config_reloads_total' && labels.result === 'rejected',
  )
  if ((rejected?.value ?? 0) > 0) faults.push('a reload was rejected')
  const words = gateway.complaints.replace(INSPECTOR_WORDS, '')
  if (words !== '') faults.push(`standard error: ${words.slice(0, 500)}`)
  const code = await gateway.stop()
  if (code !== 0) faults.push(`exit code ${code}`)
  return faults
}

function judge(looks: readonly Look[], startedAtMs: number): string[] {
  const warmMs = startedAtMs + MINUTES * 60_000 * WARM_UP_SHARE
  const warm = looks.filter(({ atMs }) => atMs >= warmMs)
  const resident = growthOf(warm.map(({ atMs, rssBytes }) => [atMs, rssBytes]))
  const used = growthOf(warm.map(({ atMs, usedBytes }) => [atMs, usedBytes]))
  const half = Math.ceil(warm.length / 2)
  const [early, late] = [warm.slice(0, half), warm.slice(half)].map((part) =>
    median(part.map((one) => one.descriptors)),
  )
  const asked = (warm.at(-1)?.asked ?? 0) - (warm[0]?.asked ?? 0)
  const perRequest = (used.atLeast * median(warm.map(({ usedBytes }) => usedBytes))) / Math.max(1, asked)
  say(
    `after the warm-up: resident ${tellGrowth(resident)}, in use ${tellGrowth(used)}, ` +
      `surely ${perRequest.toFixed(0)} bytes a request; descriptors ${early} then ${late} (medians)`,
  )
  const faults: string[] = []
  if (resident.atLeast > MAX_GROWTH) faults.push(`resident memory grew by ${tellGrowth(resident)}`)
  if (perRequest > MAX_BYTES_A_REQUEST) faults.push(`memory in use grew by ${perRequest.toFixed(0)} bytes a request`)
  if ((late ?? 0) > (early ?? 0) * MAX_DESCRIPTOR_GROWTH) faults.push(`descriptors grew from ${early} to ${late}`)
  return faults
}

function tellGrowth({ share, atLeast }: Growth): string {
  const percent = (value: number) => `${(value * 100).toFixed(2)} %`
  return `${percent(share)} (surely ${percent(atLeast)})`
}

let faults: string[]
try {
  faults = await soak()
} finally {
  for (const close of closers) await close()
}
for (const fault of faults.slice(0, 20)) say(`FAULT ${fault}`)
say(faults.length === 0 ? 'PASS' : `FAIL: ${faults.length} faults`)
process.exitCode = faults.length === 0 ? 0 : 1
