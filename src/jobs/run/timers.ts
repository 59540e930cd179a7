// The runner's timers, so that tests can control them. Monotonic: setting the clock does not move a timer.

export type Timers = {
  nowMs(): number
  /** Runs `act` once after so long; returns how to call it off. Keeps no process alive. */
  after(delayMs: number, act: () => void): () => void
}

export const TIMERS: Timers = Object.freeze({
  nowMs: () => performance.now(),
  after(delayMs: number, act: () => void) {
    const timer = setTimeout(act, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
})
