// Bounds what one connection may demand of one turn of the event loop. The engine reads a socket until it is drained and serves
// everything in one go, so without a bound a client that never pauses would be the only one served.
//
//   requests   at first answered at once; when a turn is crowded, after it. A second request behind one that waits makes the
//              engine close the connection by itself, without our knowing which connection it is (the engine does not
//              say), and no other client loses more than the rest of the turn.
//   messages   are counted for each socket, which is closed with 1008 above its allowance.
//
// It costs one counter per request and one `setImmediate` per turn; it never reads a clock on its own.
import { type FloodKind } from '../../telemetry/records.js'

/** Called for each closed connection; `address`: its other side, 4 or 16 bytes, empty if unknown. */
export type OnFlood = (kind: FloodKind, address: Uint8Array) => void

/** Called when the turn is over. */
export type Waiting = { proceed(): void }

/** At 20 to 50 us for an answer without an upstream this is 1 to 3 ms. */
const REQUESTS_A_TURN = 64
/** Some answers take milliseconds: metrics, long lists of models. */
const REQUESTS_TURN_MS = 10
/** Messages beyond a chat and a cancel per allowed chat: pings, and rejected messages. */
const SPARE_MESSAGES = 64
const MESSAGES_TURN_MS = 20
/** A message that takes longer is large, and so few fit into a turn, or the thread waited for a processor. */
const MAX_MESSAGE_MS = 1

/** Counts the turns of one event loop and the requests in each. */
export class TurnGuard {
  readonly #afterTurn: (callback: () => void) => void
  readonly #onFlood: OnFlood
  readonly #endTurn: () => void
  #turn = 1
  #isBegun = false
  #requests = 0
  #startedAtMs = 0
  #isCrowded = false
  #waiting: Waiting[] = []

  /** `afterTurn`: calls back once, after the loop has read everything that has arrived by now. */
  constructor(afterTurn: (callback: () => void) => void, onFlood: OnFlood) {
    this.#afterTurn = afterTurn
    this.#onFlood = onFlood
    this.#endTurn = () => this.#end()
  }

  /** True if answers in this turn must wait for its end. */
  get isCrowded(): boolean {
    return this.#isCrowded
  }

  /** The number of this turn; the engine has just handed over something. */
  enter(): number {
    if (!this.#isBegun) {
      this.#isBegun = true
      this.#afterTurn(this.#endTurn)
    }
    return this.#turn
  }

  /** One more request of this turn; `enter` came before. */
  noteRequest(nowMs: number): void {
    this.#requests += 1
    if (this.#requests === 1) this.#startedAtMs = nowMs
    this.#isCrowded = this.#requests > REQUESTS_A_TURN || nowMs - this.#startedAtMs > REQUESTS_TURN_MS
  }

  /** Whether that turn is still under way. */
  isNow(turn: number): boolean {
    return this.#isBegun && turn === this.#turn
  }

  /** Calls `proceed` when this turn is over. */
  wait(waiting: Waiting): void {
    this.enter()
    this.#waiting.push(waiting)
  }

  /** A connection was closed because of its demands on this turn. */
  noteFlood(kind: FloodKind, address: Uint8Array): void {
    this.#onFlood(kind, address)
  }

  #end(): void {
    this.#turn += 1
    this.#isBegun = false
    this.#requests = 0
    this.#isCrowded = false
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const one of waiting) one.proceed()
  }
}

/** What one WebSocket has sent during a turn. Its chats may all be opened at once, however long that takes. */
export class MessageAllowance {
  #turn = 0
  #messages = 0
  #spentMs = 0
  #takenAtMs = 0

  /** One more message, whatever its kind; the one before has taken the time since. False: more than `maxChats` could need. */
  take(turn: number, nowMs: number, maxChats: number): boolean {
    if (turn === this.#turn) this.#spentMs += Math.min(nowMs - this.#takenAtMs, MAX_MESSAGE_MS)
    else {
      this.#turn = turn
      this.#messages = 0
      this.#spentMs = 0
    }
    this.#takenAtMs = nowMs
    this.#messages += 1
    if (this.#messages <= maxChats) return true
    return this.#messages <= 2 * maxChats + SPARE_MESSAGES && this.#spentMs <= MESSAGES_TURN_MS
  }
}
