// As much of the engine's response as our wrapper uses, with its rules: it counts the bytes of each turn of the event loop
// per cork, and throws when it is used after its end.
import { type HttpResponse } from '../../src/server/engine/engine.js'

export class StubResponse {
  /** Bytes that went into each cork, or into the engine's own while `isCorked`. */
  readonly corks: number[] = []
  readonly headers: string[] = []
  readonly body: Buffer[] = []
  /** The engine's own cork of a request being parsed; ours only add to it. */
  isCorked = false
  /** What `write` answers. */
  isTaking = true
  /** What the next writes answer, before `isTaking` counts again. */
  readonly nextTakings: boolean[] = []
  isOver = false
  isCut = false
  isConnectionClosed = false
  onAbortedCall: () => void = () => {}
  onDataCall: (chunk: ArrayBuffer, isLast: boolean) => void = () => {}
  onWritableCall: (offset: number) => boolean = () => true
  /** Bytes that tryEnd takes at a time. */
  tryEndBytes = Number.POSITIVE_INFINITY
  #depth = 0

  /** In the type that the wrapper takes. */
  get asResponse(): HttpResponse {
    return this as unknown as HttpResponse
  }

  getRemoteAddress(): ArrayBuffer {
    this.#check()
    return new Uint8Array([10, 0, 0, 1]).buffer
  }

  onAborted(call: () => void): void {
    this.onAbortedCall = call
  }

  onData(call: (chunk: ArrayBuffer, isLast: boolean) => void): void {
    this.#check()
    this.onDataCall = call
  }

  onWritable(call: (offset: number) => boolean): void {
    this.#check()
    this.onWritableCall = call
  }

  cork(write: () => void): void {
    this.#check()
    if (!this.isCorked || this.corks.length === 0) this.corks.push(0)
    this.#depth += 1
    write()
    this.#depth -= 1
  }

  writeStatus(status: string): this {
    this.#add(status.length + 11)
    return this
  }

  writeHeader(name: string, value: string): void {
    this.headers.push(`${name}: ${value}`)
    this.#add(Buffer.byteLength(name + value) + 4)
  }

  write(bytes: Uint8Array): boolean {
    this.body.push(Buffer.from(bytes))
    this.#add(bytes.length + 10)
    return this.nextTakings.shift() ?? this.isTaking
  }

  end(body: Uint8Array = new Uint8Array(0), isClosing = false): void {
    this.body.push(Buffer.from(body))
    this.#add(body.length + 7)
    this.isConnectionClosed = isClosing
    this.isOver = true
  }

  endWithoutBody(...given: readonly unknown[]): void {
    if (given.length > 0) throw new Error('an undefined length is 2^63')
    this.end()
  }

  tryEnd(body: Uint8Array, totalBytes: number): [boolean, boolean] {
    this.#check()
    const part = body.subarray(0, this.tryEndBytes)
    this.body.push(Buffer.from(part))
    this.isOver = this.body.reduce((sum, piece) => sum + piece.length, 0) === totalBytes
    return [part.length === body.length, this.isOver]
  }

  close(): void {
    this.#check()
    this.isCut = true
    this.isOver = true
    this.onAbortedCall()
  }

  #add(bytes: number): void {
    this.#check()
    if (this.#depth === 0) throw new Error('a write outside a cork')
    this.corks[this.corks.length - 1] = (this.corks.at(-1) ?? 0) + bytes
  }

  #check(): void {
    if (this.isOver) throw new Error('used after its end')
  }
}
