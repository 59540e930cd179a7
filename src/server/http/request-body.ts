// Collects the body of one request into its own ArrayBuffer of exact size. It counts what arrives and never holds more than the
// limit: the first byte beyond it ends the collection.
import { type GatewayError } from '../../errors.js'
import { type Reservation } from '../context.js'

const EMPTY = new Uint8Array(new ArrayBuffer(0))
/** The initial size for a body of unknown length: most chunked bodies fit without growing. */
const FIRST_ROOM_BYTES = 16 * 1024

export type BodyEvents = {
  /** Called at most once, when the first part must be kept: a body that arrives in one piece needs no reservation. */
  reserve(): Reservation
  /** No memory is left for more of it; everything is released and the rest is ignored. */
  onNoRoom(refusal: GatewayError): void
  /** The body is whole. The array owns its buffer. */
  onBody(body: Uint8Array<ArrayBuffer>): void
  /** It exceeds `maxBytes`; everything is released and the rest is ignored. */
  onTooLarge(receivedBytes: number): void
}

/** One request's body: passed on once, whole, or rejected as soon as it is too large. */
export class RequestBody {
  readonly #contentLength: number
  readonly #maxBytes: number
  readonly #events: BodyEvents
  #room: Uint8Array<ArrayBuffer> = EMPTY
  #reservation: Reservation | null = null
  #received = 0
  #isDone = false

  /** `contentLength`: -1 when the length is not known; it must not be above `maxBytes`. */
  constructor(contentLength: number, maxBytes: number, events: BodyEvents) {
    this.#contentLength = contentLength
    this.#maxBytes = maxBytes
    this.#events = events
  }

  get receivedBytes(): number {
    return this.#received
  }

  /** `chunk` belongs to the engine and is invalid after the call. */
  push(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#isDone) return
    const before = this.#received
    this.#received += chunk.byteLength
    if (this.#received > this.#maxBytes) {
      this.stop()
      this.#events.onTooLarge(this.#received)
      return
    }
    if (isLast && before === 0) {
      this.#finish(chunk.byteLength === 0 ? EMPTY : new Uint8Array(chunk.slice(0)))
      return
    }
    if (chunk.byteLength > 0) {
      const refusal = this.#makeRoom(this.#received)
      if (refusal !== null) {
        this.stop()
        this.#events.onNoRoom(refusal)
        return
      }
      this.#room.set(new Uint8Array(chunk), before)
    }
    if (isLast) this.#finish(this.#room.length === this.#received ? this.#room : this.#room.slice(0, this.#received))
  }

  /** Releases what was collected; no event follows. */
  stop(): void {
    this.#isDone = true
    this.#room = EMPTY
    this.#reservation?.release()
    this.#reservation = null
  }

  /** Reserves memory before it is allocated; returns an error if there is no room. */
  #makeRoom(neededBytes: number): GatewayError | null {
    if (this.#room.length >= neededBytes) return null
    // A declared length is allocated at the first byte, not at the head, which costs its sender too little.
    const size =
      this.#contentLength >= neededBytes
        ? this.#contentLength
        : Math.min(this.#maxBytes, Math.max(FIRST_ROOM_BYTES, this.#room.length * 2, neededBytes))
    this.#reservation ??= this.#events.reserve()
    const refusal = this.#reservation.grow(size)
    if (refusal !== null) return refusal
    // Not zeroed, which takes as long as filling it: what is passed on has been written to its last byte.
    const room = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer)
    room.set(this.#room)
    this.#room = room
    return null
  }

  /** The body is complete and belongs to the caller from here on: its reservation ends. */
  #finish(body: Uint8Array<ArrayBuffer>): void {
    this.stop()
    this.#events.onBody(body)
  }
}
