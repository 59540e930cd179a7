// The runs without clients of one event loop: a bounded number at once, the others in the order in which they came, those first whose owner
// has the fewest. They are no jobs: they end with the process, as the answers do that are stored in its memory.
import { GatewayError } from '../../errors.js'
import { type BackgroundAnswer, type BackgroundAnswers, type BackgroundCaps } from '../context.js'

/** A place may be free by then. */
const RETRY_AFTER_MS = 5000

export class BackgroundRuns implements BackgroundAnswers {
  readonly #runs = new Map<string, BackgroundAnswer>()
  #waiting: BackgroundAnswer[] = []
  #active = 0
  readonly #activeOf = new Map<string, number>()

  /** Running and waiting. */
  get size(): number {
    return this.#runs.size
  }

  add(run: BackgroundAnswer, { maxPending, maxPendingPerKey }: BackgroundCaps): void {
    if (this.#runs.size >= maxPending) throw tooManyWait('all')
    let own = 0
    for (const { owner } of this.#runs.values()) if (owner === run.owner) own += 1
    if (own >= maxPendingPerKey) throw tooManyWait('key')
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
      const next = this.#takeNext()
      if (next === null) return
      this.#count(next.owner, 1)
      void next.run().finally(() => {
        this.#count(next.owner, -1)
        this.remove(next)
        this.#startNext(caps)
      })
    }
  }

  /** So that one owner's many do not hold up the few of others. */
  #takeNext(): BackgroundAnswer | null {
    let next: BackgroundAnswer | null = null
    let fewest = Number.POSITIVE_INFINITY
    for (const run of this.#waiting) {
      const active = this.#activeOf.get(run.owner) ?? 0
      if (active >= fewest) continue
      next = run
      fewest = active
      if (active === 0) break
    }
    if (next !== null) this.#waiting.splice(this.#waiting.indexOf(next), 1)
    return next
  }

  #count(owner: string, change: number): void {
    const active = (this.#activeOf.get(owner) ?? 0) + change
    this.#active += change
    if (active > 0) this.#activeOf.set(owner, active)
    else this.#activeOf.delete(owner)
  }
}

/** The error for one more, where as many run or wait as may: of its key, or of all. */
export function tooManyWait(scope: 'key' | 'all'): GatewayError {
  const isOwn = scope === 'key'
  const option = isOwn ? 'responses.background.maxPendingPerKey' : 'responses.background.maxPending'
  const message = `Too many background responses run or wait (${option}).`
  return new GatewayError(isOwn ? 'rate_limited' : 'overloaded', { message, retryAfterMs: RETRY_AFTER_MS })
}
