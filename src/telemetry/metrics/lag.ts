// How late an event loop runs its timers, that is, how long something blocked it. It uses a cheap timer that costs a few
// microseconds per second and never keeps the process alive. It reports the worst of the last ten to twenty seconds, so that a
// scrape every fifteen seconds sees any block in between.
import { openRunQueue, type RunQueue } from './run-queue.js'

/** Short enough to see blocks of this length, long enough to cost nothing. */
const SAMPLE_MS = 50
const WINDOW_MS = 10_000
const MS_PER_SEC = 1000

/** Rolls samples up: the worst of the running window and the one before. Pure but for its own state. */
export class LagWindow {
  readonly #windowMs: number
  #endsAtMs: number
  #worst = 0
  #worstBefore = 0

  constructor(windowMs: number, nowMs: number) {
    this.#windowMs = windowMs
    this.#endsAtMs = nowMs + windowMs
  }

  /** Adds a sample and returns the worst of the recent ones. */
  add(lagMs: number, nowMs: number): number {
    if (nowMs >= this.#endsAtMs) {
      const isGap = nowMs >= this.#endsAtMs + this.#windowMs
      this.#worstBefore = isGap ? 0 : this.#worst
      this.#worst = 0
      this.#endsAtMs = nowMs + this.#windowMs
    }
    if (lagMs > this.#worst) this.#worst = lagMs
    return Math.max(this.#worst, this.#worstBefore)
  }
}

/**
 * The loop's activity since the previous sample, without the time in which the system ran other threads, which is not the loop's
 * own work.
 */
export type LoopSample = {
  readonly spanMs: number
  /** Average length of its turns, excluding idle time. */
  readonly turnMs: number
  /** The fraction of the time in which it was not idle, 0 to 1. */
  readonly utilization: number
}

export type LagSampler = { stop(): void }

/** Samples this event loop's lag twenty times a second and reports the recent worst, in seconds, and the sample itself. */
export function startLagSampler(
  report: (worstSec: number, sample: LoopSample) => void,
  runQueue: RunQueue = openRunQueue(),
): LagSampler {
  const window = new LagWindow(WINDOW_MS, performance.now())
  const readTurns = createTurnReader(runQueue)
  let dueMs = performance.now() + SAMPLE_MS
  const timer = setInterval(() => {
    const nowMs = performance.now()
    const lagMs = Math.max(0, nowMs - dueMs)
    report(window.add(lagMs, nowMs) / MS_PER_SEC, readTurns())
    dueMs = nowMs + SAMPLE_MS
  }, SAMPLE_MS)
  timer.unref()
  return {
    stop() {
      clearInterval(timer)
      runQueue.close()
    },
  }
}

/** Reads what this thread's event loop did since the last call. A timer's delay would not show turns shorter than its period. */
function createTurnReader(runQueue: RunQueue): () => LoopSample {
  let waitedBeforeMs = runQueue.waitedMs()
  let before = performance.eventLoopUtilization()
  let turnsBefore = performance.nodeTiming.uvMetricsInfo.loopCount
  return () => {
    const now = performance.eventLoopUtilization()
    const turns = performance.nodeTiming.uvMetricsInfo.loopCount
    const waitedMs = runQueue.waitedMs()
    const looksActiveMs = now.active - before.active
    // Part of the waiting was on the way out of idleness and does not belong to the activity.
    const activeMs = Math.max(0, looksActiveMs - Math.max(0, waitedMs - waitedBeforeMs))
    const spanMs = activeMs + now.idle - before.idle
    const turnMs = activeMs / Math.max(1, turns - turnsBefore)
    before = now
    turnsBefore = turns
    waitedBeforeMs = waitedMs
    return { spanMs, turnMs, utilization: spanMs > 0 ? activeMs / spanMs : 0 }
  }
}
