// The real limiter, with every taking and giving back counted: the cells themselves forgive what is given back twice.
import { type GatewayError } from '../../src/errors.js'
import {
  type Limiter,
  type LimitSnapshot,
  type LocalLimiter,
  type QueuePlace,
  type Waiter,
} from '../../src/limit/limiter.js'

/** Slots of targets are counted behind those of providers. */
const FIRST_TARGET = 1000

/** The limiter, with every taking and giving back counted: the cells themselves forgive what is given back twice. */
export class CountingLimiter implements Limiter {
  readonly #limiter: LocalLimiter
  readonly #waiters = new WeakMap<Waiter, Waiter>()
  slots = 0
  /** While set, tokens and provider slots are there only with it: as if another machine were asked. */
  asks: Promise<void> | null = null
  readonly providers = new Map<number, number>()
  reservations = 0

  constructor(limiter: LocalLimiter) {
    this.#limiter = limiter
  }

  takeRequest(keyIndex: number): void {
    this.#limiter.takeRequest(keyIndex)
  }

  countRequest(keyIndex: number): null {
    return this.#limiter.countRequest(keyIndex)
  }

  checkTokens(keyIndex: number, tokens: number): void {
    this.#limiter.checkTokens(keyIndex, tokens)
  }

  enter(keyIndex: number, waiter: Waiter): boolean {
    const counting = {
      keyIndex,
      onEntered: () => {
        this.slots += 1
        waiter.onEntered()
      },
      onRefused: (error: GatewayError) => waiter.onRefused(error),
    }
    this.#waiters.set(waiter, counting)
    const isIn = this.#limiter.enter(keyIndex, counting)
    if (isIn) this.slots += 1
    return isIn
  }

  refusal(keyIndex: number) {
    return this.#limiter.refusal(keyIndex)
  }

  cancel(waiter: Waiter): void {
    this.#limiter.cancel(this.#waiters.get(waiter) ?? waiter)
  }

  watch(waiter: Waiter, onPlace: (place: QueuePlace) => void): void {
    this.#limiter.watch(this.#waiters.get(waiter) ?? waiter, onPlace)
  }

  leave(keyIndex: number): void {
    this.slots -= 1
    this.#limiter.leave(keyIndex)
  }

  reserveTokens(keyIndex: number, tokens: number): Promise<void> | null {
    this.#limiter.reserveTokens(keyIndex, tokens)
    this.reservations += 1
    return this.asks
  }

  settleTokens(keyIndex: number, reserved: number, used: number): void {
    this.reservations -= 1
    this.#limiter.settleTokens(keyIndex, reserved, used)
  }

  enterProvider(providerIndex: number): boolean | Promise<boolean> {
    const isIn = this.#limiter.enterProvider(providerIndex)
    if (isIn) this.#countProvider(providerIndex, 1)
    return this.asks === null ? isIn : this.asks.then(() => isIn)
  }

  leaveProvider(providerIndex: number): void {
    this.#countProvider(providerIndex, -1)
    this.#limiter.leaveProvider(providerIndex)
  }

  enterTarget(slot: number): boolean {
    const isIn = this.#limiter.enterTarget(slot)
    if (isIn) this.#countProvider(FIRST_TARGET + slot, 1)
    return isIn
  }

  leaveTarget(slot: number): void {
    this.#countProvider(FIRST_TARGET + slot, -1)
    this.#limiter.leaveTarget(slot)
  }

  targetLoad(slot: number): number {
    return this.#limiter.targetLoad(slot)
  }

  snapshot(keyIndex: number): LimitSnapshot {
    return this.#limiter.snapshot(keyIndex)
  }

  active(): number {
    return this.#limiter.active()
  }

  #countProvider(index: number, by: number): void {
    this.providers.set(index, (this.providers.get(index) ?? 0) + by)
  }
}
