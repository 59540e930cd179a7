// How late an event loop runs its timers, in other words how long something blocked it. A cheap timer of our own: it costs
// a few microseconds a second and never keeps the process alive. Tells the worst of the last ten to twenty seconds, so
// that a scrape every fifteen seconds sees a block of any time in between.

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

/** How late it was, and the time since the sample before. */
export type LagSample = { readonly lagMs: number; readonly spanMs: number }

export type LagSampler = { stop(): void }

/** Samples this event loop's lag twenty times a second and tells the recent worst, in seconds, and the sample itself. */
export function startLagSampler(report: (worstSec: number, sample: LagSample) => void): LagSampler {
  const window = new LagWindow(WINDOW_MS, performance.now())
  let dueMs = performance.now() + SAMPLE_MS
  const timer = setInterval(() => {
    const nowMs = performance.now()
    const lagMs = Math.max(0, nowMs - dueMs)
    report(window.add(lagMs, nowMs) / MS_PER_SEC, { lagMs, spanMs: SAMPLE_MS + lagMs })
    dueMs = nowMs + SAMPLE_MS
  }, SAMPLE_MS)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}
