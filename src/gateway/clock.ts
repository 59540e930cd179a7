// Clock and randomness of one event loop: the only place where they are read for the pipeline.
import { type Clock } from '../pipeline/context.js'

/** Its reactions are microtasks; queueMicrotask makes an async resource for each. */
const SETTLED = Promise.resolve()

/**
 * Monotonic milliseconds, read once per turn: one read from an upstream may contain fifty frames, each of which is timed. A
 * reading takes 40 ns, and each frame needs three (Node 20.20).
 */
function createTurnClock(): () => number {
  let nowMs = 0
  let isFresh = false
  const expire = (): void => {
    isFresh = false
  }
  return () => {
    if (!isFresh) {
      nowMs = performance.now()
      isFresh = true
      void SETTLED.then(expire)
    }
    return nowMs
  }
}

/** The clock and randomness of a real gateway. */
export const CLOCK: Clock = {
  nowMs: createTurnClock(),
  unixSec: () => Math.floor(Date.now() / 1000),
  random: () => Math.random(),
}
