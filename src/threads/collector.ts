// How V8 collects young objects in this process. Set once, before the first event loop; it never touches the heap itself.
import { setFlagsFromString } from 'node:v8'

/**
 * Tells the collector what a gateway's garbage is like: all of it dies young. Measured at S1 (two cores, Node 20.20):
 * - Waking four helper threads for a young collection that finds next to nothing alive took 15 of 130 us CPU a request.
 * - Pretenuring puts literals of the hot path into the old generation, where each, dead, keeps what it points to from the
 *   young collector: 8 KB a request moved on, 10 ms a collection (--trace-gc); without it a tenth of that.
 */
export function tuneCollector(): void {
  for (const flag of COLLECTOR_FLAGS) setFlagsFromString(flag)
}

/** V8 ignores a flag it does not know, so a test asks for these. */
export const COLLECTOR_FLAGS: readonly string[] = Object.freeze([
  '--no-parallel-scavenge',
  '--no-allocation-site-pretenuring',
])
