// Runs autocannon, in a process of its own, against a contender and counts the contender's CPU. For answers that do not stream.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { outputOf, ROOT } from './children.js'
import { type Contender } from './contenders.js'
import { type BenchRequest } from './requests.js'
import { cpuMs, firstThreadCpuMs } from './stats.js'

export type PlainSample = {
  readonly cpuUsPerRequest: number
  /** Of its first thread alone: what keeps the first event loop from others. */
  readonly loopUsPerRequest: number
  readonly requestsPerSec: number
}

export type PlainLoad = { readonly connections: number; readonly amount: number }

/** The parts of autocannon's JSON report that are read. */
type Report = {
  readonly non2xx: number
  readonly errors: number
  readonly duration: number
  readonly requests: { readonly total: number }
}

const AUTOCANNON = join(ROOT, 'node_modules/autocannon/autocannon.js')

/** Sends `amount` requests. @throws when any of them failed */
export async function runPlain(contender: Contender, request: BenchRequest, load: PlainLoad): Promise<PlainSample> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-load-'))
  const amount = Math.round(load.amount)
  try {
    // As a file: an argument holds no more than 128 KiB.
    const file = join(folder, 'body.json')
    writeFileSync(file, request.body)
    const args = ['--json', '-c', String(load.connections), '-a', String(amount), '-m', 'POST', '-i', file]
    const headers = { 'content-type': 'application/json', ...request.headers }
    for (const [name, value] of Object.entries(headers)) args.push('-H', `${name}=${value}`)
    const before = { all: cpuMs(contender.pid), loop: firstThreadCpuMs(contender.pid) }
    const report = JSON.parse(await outputOf([AUTOCANNON, ...args, request.origin + request.path])) as Report
    const used = { all: cpuMs(contender.pid) - before.all, loop: firstThreadCpuMs(contender.pid) - before.loop }
    if (report.non2xx > 0 || report.errors > 0 || report.requests.total < amount) {
      throw new Error(`${report.non2xx} bad answers, ${report.errors} errors, ${report.requests.total} of ${amount}`)
    }
    return {
      cpuUsPerRequest: (used.all * 1000) / amount,
      loopUsPerRequest: (used.loop * 1000) / amount,
      requestsPerSec: amount / report.duration,
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
