// A credential that expires: obtained when it is first needed, renewed in the background after four fifths of its life, while
// requests go on with the old one. However many requests need it at once, one renewal runs. No timers: without requests nothing runs.
//
//   none --get--> obtaining --> held ---- 80 % of its life ----> held, renewing in the background ---- expired ----> none
//                    '-- failed: requests fail at once until the pause is over
//   held --rejected--> obtaining --> held         '-- failed: the rejected one is held again, until it expires

export type Lease<T> = {
  readonly value: T
  /** Unix time in ms; infinite if it never expires. */
  readonly expiresAtMs: number
}

type Held<T> = Lease<T> & { readonly obtainedAtMs: number; readonly renewAtMs: number }

/** Part of the life after which it is renewed. */
const RENEW_SHARE = 0.8
/** A request under way must not arrive with an expired credential. */
const MARGIN_MS = 5000
/** However soon a credential claims to expire, it is not obtained more often: the clocks may differ. */
const MIN_LIFE_MS = 10_000
/** Pauses after failures: a server of tokens that is down is not flooded, and one that is back is noticed soon. */
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 5000
/** A rejected credential is replaced only if it is older: a right that is missing would else mean a renewal for each request. */
const MIN_REJECTED_AGE_MS = 60_000

export type RenewingOptions = {
  /** The wall clock. */
  readonly nowMs: () => number
  /** One was not obtained; also if the old one still serves, so that its end does not come as a surprise. */
  readonly onFailure: (error: unknown) => void
}

export class Renewing<T> {
  readonly #obtain: () => Promise<Lease<T>>
  readonly #nowMs: () => number
  readonly #onFailure: (error: unknown) => void
  #held: Held<T> | null = null
  /** The one before, replaced or rejected. */
  #former: Held<T> | null = null
  #obtaining: Promise<T> | null = null
  #failure: unknown = null
  #failures = 0
  #pausedUntilMs = 0

  constructor(obtain: () => Promise<Lease<T>>, { nowMs, onFailure }: RenewingOptions) {
    this.#obtain = obtain
    this.#nowMs = nowMs
    this.#onFailure = onFailure
  }

  /** The value at once if one is held, else when it has been obtained. @throws what obtaining it throws, also for a while afterwards */
  get(): T | Promise<T> {
    const nowMs = this.#nowMs()
    const held = this.#held
    if (held === null || nowMs >= held.expiresAtMs - MARGIN_MS) return this.#obtained(nowMs)
    // A clock that was set back no longer says how old it is. The renewal's failure shows when the old one has expired.
    const isDue = nowMs >= held.renewAtMs || nowMs < held.obtainedAtMs
    if (isDue && !this.#isPaused(nowMs)) void this.#renew().catch(ignore)
    return held.value
  }

  /** The value that is held, expired or not, and the one before: requests under way were sent with it. */
  get known(): readonly T[] {
    return [this.#held, this.#former].flatMap((each) => (each === null ? [] : [each.value]))
  }

  /** A server has rejected this value. True if another one may be had, so that the same request may be sent again. */
  reject(value: T): boolean {
    const held = this.#held
    if (held === null || held.value !== value) return true
    const ageMs = this.#nowMs() - held.obtainedAtMs
    if (ageMs >= 0 && ageMs < MIN_REJECTED_AGE_MS) return false
    this.#former = held
    this.#held = null
    return true
  }

  #obtained(nowMs: number): Promise<T> {
    if (this.#obtaining === null && this.#isPaused(nowMs)) return Promise.reject(this.#failure)
    return this.#renew()
  }

  /** A pause that seems longer than any is over: the clock was set back. */
  #isPaused(nowMs: number): boolean {
    const leftMs = this.#pausedUntilMs - nowMs
    return leftMs > 0 && leftMs <= LONGEST_PAUSE_MS
  }

  #renew(): Promise<T> {
    this.#obtaining ??= this.#run().finally(() => {
      this.#obtaining = null
    })
    return this.#obtaining
  }

  async #run(): Promise<T> {
    try {
      const { value, expiresAtMs } = await this.#obtain()
      const nowMs = this.#nowMs()
      const endMs = Math.max(expiresAtMs, nowMs + MIN_LIFE_MS)
      const renewAtMs = nowMs + (endMs - nowMs) * RENEW_SHARE
      this.#former = this.#held ?? this.#former
      this.#held = { value, expiresAtMs: endMs, obtainedAtMs: nowMs, renewAtMs }
      this.#failures = 0
      this.#failure = null
      this.#pausedUntilMs = 0
      return value
    } catch (error) {
      this.#failure = error
      this.#pausedUntilMs = this.#nowMs() + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures)
      this.#failures += 1
      this.#onFailure(error)
      return this.#restored(error)
    }
  }

  /**
   * A server may have rejected a request for what it asks, not for its credential: that one must not end the requests of all others.
   * @throws `error` without a rejected one, or if it has expired
   */
  #restored(error: unknown): T {
    const nowMs = this.#nowMs()
    const former = this.#held === null ? this.#former : null
    if (former === null || nowMs >= former.expiresAtMs - MARGIN_MS) throw error
    this.#held = { ...former, obtainedAtMs: nowMs }
    return former.value
  }
}

function ignore(): void {
  // It is thrown again when there is nothing else to use.
}
