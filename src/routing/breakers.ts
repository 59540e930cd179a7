// The breakers of one event loop. A target has one from its first failure until none of its failures counts any more. For
// healthy targets a request only checks whether there are any breakers at all.
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
  REFUSED,
  restMsOf,
  type Verdict,
  verdictOf,
} from './breaker.js'

/** Bounds the breakers, since clients may write any model after `provider/`; the oldest is removed first. */
const MAX_BREAKERS = 1000

/** A breaker that has opened, begun to probe, or closed. `error`: what opened it; `waitMs`: until it may be probed. */
export type BreakerChange = {
  readonly target: Target
  readonly state: BreakerState
  readonly error: ErrorData | null
  readonly waitMs: number | null
}

/** `told`: the state that was last reported. */
type Entry = { readonly target: Target; readonly breaker: Breaker; told: BreakerState }

export class Breakers {
  #config: BreakerConfig
  readonly #nowMs: () => number
  readonly #onChange: (change: BreakerChange) => void
  readonly #entries = new Map<string, Entry>()
  #paused: ReadonlySet<string> = new Set()

  /** `nowMs` is monotonic. `onChange` is called once for each change, when an attempt reveals it. */
  constructor(config: BreakerConfig, nowMs: () => number, onChange: (change: BreakerChange) => void = ignore) {
    this.#config = config
    this.#nowMs = nowMs
    this.#onChange = onChange
  }

  /** Applies a new configuration. The failures of targets are kept, unless breakers are disabled now. */
  adopt(config: BreakerConfig): void {
    this.#config = config
    if (!config.enabled) this.#entries.clear()
  }

  /** These providers are not tried from now on, until others are paused in their place; what runs there goes on. */
  pause(providers: readonly string[]): void {
    this.#paused = new Set(providers)
  }

  /** For attempts that need no permit. */
  isPaused({ provider }: Target): boolean {
    return this.#paused.has(provider)
  }

  /** The permit to try the target, or `REFUSED`. It is returned by `record`, or by `giveBack` if no attempt was made. */
  admit(target: Target): Permit {
    if (this.#paused.size > 0 && this.isPaused(target)) return REFUSED
    if (this.#entries.size === 0) return FREE
    const entry = this.#find(target)
    if (entry === undefined) return FREE
    const permit = entry.breaker.admit(this.#nowMs())
    if (permit !== FREE && permit !== REFUSED) this.#tell(entry, 'half-open', null)
    return permit
  }

  /** No attempt was made, or the gateway stopped it, so it shows nothing about its target. */
  giveBack(target: Target, permit: Permit): void {
    if (permit !== FREE) this.#find(target)?.breaker.record('none', permit, this.#nowMs())
  }

  /** The attempt got its first content. */
  began(target: Target, permit: Permit): void {
    const entry = permit === FREE ? undefined : this.#find(target)
    if (entry === undefined) return
    entry.breaker.probePassed(permit)
    this.#tellIfClosed(entry)
  }

  /** The attempt has ended; `error` is null on success. */
  record(target: Target, permit: Permit, error: ErrorData | null): void {
    if (error === null && this.#entries.size === 0) return
    this.#note(target, permit, error)
  }

  /** The worst state of each provider with failures. */
  worst(): ReadonlyMap<string, BreakerState> {
    const nowMs = this.#nowMs()
    const worst = new Map<string, BreakerState>()
    for (const [name, entry] of this.#entries) {
      const { target, breaker } = entry
      const { provider } = target
      if (breaker.isCalm(nowMs)) {
        this.#tellIfClosed(entry)
        this.#entries.delete(name)
        continue
      }
      const state = breaker.state(nowMs)
      const known = worst.get(provider) ?? 'closed'
      if (BREAKER_STATES.indexOf(state) >= BREAKER_STATES.indexOf(known)) worst.set(provider, state)
    }
    return worst
  }

  /** The error for a client when all of these targets are blocked, with the time until the first is available. */
  refusal(targets: readonly Target[]): GatewayError {
    const nowMs = this.#nowMs()
    const waits = targets.flatMap((target) => this.#find(target)?.breaker.waitMs(nowMs) ?? [])
    return new GatewayError('upstream_overloaded', {
      message: 'Every provider of this model is failing or paused, or has requested a pause. Try again later.',
      retryAfterMs: waits.length === 0 ? null : Math.min(...waits),
    })
  }

  #note(target: Target, permit: Permit, error: ErrorData | null): void {
    if (!this.#config.enabled) return
    const verdict: Verdict = error === null ? 'ok' : verdictOf(error)
    const restMs = error === null ? 0 : restMsOf(error)
    const known = this.#find(target)
    if (known === undefined && verdict !== 'failed' && restMs === 0) return
    const entry = known ?? this.#add(target)
    const { breaker } = entry
    const nowMs = this.#nowMs()
    breaker.record(verdict, permit, nowMs)
    if (restMs > 0) breaker.rest(restMs, nowMs)
    if (breaker.state(nowMs) === 'open') this.#tell(entry, 'open', error)
    else this.#tellIfClosed(entry)
    if (verdict === 'ok' && breaker.isCalm(nowMs)) this.#entries.delete(nameOf(target))
  }

  #tellIfClosed(entry: Entry): void {
    if (entry.told !== 'closed' && entry.breaker.state(this.#nowMs()) === 'closed') this.#tell(entry, 'closed', null)
  }

  #tell(entry: Entry, state: BreakerState, error: ErrorData | null): void {
    if (entry.told === state) return
    entry.told = state
    const { target, breaker } = entry
    this.#onChange({ target, state, error, waitMs: state === 'open' ? breaker.waitMs(this.#nowMs()) : null })
  }

  #add(target: Target): Entry {
    if (this.#entries.size >= MAX_BREAKERS) {
      const [oldest] = this.#entries.keys()
      if (oldest !== undefined) this.#entries.delete(oldest)
    }
    const entry: Entry = { target, breaker: new Breaker(this.#config), told: 'closed' }
    this.#entries.set(nameOf(target), entry)
    return entry
  }

  #find(target: Target): Entry | undefined {
    return this.#entries.get(nameOf(target))
  }
}

function ignore(): void {}

function nameOf({ provider, model }: Target): string {
  return `${provider}/${model}`
}
