// A second target for a stream whose first token is late. The first of the two with content answers the client; the other one is
// aborted at once, before any of its bytes are sent. Only for models with `hedge`.
//
//   first ----- afterMs -----+------- content -> takes over, second aborted
//                    second  '--- content -> takes over, first aborted            both fail -> the first one's failure
import { type GatewayError, toGatewayError } from '../../errors.js'
import { type DecodedRequest } from '../../protocols/contract/request-task.js'
import { REFUSED } from '../../routing/breaker.js'
import { type Hedge } from '../../routing/hedge.js'
import { type RouteTarget } from '../../routing/router.js'
import { type Attempt } from '../attempt/attempt.js'
import { encode } from '../attempt/encode.js'
import { type ExchangeIn } from '../exchange.js'
import { openAttempt } from './open-attempt.js'

export type Lead = {
  readonly hedge: Hedge
  readonly attempt: Attempt
  /** Settles when the first attempt does. */
  readonly running: Promise<void>
  /** Candidates for the second target, in the order to try them. */
  readonly others: readonly RouteTarget[]
}

/** Resolves when one of the two has content; rejects when none is left. */
export function hedged(exchange: ExchangeIn<'dispatch'>, decoded: DecodedRequest, lead: Lead): Promise<void> {
  lead.hedge.budget.deposit()
  return new Promise((resolve, reject) => new Race(exchange, decoded, { resolve, reject }).start(lead))
}

type Settlers = { readonly resolve: () => void; readonly reject: (error: GatewayError) => void }

class Race {
  readonly #exchange: ExchangeIn<'dispatch'>
  readonly #decoded: DecodedRequest
  readonly #settlers: Settlers
  readonly #running = new Set<Attempt>()
  readonly #startedAtMs: number
  #hedge: Hedge | null = null
  #timer: NodeJS.Timeout | null = null
  #failure: GatewayError | null = null
  #isOver = false

  constructor(exchange: ExchangeIn<'dispatch'>, decoded: DecodedRequest, settlers: Settlers) {
    this.#exchange = exchange
    this.#decoded = decoded
    this.#settlers = settlers
    this.#startedAtMs = exchange.context.clock.nowMs()
  }

  start({ hedge, attempt, running, others }: Lead): void {
    this.#follow(attempt, running)
    this.#hedge = hedge
    const afterMs = hedge.afterMs()
    if (afterMs !== null) this.#timer = setTimeout(() => this.#startSecond(hedge, others), afterMs)
  }

  /** The client has left, or the gateway drains. */
  abort(): void {
    for (const attempt of [...this.#running]) attempt.abort()
  }

  #follow(attempt: Attempt, running: Promise<void>): void {
    this.#running.add(attempt)
    attempt.onContent(() => this.#win(attempt))
    running.then(
      () => this.#end(null),
      (thrown: unknown) => this.#lose(attempt, toGatewayError(thrown)),
    )
  }

  #startSecond(hedge: Hedge, others: readonly RouteTarget[]): void {
    this.#timer = null
    const exchange = this.#exchange
    if (this.#isOver || exchange.isEnded) return
    const { breakers, metrics, thinking } = exchange.context
    for (const other of others) {
      const routed = thinking.recall(other)
      const permit = breakers.admit(routed.target)
      if (permit === REFUSED) continue
      if (!hedge.budget.take()) {
        breakers.giveBack(routed.target, permit)
        metrics.upstreamRetry(routed.target.provider, 'denied')
        return
      }
      try {
        const opening = openAttempt(exchange, { routed, permit })
        metrics.upstreamRetry(routed.target.provider, 'hedge')
        void this.#runSecond(opening)
        return
      } catch {
        // Full, or without a dialect: tries the next one, if any.
      }
    }
  }

  async #runSecond(opening: Attempt | Promise<Attempt>): Promise<void> {
    const exchange = this.#exchange
    let second: Attempt | null = null
    try {
      second = opening instanceof Promise ? await opening : opening
      // A worker would detach the bytes that the first attempt may still need to send.
      exchange.body = exchange.body.slice()
      const encoding = encode(exchange, second, this.#decoded)
      const encoded = encoding instanceof Promise ? await encoding : encoding
      if (this.#isOver || exchange.isEnded) second.close()
      else {
        this.#follow(second, second.run(encoded))
        exchange.call = this
      }
    } catch {
      // A failure to encode for the second is no reason to fail the first.
      second?.close()
    }
  }

  #win(winner: Attempt): void {
    this.#hedge?.observe(this.#exchange.context.clock.nowMs() - this.#startedAtMs)
    for (const attempt of [...this.#running]) if (attempt !== winner) attempt.lose()
    winner.takeOver()
  }

  #lose(attempt: Attempt, failure: GatewayError): void {
    this.#running.delete(attempt)
    this.#failure ??= failure
    if (this.#running.size === 0) this.#end(this.#failure)
  }

  #end(failure: GatewayError | null): void {
    if (this.#isOver) return
    this.#isOver = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (failure === null) this.#settlers.resolve()
    else this.#settlers.reject(failure)
  }
}
