// The breakers of one event loop. A target has one from its first failure until nothing is held against it any more: a healthy
// one costs a request no more than the question whether there is any breaker at all.
import { type BreakerConfig } from '../config/types.js'
import { GatewayError } from '../errors.js'
import { type ErrorData } from '../model/error.js'
import { type Target } from '../model/target.js'
import {
  BREAKER_STATES,
  Breaker,
  type BreakerState,
  FREE,
  type Permit,
  restMsOf,
  type Verdict,
  verdictOf,
} from './breaker.js'

/** Clients may write any model behind `provider/`, so there must be an end to what is kept; the oldest goes first. */
const MAX_BREAKERS = 1000

type Entry = { readonly provider: string; readonly breaker: Breaker }

export class Breakers {
  #config: BreakerConfig
  readonly #nowMs: () => number
  readonly #entries = new Map<string, Entry>()

  /** `nowMs` is monotonic. */
  constructor(config: BreakerConfig, nowMs: () => number) {
    this.#config = config
    this.#nowMs = nowMs
  }

  /** A new configuration: what is held against a target stays, unless breakers are off now. */
  adopt(config: BreakerConfig): void {
    this.#config = config
    if (!config.enabled) this.#entries.clear()
  }

  /** The right to try the target, or `REFUSED`. It comes back by `record`, or `giveBack` if no attempt was made. */
  admit(target: Target): Permit {
    if (this.#entries.size === 0) return FREE
    return this.#find(target)?.breaker.admit(this.#nowMs()) ?? FREE
  }

  /** No attempt was made, or it was stopped from our side: nothing is known of its target. */
  giveBack(target: Target, permit: Permit): void {
    if (permit !== FREE) this.#find(target)?.breaker.record('none', permit, this.#nowMs())
  }

  /** The attempt has brought a beginning of an answer. */
  began(target: Target, permit: Permit): void {
    if (permit !== FREE) this.#find(target)?.breaker.probePassed(permit)
  }

  /** The attempt has ended; `error` is null where all was well. */
  record(target: Target, permit: Permit, error: ErrorData | null): void {
    if (error === null && this.#entries.size === 0) return
    this.#note(target, permit, {
      verdict: error === null ? 'ok' : verdictOf(error),
      restMs: error ? restMsOf(error) : 0,
    })
  }

  /** The worst state of each provider that is not wholly well. */
  worst(): ReadonlyMap<string, BreakerState> {
    const nowMs = this.#nowMs()
    const worst = new Map<string, BreakerState>()
    for (const [name, { provider, breaker }] of this.#entries) {
      if (breaker.isCalm(nowMs)) {
        this.#entries.delete(name)
        continue
      }
      const state = breaker.state(nowMs)
      const known = worst.get(provider) ?? 'closed'
      if (BREAKER_STATES.indexOf(state) >= BREAKER_STATES.indexOf(known)) worst.set(provider, state)
    }
    return worst
  }

  /** What a client is told when none of these targets may be tried, and when the first of them may be again. */
  refusal(targets: readonly Target[]): GatewayError {
    const nowMs = this.#nowMs()
    const waits = targets.flatMap((target) => this.#find(target)?.breaker.waitMs(nowMs) ?? [])
    return new GatewayError('upstream_overloaded', {
      message: 'Every provider of this model is failing or has asked for a pause; none is asked before its time.',
      retryAfterMs: waits.length === 0 ? null : Math.min(...waits),
    })
  }

  #note(target: Target, permit: Permit, { verdict, restMs }: { verdict: Verdict; restMs: number }): void {
    if (!this.#config.enabled) return
    const known = this.#find(target)?.breaker
    if (known === undefined && verdict !== 'failed' && restMs === 0) return
    const breaker = known ?? this.#add(target)
    const nowMs = this.#nowMs()
    breaker.record(verdict, permit, nowMs)
    if (restMs > 0) breaker.rest(restMs, nowMs)
    if (verdict === 'ok' && breaker.isCalm(nowMs)) this.#entries.delete(nameOf(target))
  }

  #add(target: Target): Breaker {
    if (this.#entries.size >= MAX_BREAKERS) {
      const [oldest] = this.#entries.keys()
      if (oldest !== undefined) this.#entries.delete(oldest)
    }
    const breaker = new Breaker(this.#config)
    this.#entries.set(nameOf(target), { provider: target.provider, breaker })
    return breaker
  }

  #find(target: Target): Entry | undefined {
    return this.#entries.get(nameOf(target))
  }
}

function nameOf({ provider, model }: Target): string {
  return `${provider}/${model}`
}
