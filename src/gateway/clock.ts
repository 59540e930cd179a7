// Clock and randomness of one event loop: the only place where they are read for the pipeline.
import { type Clock } from '../pipeline/context.js'

/**
 * Monotonic milliseconds, read once for all that one turn brings: an upstream's read may hold fifty frames, each of which is
 * timed. 40 ns a reading, three a frame (Node 20.20).
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
      queueMicrotask(expire)
    }
    return nowMs
  }
}

/** The clock and the chance of a real gateway. */
export const CLOCK: Clock = {
  nowMs: createTurnClock(),
  unixSec: () => Math.floor(Date.now() / 1000),
  random: () => Math.random(),
}
