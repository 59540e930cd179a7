// Admission: takes one request from the buckets and a concurrency slot before the body is read, and tokens once it is known. Settle
// releases them, however the exchange ends.
import { GatewayError } from '../../errors.js'
import { type QueuePlace, type Waiter } from '../../limit/limiter.js'
import { type RequestFacts } from '../../protocols/contract/protocol.js'
import { type ExchangeIn } from '../exchange.js'

/** Reserved for an answer when the client names no cap; settled from the usage afterwards. */
const DEFAULT_OUTPUT_RESERVE = 512

/** A request that waits for its slot. */
export type SlotWait = {
  /** Rejects with rate_limited or overloaded, and with client_gone when the client leaves the queue. */
  readonly entered: Promise<void>
  /** Reports its place in the queue, soon and on each change, until it has left it. */
  readonly watch: (onPlace: (place: QueuePlace) => void) => void
}

/**
 * Takes a request and a slot; waits in the bounded queue when all slots are taken. Null when nothing has to be awaited.
 * @throws rate_limited, overloaded
 */
export function admitRequest(exchange: ExchangeIn<'admit'>): SlotWait | null {
  const { limiter } = exchange.context
  const keyIndex = exchange.request.key.index
  if (exchange.request.isCounted !== true) limiter.takeRequest(keyIndex)
  // The request that it repeats may hold the slot for which it would wait.
  return exchange.request.sharing?.isRepeat === true ? null : waitForSlot(exchange)
}

/** Takes the slot alone, for a request that was counted before. @throws as `admitRequest` */
export function waitForSlot(exchange: ExchangeIn<'admit'>): SlotWait | null {
  const { limiter } = exchange.context
  const keyIndex = exchange.request.key.index
  const waiter = new SlotWaiter(exchange, keyIndex)
  if (limiter.enter(keyIndex, waiter)) {
    exchange.holdsSlot = true
    return null
  }
  return { entered: waiter.wait(), watch: (onPlace) => limiter.watch(waiter, onPlace) }
}

/** One exchange in the queue for a slot. */
class SlotWaiter implements Waiter {
  readonly keyIndex: number
  readonly isCounted: boolean
  readonly #exchange: ExchangeIn<'admit'>
  #wake: (() => void) | null = null
  #refuse: ((error: GatewayError) => void) | null = null

  constructor(exchange: ExchangeIn<'admit'>, keyIndex: number) {
    this.#exchange = exchange
    this.keyIndex = keyIndex
    this.isCounted = exchange.request.isCounted === true
  }

  wait(): Promise<void> {
    const exchange = this.#exchange
    return new Promise((resolve, reject) => {
      this.#wake = resolve
      this.#refuse = reject
      exchange.onCancel = () => {
        exchange.context.limiter.cancel(this)
        reject(new GatewayError('client_gone'))
      }
    })
  }

  onEntered(): void {
    this.#left()
    this.#exchange.holdsSlot = true
    this.#wake?.()
  }

  onRefused(error: GatewayError): void {
    this.#left()
    this.#refuse?.(error)
  }

  #left(): void {
    const exchange = this.#exchange
    exchange.onCancel = null
    exchange.queuedMs = exchange.context.clock.nowMs() - exchange.request.acceptedAtMs
  }
}

/**
 * Reserves the tokens the exchange may cost. Null when nothing has to be awaited.
 * @throws rate_limited, overloaded
 */
export function admitTokens(
  exchange: ExchangeIn<'admit'>,
  facts: RequestFacts,
  estimatedInputTokens: number,
): Promise<void> | null {
  const tokens = neededTokens(facts, estimatedInputTokens)
  const reserving = exchange.context.limiter.reserveTokens(exchange.request.key.index, tokens)
  if (reserving !== null) return awaitTokens(exchange, tokens, reserving)
  exchange.reservedTokens = tokens
  return null
}

/** Largest cost of a request: its estimated input, and the client's output cap for each answer, if that is text. */
export function neededTokens(
  facts: Pick<RequestFacts, 'maxOutputTokens' | 'answers' | 'endpoint'>,
  inputTokens: number,
): number {
  if (facts.endpoint?.isText === false) return inputTokens
  const outputTokens = (facts.maxOutputTokens ?? DEFAULT_OUTPUT_RESERVE) * (facts.answers ?? 1)
  return Math.min(inputTokens + outputTokens, Number.MAX_SAFE_INTEGER)
}

/** A client that left meanwhile has settled without them. */
async function awaitTokens(exchange: ExchangeIn<'admit'>, tokens: number, reserving: Promise<void>): Promise<void> {
  await reserving
  if (exchange.isSettled) exchange.context.limiter.settleTokens(exchange.request.key.index, tokens, 0)
  else exchange.reservedTokens = tokens
}

/** Releases the slot and settles the reservation: `usedTokens` is the actual cost of the exchange. */
export function release(exchange: ExchangeIn<'admit'>, usedTokens: number): void {
  const { limiter } = exchange.context
  const keyIndex = exchange.request.key.index
  if (exchange.reservedTokens > 0) limiter.settleTokens(keyIndex, exchange.reservedTokens, usedTokens)
  if (exchange.holdsSlot) limiter.leave(keyIndex)
  exchange.reservedTokens = 0
  exchange.holdsSlot = false
}
