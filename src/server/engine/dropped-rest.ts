// Drains a request body that is not needed: reads and discards it for a moment, so that a client which writes first and reads
// afterwards gets its answer, and not the reset that closing on unread bytes would cause. Bounded in time, in bytes, and in work
// per turn of the event loop. It knows no response: `close` and `breakOff` are passed in.
import { type TurnGuard } from './turn-guard.js'

export type DroppedRestOptions = {
  readonly guard: TurnGuard
  /** Closes the connection; never called from within the engine's parser, which might continue with a closed socket. */
  readonly close: () => void
  /** Makes the engine close the connection after it has parsed what it has read. */
  readonly breakOff: () => void
}

/** For a client on a slow line to end its write, or to notice. */
const MOST_MS = 2000
/** A client that has sent nothing for this long is waiting for the answer, or has it. */
const QUIET_MS = 250
/** Three times the default limit of a body. */
const MOST_BYTES = 64 * 1024 * 1024
/** The engine does not return to the loop before the socket is drained, so more than this in one turn is a flood. */
const MOST_PIECES_A_TURN = 4096
const MOST_BYTES_A_TURN = 16 * 1024 * 1024

/** The rest of one request. */
export class DroppedRest {
  readonly #options: DroppedRestOptions
  #leftMs = MOST_MS
  #bytes = 0
  #bytesBefore = 0
  #turn = 0
  #piecesNow = 0
  #bytesNow = 0
  #timer: NodeJS.Timeout | null = null
  #isOver = false

  constructor(options: DroppedRestOptions) {
    this.#options = options
  }

  /** The answer is sent: from now on the rest has only a moment left. */
  start(): void {
    if (this.#isOver || this.#timer !== null) return
    this.#timer = setInterval(() => this.#look(), QUIET_MS)
    this.#timer.unref()
  }

  /** A piece of the body. */
  drop(byteLength: number, isLast: boolean): void {
    if (this.#isOver) return
    const turn = this.#options.guard.enter()
    if (turn !== this.#turn) {
      this.#turn = turn
      this.#piecesNow = 0
      this.#bytesNow = 0
    }
    this.#piecesNow += 1
    this.#bytesNow += byteLength
    this.#bytes += byteLength
    if (this.#piecesNow > MOST_PIECES_A_TURN || this.#bytesNow > MOST_BYTES_A_TURN) {
      this.stop()
      this.#options.breakOff()
    } else if (isLast || this.#bytes > MOST_BYTES) this.#options.guard.wait({ proceed: () => this.#close() })
  }

  /** The connection is gone. */
  stop(): void {
    this.#isOver = true
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  #look(): void {
    this.#leftMs -= QUIET_MS
    const isQuiet = this.#bytes === this.#bytesBefore
    this.#bytesBefore = this.#bytes
    if (isQuiet || this.#leftMs <= 0) this.#close()
  }

  #close(): void {
    if (this.#isOver) return
    this.stop()
    this.#options.close()
  }
}
