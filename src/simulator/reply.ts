// One HTTP answer on uWebSockets.js. Keeps the engine's rules in one place: no call after the end or an abort, at most 15 KiB per
// cork, and our own queue while the kernel's buffer is full (older builds lose uncorked data, uws.js#1249).

// Not an import statement, which would load the addon.
type HttpResponse = import('uWebSockets.js').HttpResponse

/** Leaves room for status, headers and framing within 15 KiB. */
const MAX_WRITE_BYTES = 12 * 1024
const EMPTY = Buffer.alloc(0)

export type ReplyHead = {
  /** Code and reason, such as `200 OK`. */
  readonly status: string
  readonly contentType: string
  readonly headers: ReadonlyArray<readonly [string, string]>
}

/** Owns a response. `onAborted`: the peer disconnected before the end; not called after our own `cut`. */
export class Reply {
  readonly #res: HttpResponse
  readonly #onAborted: () => void
  #onDrained: () => void = () => undefined
  #head: ReplyHead | null = null
  #queue: Buffer[] = []
  #isBlocked = false
  #isEnding = false
  #isOver = false
  /** The response must no longer be used. */
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

  /** Reads the request's body; `take` is not called once the reply is over. */
  readBody(take: (part: ArrayBuffer, isLast: boolean) => void): void {
    this.#touch((res) => {
      res.onData((part, isLast) => {
        if (!this.#isOver) take(part, isLast)
      })
    })
  }

  /** Begins a chunked answer; the head goes out with the first bytes. */
  begin(head: ReplyHead, onDrained: () => void): void {
    this.#head = head
    this.#onDrained = onDrained
    this.#touch((res) => {
      res.onWritable(() => {
        this.#isBlocked = false
        // The engine drains only when something is written, even if nothing is left.
        this.#cork(() => undefined)
        this.#flush()
        if (!this.#isBlocked && !this.#isOver) this.#onDrained()
        return true
      })
    })
  }

  /** Writes bytes of a chunked answer, of any size. */
  write(bytes: Buffer): void {
    if (this.#isOver || bytes.length === 0) return
    for (let at = 0; at < bytes.length; at += MAX_WRITE_BYTES)
      this.#queue.push(bytes.subarray(at, at + MAX_WRITE_BYTES))
    this.#flush()
  }

  /** Writes each piece as a separate chunk, all in one write to the socket; queues them if they exceed what one cork holds. */
  writeEach(pieces: readonly Buffer[]): void {
    if (this.#isOver) return
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    if (this.#isBlocked || this.#queue.length > 0 || bytes > MAX_WRITE_BYTES) {
      for (const piece of pieces) this.write(piece)
      return
    }
    this.#cork((res) => {
      this.#takeHead(res)
      for (const piece of pieces) this.#isBlocked = !res.write(piece)
    })
  }

  /** Ends a chunked answer once everything is written. */
  end(): void {
    this.#isEnding = true
    this.#flush()
  }

  /** Sends a whole answer with its content-length. With `cutAfterBytes`, only that many bytes are sent before the socket is closed. */
  answer(head: ReplyHead, body: Buffer, cutAfterBytes: number | null = null): void {
    if (this.#isOver) return
    if (cutAfterBytes !== null) {
      const part = body.subarray(0, Math.min(cutAfterBytes, MAX_WRITE_BYTES))
      this.#cork((res) => {
        writeHead(res, head)
        // tryEnd without bytes may end the response (20.69 reported that it had), so the head is written with the length here.
        if (part.length === 0) res.writeHeader('content-length', `${body.length}\r\n`)
        else res.tryEnd(part, body.length)
      })
      this.cut()
      return
    }
    if (body.length <= MAX_WRITE_BYTES) {
      this.#isOver = true
      this.#cork((res) => {
        writeHead(res, head)
        res.end(body)
      })
      return
    }
    this.#answerLarge(head, body)
  }

  /** Closes the socket a turn later, since the engine has sent nothing yet while it corks. Data that the kernel has not taken is lost. */
  cut(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#queue = []
    setImmediate(() => this.#touch((res) => res.close()))
  }

  /**
   * The only place that uses the response. The engine throws for a response that it considers ended, which may differ from our own
   * state and between its versions; thrown in one of our timers, that would end the process.
   */
  #touch(act: (res: HttpResponse) => void): void {
    if (this.#isGone) return
    try {
      act(this.#res)
    } catch {
      this.#isGone = true
      if (this.#isOver) return
      this.#isOver = true
      this.#queue = []
      this.#onAborted()
    }
  }

  #cork(write: (res: HttpResponse) => void): void {
    this.#touch((res) => {
      // The engine calls back synchronously, and only prints what the callback throws.
      let thrown: { readonly error: unknown } | null = null
      res.cork(() => {
        try {
          write(res)
        } catch (error) {
          thrown = { error }
        }
      })
      if (thrown !== null) throw (thrown as { readonly error: unknown }).error
    })
  }

  #answerLarge(head: ReplyHead, body: Buffer): void {
    const send = (res: HttpResponse, offset: number): boolean => {
      if (this.#isOver) return true
      const [isTaken, isDone] = res.tryEnd(body.subarray(offset), body.length)
      if (isDone) this.#isOver = true
      return isTaken
    }
    this.#touch((res) => {
      res.onWritable((offset) => {
        let isTaken = true
        this.#touch(() => {
          isTaken = send(res, offset)
        })
        return isTaken
      })
    })
    this.#cork((res) => {
      writeHead(res, head)
      send(res, 0)
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
    this.#cork((res) => {
      this.#takeHead(res)
      res.end(EMPTY)
    })
  }

  #writePiece(bytes: Buffer): void {
    this.#cork((res) => {
      this.#takeHead(res)
      // False: the engine has buffered the bytes; they must not be sent again.
      this.#isBlocked = !res.write(bytes)
    })
  }

  #takeHead(res: HttpResponse): void {
    if (this.#head !== null) writeHead(res, this.#head)
    this.#head = null
  }
}

function writeHead(res: HttpResponse, head: ReplyHead): void {
  res.writeStatus(head.status).writeHeader('content-type', head.contentType)
  for (const [name, value] of head.headers) res.writeHeader(name, value)
}
