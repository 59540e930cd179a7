// What becomes of a gateway that gets three times what it can do? Two capacities: the one that slots set (slow answers), and the
// one that its event loop sets (long translated streams without a pause, so that the processor is what runs out). Load is open:
// it does not slow down with the server.
// Run: npm run build && node dist/bench/load/overload.bench.js [SECONDS]
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type OpenReport, quantileOf, runOpenLoad } from '../open-load.js'

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url))
/** A rate of which less than this is served is beyond the capacity. */
const SERVED_SHARE = 0.75
const SECONDS = Number(process.argv[2] ?? 10)
const folder = mkdtempSync(join(tmpdir(), 'sluice-overload-'))
const children: ChildProcess[] = []

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function start(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'inherit'], cwd: folder })
  children.push(child)
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`ended with ${code}`)))
    createInterface({ input: child.stdout }).on('line', (line) => {
      const origin = /https?:\/\/[\w.:]+/.exec(line)?.[0]
      if (origin !== undefined) resolve(origin)
    })
  })
}

function gateway(simulator: string, limits: object): Promise<string> {
  const file = join(folder, `${children.length}.json`)
  const providers = { sim: { protocol: 'anthropic-messages', baseUrl: `${simulator}/v1` } }
  writeFileSync(file, JSON.stringify({ server: { port: 0 }, limits, providers, log: { file: join(folder, 'log') } }))
  return start(['start', '--config', file])
}

function row(name: string, report: OpenReport): string {
  const cells = [
    ...[name, report.sent, report.goodputPerSec.toFixed(0), report.refused, report.failed],
    ...[quantileOf(report.servedMs, 0.5).toFixed(0), quantileOf(report.servedMs, 0.99).toFixed(0)],
    ...[quantileOf(report.refusedMs, 0.5).toFixed(1), quantileOf(report.refusedMs, 0.99).toFixed(1)],
  ]
  return `| ${cells.join(' | ')} |`
}

/** Loads it with rising rates until more is no longer served, then with three times the best. */
async function overload(name: string, origin: string, rates: readonly number[], tokens: number): Promise<void> {
  const messages = [{ role: 'user', content: 'Hi' }]
  const body = JSON.stringify({ model: 'sim/lorem', stream: tokens > 100, max_tokens: tokens, messages })
  const load = { url: `${origin}/v1/chat/completions`, body, seconds: SECONDS }
  await runOpenLoad({ ...load, perSec: rates[0] ?? 50, seconds: 2 })
  let peak = 0
  for (const perSec of rates) {
    const report = await runOpenLoad({ ...load, perSec })
    peak = Math.max(peak, report.goodputPerSec)
    print(row(`${name}, ${perSec}/s`, report))
    if (report.goodputPerSec < SERVED_SHARE * perSec) break
  }
  const report = await runOpenLoad({ ...load, perSec: 3 * peak })
  print(row(`${name}, 3 x peak`, report))
  print(`${name}: goodput at three times the peak is ${((100 * report.goodputPerSec) / peak).toFixed(0)} % of it`)
}

try {
  print('| load | sent | goodput/s | refused | failed | served p50 ms | p99 | refused p50 ms | p99 |')
  print('| --- | --: | --: | --: | --: | --: | --: | --: | --: |')
  const slow = await start(['simulate', '--port', '0', '--tokens-per-second', '200'])
  const slots = { concurrency: 50, queue: { max: 50, timeoutMs: 2000 } }
  await overload('slots', await gateway(slow, slots), [100, 200, 250, 300], 40)
  const quick = await start(['simulate', '--port', '0', '--tokens-per-second', '1000000'])
  await overload('event loop', await gateway(quick, { concurrency: 5000 }), [100, 200, 300, 400, 600, 800, 1000], 300)
} finally {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}
