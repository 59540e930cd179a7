// One HTTP answer on uWebSockets.js, with the engine's rules kept in one place: nothing after the end or an abort, at most
// 15 KiB a cork, a queue of our own while the kernel is full (an uncorked loss of older builds, uws.js#1249).

// Not by an import statement, which would load the addon.
type HttpResponse = import('uWebSockets.js').HttpResponse

/** Status, headers and framing fit beside it within 15 KiB. */
const MAX_WRITE_BYTES = 12 * 1024
const EMPTY = Buffer.alloc(0)

export type ReplyHead = {
  /** Code and reason, such as `200 OK`. */
  readonly status: string
  readonly contentType: string
  readonly headers: ReadonlyArray<readonly [string, string]>
}

/** Owns a response. `onAborted`: the peer went away before the end; not called for our own `cut`. */
export class Reply {
  readonly #res: HttpResponse
  readonly #onAborted: () => void
  #onDrained: () => void = () => undefined
  #head: ReplyHead | null = null
  #queue: Buffer[] = []
  #isBlocked = false
  #isEnding = false
  #isOver = false
  /** The response may not be touched any more. */
  #isGone = false

  constructor(res: HttpResponse, onAborted: () => void) {
    this.#res = res
    this.#onAborted = onAborted
    res.onAborted(() => {
      this.#isGone = true
      if (this.#isOver) return
      this.#isOver = true
      this.#queue = []
      this.#onAborted()
    })
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** True while earlier bytes wait for the peer; a stream should wait too. */
  get isBlocked(): boolean {
    return this.#isBlocked
  }

  /** Begins a chunked answer; the head goes out with the first bytes. */
  begin(head: ReplyHead, onDrained: () => void): void {
    this.#head = head
    this.#onDrained = onDrained
    this.#res.onWritable(() => {
      this.#isBlocked = false
      // The engine drains only when something is written, even if nothing is left.
      this.#res.cork(() => undefined)
      this.#flush()
      if (!this.#isBlocked && !this.#isOver) this.#onDrained()
      return true
    })
  }

  /** Bytes of a begun answer, of any size. */
  write(bytes: Buffer): void {
    if (this.#isOver || bytes.length === 0) return
    for (let at = 0; at < bytes.length; at += MAX_WRITE_BYTES)
      this.#queue.push(bytes.subarray(at, at + MAX_WRITE_BYTES))
    this.#flush()
  }

  /** Each of the pieces as a chunk of its own, all in one write to the socket. Together no more than a cork holds, or queued. */
  writeEach(pieces: readonly Buffer[]): void {
    if (this.#isOver) return
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    if (this.#isBlocked || this.#queue.length > 0 || bytes > MAX_WRITE_BYTES) {
      for (const piece of pieces) this.write(piece)
      return
    }
    this.#res.cork(() => {
      this.#takeHead()
      for (const piece of pieces) this.#isBlocked = !this.#res.write(piece)
    })
  }

  /** Ends a begun answer once everything is written. */
  end(): void {
    this.#isEnding = true
    this.#flush()
  }

  /** A whole answer with its content-length. With `cutAfterBytes` only so many are sent and the socket is closed. */
  answer(head: ReplyHead, body: Buffer, cutAfterBytes: number | null = null): void {
    if (this.#isOver) return
    if (cutAfterBytes !== null) {
      const part = body.subarray(0, Math.min(cutAfterBytes, MAX_WRITE_BYTES))
      this.#res.cork(() => {
        this.#writeHead(head)
        this.#res.tryEnd(part, body.length)
      })
      this.cut()
      return
    }
    if (body.length <= MAX_WRITE_BYTES) {
      this.#isOver = true
      this.#res.cork(() => {
        this.#writeHead(head)
        this.#res.end(body)
      })
      return
    }
    this.#answerLarge(head, body)
  }

  /** Closes the socket; what the kernel has not taken is lost. A turn later: within the engine's own cork nothing is sent yet. */
  cut(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#queue = []
    setImmediate(() => {
      if (!this.#isGone) this.#res.close()
    })
  }

  #answerLarge(head: ReplyHead, body: Buffer): void {
    const send = (offset: number): boolean => {
      if (this.#isOver) return true
      const [isTaken, isDone] = this.#res.tryEnd(body.subarray(offset), body.length)
      if (isDone) this.#isOver = true
      return isTaken
    }
    this.#res.onWritable((offset) => send(offset))
    this.#res.cork(() => {
      this.#writeHead(head)
      send(0)
    })
  }

  #flush(): void {
    while (!this.#isBlocked && !this.#isOver) {
      const bytes = this.#queue.shift()
      if (bytes === undefined) break
      this.#writePiece(bytes)
    }
    if (!this.#isEnding || this.#isOver || this.#queue.length > 0) return
    this.#isOver = true
    this.#res.cork(() => {
      this.#takeHead()
      this.#res.end(EMPTY)
    })
  }

  #writePiece(bytes: Buffer): void {
    this.#res.cork(() => {
      this.#takeHead()
      // False: taken, but waiting in the engine; it must not be sent again.
      this.#isBlocked = !this.#res.write(bytes)
    })
  }

  #takeHead(): void {
    if (this.#head !== null) this.#writeHead(this.#head)
    this.#head = null
  }

  #writeHead(head: ReplyHead): void {
    this.#res.writeStatus(head.status).writeHeader('content-type', head.contentType)
    for (const [name, value] of head.headers) this.#res.writeHeader(name, value)
  }
}
