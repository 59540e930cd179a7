// S1: what does a small request cost that is not streamed? 1 KB in, 0.7 KB out, c=32 for CPU and c=1 for added latency.
// The load comes from autocannon in a process of its own; a single failed request voids the sample.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Contender } from '../contenders.js'
import { cpuMs } from '../stats.js'

export type PlainSample = {
  readonly cpuUsPerRequest: number
  readonly requestsPerSec: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** The parts of autocannon's JSON report that are read. */
type Report = {
  readonly requests: { readonly total: number; readonly average: number }
  readonly latency: { readonly p50: number; readonly p99: number }
  readonly non2xx: number
  readonly errors: number
  readonly duration: number
}

const AUTOCANNON = fileURLToPath(new URL('../../../node_modules/autocannon/autocannon.js', import.meta.url))

/** A request of 1 KB whose answer by the simulator is about 0.7 KB. */
export function plainBody(model: string): string {
  const content = 'word '.repeat(170)
  return JSON.stringify({ model, messages: [{ role: 'user', content }], max_tokens: 64 })
}

/** Runs `amount` requests over `connections`. @throws when any of them failed */
export async function runPlain(contender: Contender, connections: number, amount: number): Promise<PlainSample> {
  const args = [AUTOCANNON, '--json', '-c', String(connections), '-a', String(amount), '-m', 'POST']
  const headers = { 'content-type': 'application/json', ...contender.headers }
  for (const [name, value] of Object.entries(headers)) args.push('-H', `${name}=${value}`)
  args.push('-b', plainBody(contender.model('lorem')), `${contender.origin}/v1/chat/completions`)
  const before = cpuMs(contender.pid)
  const report = JSON.parse(await run(args)) as Report
  const cpu = cpuMs(contender.pid) - before
  if (report.non2xx > 0 || report.errors > 0) {
    throw new Error(`${contender.name}: ${report.non2xx} bad answers, ${report.errors} errors`)
  }
  return {
    cpuUsPerRequest: (cpu * 1000) / amount,
    requestsPerSec: amount / report.duration,
    p50Ms: report.latency.p50,
    p99Ms: report.latency.p99,
  }
}

function run(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString()
    })
    child.once('error', reject)
    child.once('close', () => resolve(out))
  })
}
