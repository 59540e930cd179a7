// Builds limiter configurations and waiters for tests.
import { GatewayError } from '../../src/errors.js'
import { type Waiter } from '../../src/limit/limiter.js'
import { type LimiterConfig } from '../../src/limit/local/cells.js'

type Limits = LimiterConfig['keys'][number]['limits']
const NO_LIMITS: Limits = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }

export type Setup = {
  readonly gateway?: Partial<Limits>
  readonly keys?: readonly Partial<Limits>[]
  readonly providers?: readonly (number | null)[]
  readonly queue?: { readonly max: number; readonly timeoutMs: number }
}

export function limiterConfig(setup: Setup): LimiterConfig {
  return {
    limits: { ...NO_LIMITS, ...setup.gateway, queue: setup.queue ?? { max: 100, timeoutMs: 60_000 } },
    keys: (setup.keys ?? []).map((limits) => ({ limits: { ...NO_LIMITS, ...limits } })),
    models: [],
    providers: (setup.providers ?? []).map((concurrency) => ({ limits: { concurrency } })),
  }
}

/** A clock that only the test moves. */
export class ManualClock {
  ns = 1_000_000_000n
  readonly nowNs = (): bigint => this.ns

  advanceMs(ms: number): void {
    this.ns += BigInt(Math.round(ms * 1e6))
  }
}

/** What limiter-thread.ts is told to do. `frozenNs`: the clock stands still there; null is the real clock. */
export type LimiterJob = {
  readonly config: LimiterConfig
  readonly cells: SharedArrayBuffer
  readonly frozenNs: bigint | null
  readonly task: 'requests' | 'tokens' | 'slots' | 'wait'
  readonly keyIndex: number
  readonly attempts: number
}

export type LimiterReport = { readonly admitted: number; readonly mostActive: number }

/** The error data that `run` throws, or null. */
export function refusalOf(run: () => unknown): GatewayError['data'] | null {
  try {
    run()
  } catch (error) {
    if (error instanceof GatewayError) return error.data
    throw error
  }
  return null
}

/** A waiter that tells what became of it: in a list of the test's, and by a promise. */
export class RecordingWaiter implements Waiter {
  readonly keyIndex: number
  readonly #name: string
  readonly #calls: string[]
  readonly #settle: (outcome: 'entered' | GatewayError) => void
  readonly outcome: Promise<'entered' | GatewayError>

  constructor(name: string, keyIndex: number, calls: string[]) {
    const { promise, resolve } = withResolvers<'entered' | GatewayError>()
    this.keyIndex = keyIndex
    this.#name = name
    this.#calls = calls
    this.outcome = promise
    this.#settle = resolve
  }

  onEntered(): void {
    this.#calls.push(`${this.#name} entered`)
    this.#settle('entered')
  }

  onRefused(error: GatewayError): void {
    this.#calls.push(`${this.#name} ${error.data.code}`)
    this.#settle(error)
  }
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
