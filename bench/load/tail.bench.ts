// S17: how late is the event loop when it has other things to do than streams? 200 streams at 20 ms, alone and beside a scrape, a
// reload and a large body each half second; what a timer waits (its 99th percentile is the longest turns), what a young stream waits
// between two tokens, and what the garbage collector takes.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { against, type Contender, type Start, startSluice } from '../contenders.js'
import { requestFor } from '../requests.js'
import { type Bench, interleave } from '../rounds.js'
import { type TurnReport } from '../stats.js'
import { runStreams } from '../stream-load.js'

const SCENARIO = 'S17 200 streams at 20 ms'
const PACE = ['--tokens-per-second', '50']
const STREAMS = { ask: { tokens: 100 }, load: { streams: 300, concurrency: 200, rampMs: 2000 } } as const
const WARM_UP = { ask: { tokens: 2 }, load: { streams: 6000, concurrency: 200 } } as const
const EVERY_MS = 500
const LARGE_BYTES = 2 * 1024 * 1024
const REPORT_MS = 2000
const POLL_MS = 5
const FLOOR = 'sluice'

/** What happens beside the streams; each is begun twice a second. */
const BESIDE: Readonly<Record<string, (each: Contender) => Promise<unknown>>> = {
  'beside scrapes': ({ origin, headers }) => fetch(`${origin}/metrics`, { headers }).then((answer) => answer.text()),
  // The file has not changed; all of it is read and built anew.
  'beside reloads': ({ pid }) => Promise.resolve(process.kill(pid, 'SIGHUP')),
  'beside requests of 2 MB': (each) => {
    const { origin, path, headers, body } = requestFor(each, { tokens: 1, stream: false, promptBytes: LARGE_BYTES })
    return fetch(origin + path, { method: 'POST', headers, body }).then((answer) => answer.text())
  },
}

/** Adds S17's figures. */
export async function runS17(bench: Bench): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-turns-'))
  const file = join(folder, 'turns.json')
  try {
    await against(PACE, [probedSluice(file)], async ([each]) => {
      if (each === undefined) return
      await runStreams(each, WARM_UP.ask, WARM_UP.load)
      const entrants = [
        { name: FLOOR, act: null },
        ...Object.entries(BESIDE).map(([name, act]) => ({ name: `${FLOOR}, ${name}`, act })),
      ]
      await interleave(bench, { scenario: SCENARIO, entrants }, async ({ act }, { add }) => {
        await readTurns(each, file)
        const stop = act === null ? null : repeat(() => act(each))
        const { gapMs } = await runStreams(each, STREAMS.ask, STREAMS.load)
        await stop?.()
        const { lateMs, gcMsPerSec } = await readTurns(each, file)
        add('event loop late p99 ms', lateMs.p99, FLOOR)
        add('event loop late, most, ms', lateMs.max, FLOOR)
        add('gap p99 ms', gapMs.p99, FLOOR)
        add('garbage collection ms/s', gcMsPerSec, FLOOR)
      })
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function probedSluice(file: string): Start {
  const probe = new URL('../turn-probe.js', import.meta.url)
  const env = { BENCH_PROBE_FILE: file, NODE_OPTIONS: `--import=${probe.href}` }
  return (upstream) => startSluice(upstream, { name: FLOOR, env })
}

/** Twice a second until it is stopped, which waits for the last one. @throws what one of them threw */
function repeat(act: () => Promise<unknown>): () => Promise<void> {
  const running: Promise<unknown>[] = []
  const timer = setInterval(() => void running.push(act()), EVERY_MS)
  return async () => {
    clearInterval(timer)
    await Promise.all(running)
  }
}

/** What was seen since the last call. @throws when the contender does not say */
async function readTurns({ pid }: Contender, file: string): Promise<TurnReport> {
  rmSync(file, { force: true })
  process.kill(pid, 'SIGWINCH')
  for (let waitedMs = 0; waitedMs < REPORT_MS; waitedMs += POLL_MS) {
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as TurnReport
    await wait(POLL_MS)
  }
  throw new Error('the contender does not report its turns')
}
