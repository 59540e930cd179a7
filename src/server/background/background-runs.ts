// The runs without clients of one event loop: a bounded number at once, the others in the order in which they came. They are no jobs: they
// live as long as the process, like the answers that are stored in its memory.
import { GatewayError } from '../../errors.js'
import { type BackgroundAnswer, type BackgroundAnswers, type BackgroundCaps } from '../context.js'

/** A place may be free by then. */
const RETRY_AFTER_MS = 5000

export class BackgroundRuns implements BackgroundAnswers {
  readonly #runs = new Map<string, BackgroundAnswer>()
  #waiting: BackgroundAnswer[] = []
  #active = 0

  /** Running and waiting. */
  get size(): number {
    return this.#runs.size
  }

  add(run: BackgroundAnswer, { maxPending, maxPendingPerKey }: BackgroundCaps): void {
    if (this.#runs.size >= maxPending) throw full('overloaded', 'responses.background.maxPending')
    let own = 0
    for (const { owner } of this.#runs.values()) if (owner === run.owner) own += 1
    if (own >= maxPendingPerKey) throw full('rate_limited', 'responses.background.maxPendingPerKey')
    this.#runs.set(run.id, run)
  }

  enqueue(run: BackgroundAnswer, caps: BackgroundCaps): void {
    this.#waiting.push(run)
    this.#startNext(caps)
  }

  find(owner: string, id: string): BackgroundAnswer | null {
    const run = this.#runs.get(id)
    return run !== undefined && run.owner === owner ? run : null
  }

  remove(run: BackgroundAnswer): void {
    this.#runs.delete(run.id)
    this.#waiting = this.#waiting.filter((each) => each !== run)
  }

  #startNext(caps: BackgroundCaps): void {
    while (this.#active < caps.concurrency) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#active += 1
      void next.run().finally(() => {
        this.#active -= 1
        this.remove(next)
        this.#startNext(caps)
      })
    }
  }
}

function full(code: 'overloaded' | 'rate_limited', option: string): GatewayError {
  const message = `Too many background responses run or wait (${option}).`
  return new GatewayError(code, { message, retryAfterMs: RETRY_AFTER_MS })
}
