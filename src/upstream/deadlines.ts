// The time limits of one call: first token, between tokens, total. One timer, re-armed when it fires and not when a token
// arrives: a token only records the time. undici's own timeouts are disabled, so its default of 300 s never applies.
import { type Timeouts } from '../config/types.js'
import { type TimeoutKind } from './failure.js'

/** The longest delay of setTimeout; longer ones would fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1
/** setTimeout may fire this much earlier than by performance.now(). */
const EARLY_MS = 1

export type ExpiredLimit = { readonly kind: TimeoutKind; readonly limitMs: number }

/** `startedAtMs`, by performance.now(): the beginning of a call that has already waited for something; null for now. */
export type TimeLimits = { readonly timeouts: Timeouts; readonly startedAtMs: number | null }

/** Limits of one call. `timeouts.connectMs` is not watched here: undici does. */
export class Deadlines {
  readonly #timeouts: Timeouts
  readonly #onExpired: (limit: ExpiredLimit) => void
  readonly #onTimer: () => void
  readonly #startedAtMs: number
  /** Streams only: a whole answer shows no token before it is complete. */
  readonly #firstTokenMs: number
  #lastTokenAtMs = -1
  #timer: NodeJS.Timeout | null = null
  /** When the timer fires. */
  #armedForMs = 0

  /** Starts the clock. `onExpired` is called at most once, and never after `stop`. */
  constructor({ timeouts, startedAtMs }: TimeLimits, isStream: boolean, onExpired: (limit: ExpiredLimit) => void) {
    const nowMs = performance.now()
    this.#timeouts = timeouts
    this.#firstTokenMs = isStream ? timeouts.firstTokenMs : Number.POSITIVE_INFINITY
    this.#onExpired = onExpired
    this.#onTimer = () => this.#check()
    this.#startedAtMs = startedAtMs ?? nowMs
    this.#arm(nowMs)
  }

  /** A token has arrived. Cheap enough for every chunk. */
  sawToken(): void {
    const isFirst = this.#lastTokenAtMs < 0
    this.#lastTokenAtMs = performance.now()
    // The timer is set for the first token's limit, which may be far later than that of the next token.
    if (isFirst && this.#timer !== null && this.#dueAtMs() < this.#armedForMs) this.#arm(this.#lastTokenAtMs)
  }

  stop(): void {
    if (this.#timer === null) return
    clearTimeout(this.#timer)
    this.#timer = null
  }

  #check(): void {
    const nowMs = performance.now()
    if (nowMs + EARLY_MS < this.#dueAtMs()) {
      this.#arm(nowMs)
      return
    }
    this.#timer = null
    this.#onExpired(this.#expired())
  }

  #arm(nowMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    const delayMs = Math.min(Math.max(Math.ceil(this.#dueAtMs() - nowMs), 1), MAX_DELAY_MS)
    this.#armedForMs = nowMs + delayMs
    this.#timer = setTimeout(this.#onTimer, delayMs)
  }

  #dueAtMs(): number {
    return Math.min(this.#tokenDueAtMs(), this.#startedAtMs + this.#timeouts.totalMs)
  }

  #tokenDueAtMs(): number {
    if (this.#lastTokenAtMs < 0) return this.#startedAtMs + this.#firstTokenMs
    return this.#lastTokenAtMs + this.#timeouts.betweenTokensMs
  }

  #expired(): ExpiredLimit {
    const { betweenTokensMs, totalMs } = this.#timeouts
    if (this.#startedAtMs + totalMs <= this.#tokenDueAtMs()) return { kind: 'total', limitMs: totalMs }
    if (this.#lastTokenAtMs < 0) return { kind: 'first-token', limitMs: this.#firstTokenMs }
    return { kind: 'between-tokens', limitMs: betweenTokensMs }
  }
}
