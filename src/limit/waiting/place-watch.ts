// Reports the places of waiters in a queue to those that ask: at once, then on each change, at most once a second. One
// walk over the queue serves all of them; nothing runs while there are none.
import { type QueuePlace } from '../limiter.js'

export type PlaceWatchOptions<T> = {
  /** All waiters with their places, from 1. */
  readonly places: () => Iterable<readonly [waiter: T, position: number]>
  /** Time between two admissions; null if unknown. */
  readonly paceMs: () => number | null
  readonly nowMs: () => number
}

type Watched = {
  readonly onPlace: (place: QueuePlace) => void
  place: QueuePlace | null
  toldAtMs: number
}

/** Not more often to one waiter. */
export const MIN_INTERVAL_MS = 1000
/** How late a change may be reported. */
const LOOK_MS = 250

export class PlaceWatch<T> {
  readonly #options: PlaceWatchOptions<T>
  readonly #watched = new Map<T, Watched>()
  #timer: NodeJS.Timeout | null = null
  #isLookDue = false

  constructor(options: PlaceWatchOptions<T>) {
    this.#options = options
  }

  /** Not reported within this call, but in this turn of the loop. `onPlace` must not throw. */
  add(waiter: T, onPlace: (place: QueuePlace) => void): void {
    this.#watched.set(waiter, { onPlace, place: null, toldAtMs: Number.NEGATIVE_INFINITY })
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref()
    if (this.#isLookDue) return
    this.#isLookDue = true
    // Those that come in one turn share the walk.
    setImmediate(() => {
      this.#isLookDue = false
      this.#look()
    })
  }

  /** It has left the queue. No effect if it is not watched. */
  remove(waiter: T): void {
    if (!this.#watched.delete(waiter) || this.#watched.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }

  #look(): void {
    if (this.#watched.size === 0) return
    const nowMs = this.#options.nowMs()
    const paceMs = this.#options.paceMs()
    const due: [T, Watched, QueuePlace][] = []
    for (const [waiter, position] of this.#options.places()) {
      const watched = this.#watched.get(waiter)
      if (watched === undefined || nowMs - watched.toldAtMs < MIN_INTERVAL_MS) continue
      const place = { position, etaMs: paceMs === null ? null : Math.round(position * paceMs) }
      if (watched.place?.position === place.position && watched.place.etaMs === place.etaMs) continue
      watched.place = place
      watched.toldAtMs = nowMs
      due.push([waiter, watched, place])
    }
    // After the walk: a report may make waiters leave the queue, its own and others.
    for (const [waiter, watched, place] of due) {
      if (this.#watched.get(waiter) === watched) watched.onPlace(place)
    }
  }
}
