// How long this thread was runnable while the system ran others: time in which it looks busy and does nothing. Linux has a line of
// three numbers for each thread; the thread opens it once and reads it again whenever needed, at a few microseconds each. On other
// systems the figure is unknown, and no time counts as waited.
//
//   /proc/thread-self/schedstat   "<ns on a processor> <ns in the run queue> <time slices>"
// @see https://www.kernel.org/doc/html/latest/scheduler/sched-stats.html#proc-pid-schedstat
import { closeSync, openSync, readSync } from 'node:fs'

const SCHEDSTAT = '/proc/thread-self/schedstat'
/** Three numbers of 64 bits. */
const MAX_BYTES = 64
const NS_PER_MS = 1_000_000

export type RunQueue = {
  /** Milliseconds waited since the thread began; 0 where it is not known. Only for the thread that opened it. */
  waitedMs(): number
  close(): void
}

/** Opens the line of the calling thread. Never throws. */
export function openRunQueue(path = SCHEDSTAT): RunQueue {
  let fd = tryOpen(path)
  const buffer = Buffer.alloc(MAX_BYTES)
  const close = (): void => {
    if (fd !== null) closeSync(fd)
    fd = null
  }
  return {
    waitedMs() {
      if (fd === null) return 0
      try {
        return parseWaitedMs(buffer.toString('latin1', 0, readSync(fd, buffer, 0, MAX_BYTES, 0)))
      } catch {
        close()
        return 0
      }
    },
    close,
  }
}

/** The second number of the line; 0 for anything else. */
export function parseWaitedMs(line: string): number {
  const waitedNs = Number(/^\d+ (\d+) \d+/.exec(line)?.[1] ?? 0)
  return waitedNs / NS_PER_MS
}

function tryOpen(path: string): number | null {
  try {
    return openSync(path, 'r')
  } catch {
    return null
  }
}
