// Finds the run that a retry repeats, on all event loops: the one equal run whose client was lost. A retry may come before the gateway has
// found its connection lost, so it looks again for a moment.
import { type Candidate, certainOf } from '../../../streams/sharing/run-index.js'
import { type AnyRun, type SharingGround } from '../sharing.js'

/** How long a retry waits for the connection that it replaces to be found lost, and how often it looks. */
const LOST_WITHIN_MS = 500
const LOOK_EVERY_MS = 25

export class LostRunSearch {
  readonly #ground: SharingGround
  /** Ends the wait. */
  #stop: (() => void) | null = null

  constructor(ground: SharingGround) {
    this.#ground = ground
  }

  /** The run that is certain to be meant, whether or not its client is lost yet. */
  find(digest: string): Candidate<AnyRun> | null | Promise<Candidate<AnyRun> | null> {
    const { index, peers } = this.#ground
    const here = index.candidates(digest)
    if (peers?.mayHave(digest) !== true) return certainOf<AnyRun>(here)
    return peers.find({ how: 'retry', name: digest }).then((found) => {
      const elsewhere = found === 'mismatch' ? [] : found.map((run) => ({ run, isLost: run.isLost }))
      return certainOf<AnyRun>([...here, ...elsewhere])
    })
  }

  /** The one run, as soon as its client is lost; null after LOST_WITHIN_MS, or when this one's own client has left. */
  untilLost(digest: string): Promise<AnyRun | null> {
    const { timers } = this.#ground
    const untilMs = timers.nowMs() + LOST_WITHIN_MS
    let isOver = false
    return new Promise((resolve) => {
      const finish = (run: AnyRun | null): void => {
        this.#stop = null
        resolve(run)
      }
      const take = (candidate: Candidate<AnyRun> | null): void => {
        if (isOver) return
        if (candidate?.isLost === true) finish(candidate.run)
        else if (candidate === null || timers.nowMs() >= untilMs) finish(null)
        else stop = timers.after(LOOK_EVERY_MS, look)
      }
      const look = (): void => {
        const found = this.find(digest)
        if (found instanceof Promise) void found.then(take)
        else take(found)
      }
      let stop = timers.after(LOOK_EVERY_MS, look)
      this.#stop = () => {
        isOver = true
        stop()
        resolve(null)
      }
    })
  }

  /** The retry is over. */
  ended(): void {
    this.#stop?.()
    this.#stop = null
  }
}
