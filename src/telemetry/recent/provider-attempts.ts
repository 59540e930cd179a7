// What the last attempts at each provider came to on one event loop, for the admin API: failures, 429s, times to the first token. It
// looks back over some minutes, unlike the metrics, which count since the start. Filled where exchanges settle.
import { type ExchangeRecord } from '../records.js'

/** The attempts at one provider within the window. Plain data: event loops add theirs together. */
export type ProviderWindow = {
  readonly provider: string
  readonly attempts: number
  /** Those that failed by the provider's fault. */
  readonly failed: number
  /** Those that it answered with 429. */
  readonly rateLimited: number
  /** Of requests that it answered, in ms. */
  readonly firstTokenMs: readonly number[]
}

type Attempt = {
  readonly atMs: number
  readonly isFailed: boolean
  readonly isRateLimited: boolean
  readonly firstTokenMs: number | null
}

export const WINDOW_MS = 5 * 60_000
/** Enough for a 95th percentile; older ones make room. */
const MAX_ATTEMPTS = 512
/** Clients may name well-known providers that are not configured, but there are not more of them. */
const MAX_PROVIDERS = 500
const TOO_MANY_REQUESTS = 429

export class ProviderAttempts {
  readonly #byProvider = new Map<string, { readonly attempts: Attempt[]; next: number }>()
  readonly #nowMs: () => number

  /** `nowMs` is monotonic. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Called once for each exchange, at its end. */
  note({ tries, provider, attempts, timeToFirstTokenMs }: ExchangeRecord): void {
    if (provider === null || attempts === 0) return
    const atMs = this.#nowMs()
    const answered = { atMs, isFailed: false, isRateLimited: false, firstTokenMs: timeToFirstTokenMs }
    if (tries === null) {
      this.#add(provider, answered)
      return
    }
    for (const { provider: name, result, error } of tries) {
      const isRateLimited = error?.upstreamStatus === TOO_MANY_REQUESTS
      const isFailed = result !== 'ok' && result !== 'aborted'
      // With several attempts, the time since the request came is not that of the one that answered.
      const firstTokenMs = tries.length === 1 ? timeToFirstTokenMs : null
      this.#add(name, { atMs, isFailed, isRateLimited, firstTokenMs })
    }
  }

  /** The attempts of the last minutes. */
  windows(): ProviderWindow[] {
    const sinceMs = this.#nowMs() - WINDOW_MS
    return [...this.#byProvider].map(([provider, { attempts: all }]) => {
      const attempts = all.filter(({ atMs }) => atMs >= sinceMs)
      return {
        provider,
        attempts: attempts.length,
        failed: attempts.filter(({ isFailed }) => isFailed).length,
        rateLimited: attempts.filter(({ isRateLimited }) => isRateLimited).length,
        firstTokenMs: attempts.flatMap(({ firstTokenMs }) => firstTokenMs ?? []),
      }
    })
  }

  #add(provider: string, attempt: Attempt): void {
    let ring = this.#byProvider.get(provider)
    if (ring === undefined) {
      if (this.#byProvider.size >= MAX_PROVIDERS) return
      ring = { attempts: [], next: 0 }
      this.#byProvider.set(provider, ring)
    }
    ring.attempts[ring.next] = attempt
    ring.next = (ring.next + 1) % MAX_ATTEMPTS
  }
}
