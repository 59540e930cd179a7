// Between an attempt and its client: holds frames back until there is content, so that an earlier failure can still become an HTTP
// status or a try at another target. It decides, once, where an end is reported: to dispatch, or to the client in-band.
//
//   before content:  frames held back, failure -> the promise rejects         after:  frames -> log -> readers, failure -> in-band
import { GatewayError } from '../../errors.js'
import { type Outcome } from '../../model/event.js'
import { type ExchangeIn } from '../exchange.js'
import { followLog } from './begin-stream.js'
import { fail } from './reject.js'

/** An upstream that sends this much without any content is not held back further. */
const MAX_HELD_BACK_BYTES = 262_144

export class FirstContentGate {
  readonly #exchange: ExchangeIn<'delivery'>
  #heldBack: Uint8Array[] = []
  #heldBackBytes = 0
  #isOpen = false
  /** Called once, before the first byte goes out or the answer is complete. */
  onOpen: (() => void) | null = null
  #resolve: (() => void) | null = null
  #reject: ((error: GatewayError) => void) | null = null

  constructor(exchange: ExchangeIn<'delivery'>) {
    this.#exchange = exchange
  }

  /** Resolves when the client's answer has begun or is complete; rejects with a failure before that. */
  passed(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** Takes ownership of whole frames in the client's framing. */
  append(frames: Uint8Array, hasContent: boolean): void {
    if (!this.#isOpen) {
      if (!hasContent && this.#holdBack(frames)) return
      this.open()
    }
    const exchange = this.#exchange
    exchange.lastFrameAtMs = exchange.context.clock.nowMs()
    exchange.openLog().append(frames)
    followLog(exchange)
    if (this.#resolve !== null) this.resolve()
  }

  /** Releases the frames held back; from here on frames pass immediately. */
  open(): void {
    this.claim()
    this.#isOpen = true
    if (this.#heldBack.length === 0) return
    const log = this.#exchange.openLog()
    for (const held of this.#heldBack) log.append(held)
    this.#heldBack = []
  }

  /** This answer is the one that the client gets. */
  claim(): void {
    const onOpen = this.onOpen
    this.onOpen = null
    onOpen?.()
  }

  /** The stream is complete, or cut where a budget ends: its readers end after the last frame. */
  complete(outcome: Outcome = 'complete'): void {
    const exchange = this.#exchange
    const { usage, usageSource } = exchange.current
    this.open()
    exchange.closeLog({ outcome, error: null, usage, usageSource, costNano: exchange.costNano })
    followLog(exchange)
    this.resolve()
  }

  /** The client's answer has begun, so any end is final now. */
  resolve(): void {
    const resolve = this.#resolve
    this.#forgetPromise()
    resolve?.()
  }

  /** Before anything has reached the client another target may be tried; afterwards the failure is final and in-band. */
  fail(error: GatewayError): void {
    const reject = this.#reject
    this.#forgetPromise()
    if (reject !== null) reject(error)
    else fail(this.#exchange, error)
  }

  /** The exchange has ended: stops the wait without a report. */
  abandon(): void {
    this.#reject?.(new GatewayError('client_gone'))
    this.#forgetPromise()
  }

  /** False if there is no more room; then all frames must be sent. */
  #holdBack(frames: Uint8Array): boolean {
    if (this.#heldBackBytes + frames.length >= MAX_HELD_BACK_BYTES) return false
    this.#heldBackBytes += frames.length
    this.#heldBack.push(frames)
    return true
  }

  #forgetPromise(): void {
    this.#resolve = null
    this.#reject = null
  }
}
