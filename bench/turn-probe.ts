// Preloaded into a contender by `node --import`: what its event loop and its garbage collector did since the last look. On SIGWINCH,
// which nobody else uses, it writes one line of JSON (TurnReport) to BENCH_PROBE_FILE. It costs 200 wake-ups a second.
import { renameSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'
import { type TurnReport } from './stats.js'

const RESOLUTION_MS = 5
const NS_PER_MS = 1e6

function probe(file: string): void {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  let gcMs = 0
  let sinceMs = performance.now()
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) gcMs += duration
  })
  observer.observe({ entryTypes: ['gc'] })
  process.on('SIGWINCH', () => {
    const nowMs = performance.now()
    // The histogram holds the time from one wake-up to the next.
    const late = (ns: number) => Math.max(0, ns / NS_PER_MS - RESOLUTION_MS)
    const report: TurnReport = {
      lateMs: { p50: late(delays.percentile(50)), p99: late(delays.percentile(99)), max: late(delays.max) },
      gcMsPerSec: (gcMs * 1000) / (nowMs - sinceMs),
    }
    delays.reset()
    gcMs = 0
    sinceMs = nowMs
    // Whole, or not there.
    writeFileSync(`${file}.new`, JSON.stringify(report))
    renameSync(`${file}.new`, file)
  })
}

const { BENCH_PROBE_FILE } = process.env
if (isMainThread && BENCH_PROBE_FILE !== undefined) probe(BENCH_PROBE_FILE)
