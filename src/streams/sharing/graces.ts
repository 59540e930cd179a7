// The graces of requests that nobody waits for at the moment: each ends by its time, or with all others when the gateway drains.

export type Schedule = (delayMs: number, act: () => void) => () => void

export class Graces {
  readonly #after: Schedule
  readonly #running = new Set<() => void>()
  #isOver = false

  constructor(after: Schedule) {
    this.#after = after
  }

  /** Runs `act` once after so long, or when all graces end; returns how to call it off. */
  start(delayMs: number, act: () => void): () => void {
    const end = (): void => {
      stop()
      this.#running.delete(end)
      act()
    }
    const stop = this.#after(this.#isOver ? 0 : delayMs, end)
    this.#running.add(end)
    return () => {
      stop()
      this.#running.delete(end)
    }
  }

  /** Nobody can come back any more. */
  endAll(): void {
    this.#isOver = true
    for (const end of [...this.#running]) end()
  }
}
