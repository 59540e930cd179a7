// What does it cost to accept jobs? How many a second the embedded store takes, each on the disk before its 202; and what
// becomes of live requests of 1 KB beside a steady stream of jobs. The jobs' provider is slow, as models are, so that it is
// accepting that is measured and not the runs. Gateway, simulators and the jobs' load are processes of their own.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { outputOf } from '../children.js'
import { quantileOf, runOpenLoad } from '../open-load.js'
import { cpuMs, type Spread, spread } from '../stats.js'

export type JobsOptions = {
  readonly rounds: number
  /** Of each of the two live measurements of a round. */
  readonly seconds: number
  /** Jobs of one burst. */
  readonly burst: number
  /** A line for whoever waits. */
  say(text: string): void
}

/** Of all rounds; the ratio is that of the two measurements of one round. */
export type JobsFigures = {
  readonly acceptedPerSec: Spread
  /** Of the gateway, all its threads: holds on a machine that is busy with other things as well. */
  readonly cpuUsPerJob: Spread
  readonly liveP99Ms: Spread
  readonly besideP99Ms: Spread
  readonly besideRatio: Spread
  /** What was in fact accepted beside the live requests. */
  readonly steadyPerSec: Spread
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const MAIN = join(ROOT, 'dist/src/main.js')
const AUTOCANNON = join(ROOT, 'node_modules/autocannon/autocannon.js')
/** Of the two figures that the goal names, between them. */
const STEADY_PER_SEC = 750
const LIVE_PER_SEC = 200
const BURST_CONNECTIONS = 64
const STEADY_CONNECTIONS = 16
/** More than any round adds: the cap is not what is measured. */
const NO_CAP = 10_000_000
const WARM_UP = 2000

type Report = {
  readonly non2xx: number
  readonly errors: number
  readonly duration: number
  readonly requests: { readonly total: number }
}

/** Starts what it needs and measures. @throws when a request failed */
export async function runJobs(options: JobsOptions): Promise<JobsFigures> {
  const bench = new Processes()
  try {
    const { origin: quick } = await bench.start(['simulate', '--port', '0', '--tokens-per-second', '1000000'])
    const { origin: slow } = await bench.start(['simulate', '--port', '0', '--tokens-per-second', '50'])
    const gateway = await bench.start(['start', '--config', bench.write(configOf(quick, slow, bench.folder))])
    await sendJobs(gateway.origin, ['-c', String(BURST_CONNECTIONS), '-a', String(WARM_UP)])
    await live(gateway.origin, options.seconds / 2)
    const rounds: Round[] = []
    for (let i = 1; i <= options.rounds; i++) {
      options.say(`jobs, round ${i} of ${options.rounds}`)
      rounds.push(await measure(gateway, options))
    }
    return {
      acceptedPerSec: spread(rounds.map((round) => round.acceptedPerSec)),
      cpuUsPerJob: spread(rounds.map((round) => round.cpuUsPerJob)),
      liveP99Ms: spread(rounds.map((round) => round.aloneMs)),
      besideP99Ms: spread(rounds.map((round) => round.besideMs)),
      besideRatio: spread(rounds.map((round) => round.besideMs / round.aloneMs)),
      steadyPerSec: spread(rounds.map((round) => round.steadyPerSec)),
    }
  } finally {
    bench.end()
  }
}

type Round = {
  readonly acceptedPerSec: number
  readonly cpuUsPerJob: number
  readonly aloneMs: number
  readonly besideMs: number
  readonly steadyPerSec: number
}

async function measure({ origin: gateway, pid }: Started, { seconds, burst }: JobsOptions): Promise<Round> {
  const beforeMs = cpuMs(pid)
  const acceptedPerSec = await sendJobs(gateway, ['-c', String(BURST_CONNECTIONS), '-a', String(burst)])
  const cpuUsPerJob = ((cpuMs(pid) - beforeMs) * 1000) / burst
  const aloneMs = await live(gateway, seconds)
  // Begins before the live requests and ends after them.
  const steady = sendJobs(gateway, [
    ...['-c', String(STEADY_CONNECTIONS), '-R', String(STEADY_PER_SEC), '-d', String(Math.ceil(seconds) + 3)],
  ])
  await new Promise((resolve) => setTimeout(resolve, 2000))
  const besideMs = await live(gateway, seconds)
  return { acceptedPerSec, cpuUsPerJob, aloneMs, besideMs, steadyPerSec: await steady }
}

/** The p99 of live requests, in ms. */
async function live(gateway: string, seconds: number): Promise<number> {
  const load = { url: urlOf(gateway), body: bodyOf('quick/lorem-max'), perSec: LIVE_PER_SEC, seconds }
  const { sent, servedMs } = await runOpenLoad(load)
  if (servedMs.length < sent) throw new Error(`${sent - servedMs.length} of ${sent} live requests failed`)
  return quantileOf(servedMs, 0.99)
}

/** Jobs accepted a second. */
async function sendJobs(gateway: string, load: readonly string[]): Promise<number> {
  const headers = ['-H', 'content-type=application/json', '-H', 'prefer=respond-async']
  const args = [AUTOCANNON, '--json', '-m', 'POST', ...load, ...headers, '-b', bodyOf('slow/lorem-max'), urlOf(gateway)]
  const { non2xx, errors, requests, duration } = JSON.parse(await outputOf(args)) as Report
  if (non2xx > 0 || errors > 0) throw new Error(`${non2xx} jobs refused, ${errors} errors`)
  return requests.total / duration
}

function urlOf(gateway: string): string {
  return `${gateway}/v1/chat/completions`
}

/** 1 KB; its answer is about 0.7 KB. */
function bodyOf(model: string): string {
  return JSON.stringify({ model, messages: [{ role: 'user', content: 'word '.repeat(170) }], max_tokens: 64 })
}

function configOf(quick: string, slow: string, folder: string): object {
  const provider = (origin: string): object => ({ protocol: 'openai-chat', baseUrl: `${origin}/v1` })
  return {
    server: { port: 0 },
    limits: { concurrency: 100_000, requestsPerMinute: 60_000_000 },
    providers: { quick: provider(quick), slow: provider(slow) },
    jobs: { path: join(folder, 'jobs.db'), maxPendingPerKey: NO_CAP, maxPending: NO_CAP },
    log: { file: join(folder, 'sluice.log') },
  }
}

type Started = { readonly origin: string; readonly pid: number }

/** Processes of one run, in a folder of their own. */
class Processes {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-bench-jobs-'))
  readonly #children: ChildProcess[] = []

  write(config: object): string {
    const file = join(this.folder, 'sluice.json')
    writeFileSync(file, JSON.stringify(config))
    return file
  }

  /** Resolves once it has told its address. */
  start(args: readonly string[]): Promise<Started> {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'inherit'], cwd: this.folder })
    this.#children.push(child)
    return new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`ended with ${code}`)))
      createInterface({ input: child.stdout }).on('line', (line) => {
        const origin = /https?:\/\/[\w.:]+/.exec(line)?.[0]
        if (origin !== undefined) resolve({ origin, pid: child.pid ?? 0 })
      })
    })
  }

  end(): void {
    for (const child of this.#children) child.kill('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }
}
