// How long something takes whatever else this machine does: by the processor time of this process, or by turns of its event loop.

/** Processor time that this process uses for it, in ms: all of its threads, the collector's among them. */
export function cpuMsOf(work: () => unknown): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

/**
 * Turns of the event loop until it is settled. What waits for no timer and no answer takes a few; a timer of a second takes many
 * thousands, and no more of them while this process has to wait for the processor.
 */
export async function turnsUntil(settling: Promise<unknown>): Promise<number> {
  let isSettled = false
  const note = (): void => {
    isSettled = true
  }
  settling.then(note, note)
  let turns = 0
  while (!isSettled) {
    await new Promise((resolve) => setImmediate(resolve))
    turns += 1
  }
  return turns
}

/** More turns than anything takes that waits for nothing, and far less than the shortest of our timers. */
export const AT_ONCE_TURNS = 200
