// Drains an event loop: it is not ready at once, serves new work during the grace and rejects it afterwards. Running work may
// finish until the deadline; what is left then ends as `drained`. It knows only the calls of the gateway that it needs.
//
//   signal --grace--> listener closed, new requests 503 --> idle, or the deadline --> survivors end as `drained` --> closed
//                     readers of shared streams sent to other nodes                  but shared streams, which have a later one
//   second signal ------------------------------------------------------------------> the same, now

/** The parts of an event loop that a drain acts on. */
export type Drainable = {
  /** Exchanges, and requests whose body is still on its way. */
  openCount(): number
  /** Accepts no further connections, and answers new requests on existing ones with 503: a client that leaves cannot come back. */
  refuseNew(): void
  /** Closes idle connections. */
  closeIdle(): void
  /** Ends every open exchange with `draining`. `isSparing`: but not those whose clients other nodes serve. */
  endAll(isSparing: boolean): void
}

/** What holds exchanges. */
type Work = { openCount(): number; endAll(isSparing: boolean): void }

/** What holds connections, and requests that are not yet exchanges. */
type Door = { readonly open: { readonly requests: number }; closeListener(): void; closeIdle(): void }

/** What holds streams that their clients may come back to. */
type Kept = { leave(): void }

/** Joins an event loop's parts; `door` is null before it listens. */
export function drainableOf(works: () => readonly Work[], door: Door | null, kept: Kept): Drainable {
  return {
    openCount: () => works().reduce((sum, work) => sum + work.openCount(), door?.open.requests ?? 0),
    refuseNew: () => {
      door?.closeListener()
      kept.leave()
    },
    closeIdle: () => door?.closeIdle(),
    endAll: (isSparing) => {
      for (const work of works()) work.endAll(isSparing)
    },
  }
}

export type DrainTimes = {
  /** From the signal to the end of running work. */
  readonly drainMs: number
  /** The same for exchanges whose clients other nodes serve; not shorter. */
  readonly sharedMs: number
  /** The part of it in which new work is served. */
  readonly graceMs: number
  readonly nowMs: () => number
  readonly pause: (ms: number) => Promise<void>
}

/** How often to check whether the last exchange has ended. */
const POLL_MS = 20
/** Time for the remaining clients to receive their error frame. */
const FAREWELL_MS = 500

/** Resolves when nothing is open, or when everything that is left was ended. */
export async function drain(loop: Drainable, times: DrainTimes): Promise<void> {
  const { drainMs, sharedMs, graceMs, nowMs, pause } = times
  const beganAtMs = nowMs()
  const grace = Math.min(graceMs, drainMs)
  if (grace > 0) await pause(grace)
  loop.refuseNew()
  loop.closeIdle()
  for (const limitMs of sharedMs > drainMs ? [drainMs, sharedMs] : [drainMs]) {
    while (loop.openCount() > 0 && nowMs() - beganAtMs < limitMs) {
      await pause(POLL_MS)
      loop.closeIdle()
    }
    if (loop.openCount() === 0) return
    loop.endAll(limitMs < sharedMs)
    await pause(FAREWELL_MS)
  }
}

/** Ends everything open, like the deadline. Resolves a turn of the event loop later, when requests that had just begun have ended. */
export async function endNow(loop: Pick<Drainable, 'refuseNew' | 'endAll'>): Promise<void> {
  loop.refuseNew()
  loop.endAll(false)
  await new Promise((resolve) => setImmediate(resolve))
}
