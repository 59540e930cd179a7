// Reads answers off a raw socket for the generators: the head, a body that is chunked or has a length, and how many events
// came with each read. Native HTTP clients would cost the generator more than the server they load.

const END_OF_HEAD = Buffer.from('\r\n\r\n')
const CRLF = '\r\n'
/** Enough for an end marker and what may follow it. */
const TAIL_BYTES = 512
const NOTHING = Buffer.alloc(0)

export type ReaderOptions = {
  /** Stands once in each event. */
  readonly marker: string
  /** Keep the payload. */
  readonly keeps?: boolean
}

/** One connection's answers, one after the other; `begin` before each. */
export class AnswerReader {
  readonly #marker: Buffer
  readonly #keeps: boolean
  #pending: Buffer = NOTHING
  #isHead = true
  #isChunked = false
  /** Bytes left of the chunk or of the body; -1: a chunk's size line is due. */
  #left = -1
  /** The end of what was searched, which may hold the beginning of a marker. */
  #seam: Buffer = NOTHING
  #tail: Buffer = NOTHING
  #kept: Buffer[] = []
  status = 0
  events = 0
  isOver = false
  /** The server closes after this answer. */
  isLast = false
  /** The framing is broken. */
  isBroken = false

  constructor(options: ReaderOptions) {
    this.#marker = Buffer.from(options.marker)
    this.#keeps = options.keeps ?? false
  }

  /** Forgets the last answer. */
  begin(): void {
    this.#pending = NOTHING
    this.#isHead = true
    this.#left = -1
    this.#seam = NOTHING
    this.#tail = NOTHING
    this.#kept = []
    this.status = 0
    this.events = 0
    this.isOver = false
    this.isLast = false
    this.isBroken = false
  }

  /** The last bytes of the payload. */
  get tail(): string {
    return this.#tail.toString('latin1')
  }

  /** The whole payload, where it is kept. */
  get payload(): Buffer {
    return Buffer.concat(this.#kept)
  }

  /** Takes one read; returns how many events it brought. */
  push(chunk: Buffer): number {
    const before = this.events
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    this.#pending = NOTHING
    if (this.#isHead) {
      const end = bytes.indexOf(END_OF_HEAD)
      if (end < 0) {
        this.#pending = bytes
        return 0
      }
      this.#readHead(bytes.toString('latin1', 0, end + 2))
      bytes = bytes.subarray(end + END_OF_HEAD.length)
    }
    if (this.#isChunked) this.#pushChunked(bytes)
    else this.#pushPlain(bytes)
    return this.events - before
  }

  #readHead(head: string): void {
    this.#isHead = false
    this.status = Number(head.slice(9, 12))
    this.isLast = /^connection: close\r$/im.test(head)
    this.#isChunked = /^transfer-encoding: chunked\r$/im.test(head)
    if (!this.#isChunked) this.#left = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1] ?? Number.POSITIVE_INFINITY)
  }

  #pushPlain(bytes: Buffer): void {
    if (bytes.length > 0) this.#take(bytes)
    this.#left -= bytes.length
    if (this.#left <= 0) this.isOver = true
  }

  #pushChunked(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length && !this.isOver) {
      if (this.#left < 0) {
        const end = bytes.indexOf(CRLF, at)
        if (end < 0) break
        const size = Number.parseInt(bytes.toString('latin1', at, end), 16)
        if (Number.isNaN(size)) {
          this.isBroken = true
          this.isOver = true
          return
        }
        if (size === 0) {
          // No trailers are sent here: the empty line ends the body.
          if (bytes.length < end + 4) break
          this.isOver = true
          return
        }
        this.#left = size
        at = end + 2
      }
      const end = Math.min(bytes.length, at + this.#left)
      if (end > at) this.#take(bytes.subarray(at, end))
      this.#left -= end - at
      at = end
      if (this.#left > 0) continue
      // The line end behind the chunk.
      if (bytes.length < at + 2) break
      this.#left = -1
      at += 2
    }
    this.#pending = at < bytes.length ? bytes.subarray(at) : NOTHING
  }

  #take(payload: Buffer): void {
    if (this.#keeps) this.#kept.push(payload)
    this.#count(payload)
    this.#tail =
      payload.length >= TAIL_BYTES
        ? payload.subarray(-TAIL_BYTES)
        : Buffer.concat([this.#tail.subarray(-TAIL_BYTES), payload]).subarray(-TAIL_BYTES)
  }

  #count(payload: Buffer): void {
    const marker = this.#marker
    const reach = marker.length - 1
    if (this.#seam.length > 0) {
      const seam = Buffer.concat([this.#seam, payload.subarray(0, reach)])
      if (seam.includes(marker)) this.events += 1
    }
    for (let at = payload.indexOf(marker); at >= 0; at = payload.indexOf(marker, at + marker.length)) this.events += 1
    this.#seam =
      payload.length >= reach ? payload.subarray(-reach) : Buffer.concat([this.#seam, payload]).subarray(-reach)
  }
}
