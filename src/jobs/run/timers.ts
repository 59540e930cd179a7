// The runner's time, so that tests can hold it still. Monotonic: a clock that is set moves no timer.

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
