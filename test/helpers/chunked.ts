// A strict reader of one HTTP/1.1 answer with a chunked body: every byte of framing must be right, or it throws.

const CRLF = Buffer.from('\r\n')
const END_OF_HEAD = Buffer.from('\r\n\r\n')

export class ChunkedReader {
  #buffer: Buffer = Buffer.alloc(0)
  #state: 'head' | 'size' | 'payload' | 'after-payload' | 'trailer' | 'ended' = 'head'
  #left = 0
  #parts: Buffer[] = []
  head = ''

  /** The last chunk and the final CRLF have come. */
  get isEnded(): boolean {
    return this.#state === 'ended'
  }

  /** Payload so far. */
  body(): Buffer {
    return Buffer.concat(this.#parts)
  }

  /** @throws on any framing error */
  push(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
    while (this.#step()) {
      // Each step takes one element off the buffer.
    }
  }

  #step(): boolean {
    switch (this.#state) {
      case 'head':
        return this.#takeHead()
      case 'size':
        return this.#takeSize()
      case 'payload':
        return this.#takePayload()
      case 'after-payload':
        return this.#takeCrlf('size')
      case 'trailer':
        return this.#takeCrlf('ended')
      case 'ended':
        if (this.#buffer.length > 0) throw new Error(`${this.#buffer.length} bytes after the last chunk`)
        return false
    }
  }

  #takeHead(): boolean {
    const end = this.#buffer.indexOf(END_OF_HEAD)
    if (end < 0) return false
    this.head = this.#take(end + END_OF_HEAD.length).toString('latin1')
    if (!/transfer-encoding: chunked/i.test(this.head)) throw new Error(`not chunked: ${this.head}`)
    this.#state = 'size'
    return true
  }

  #takeSize(): boolean {
    const end = this.#buffer.indexOf(CRLF)
    if (end < 0) {
      if (this.#buffer.length > 16) throw new Error('no chunk size where one was due')
      return false
    }
    const text = this.#take(end + 2)
      .toString('latin1')
      .trimEnd()
    if (!/^[0-9a-fA-F]+$/.test(text)) throw new Error(`bad chunk size ${JSON.stringify(text.slice(0, 40))}`)
    this.#left = Number.parseInt(text, 16)
    this.#state = this.#left === 0 ? 'trailer' : 'payload'
    return true
  }

  #takePayload(): boolean {
    if (this.#buffer.length === 0) return false
    const part = this.#take(Math.min(this.#left, this.#buffer.length))
    this.#parts.push(part)
    this.#left -= part.length
    if (this.#left === 0) this.#state = 'after-payload'
    return true
  }

  #takeCrlf(next: 'size' | 'ended'): boolean {
    if (this.#buffer.length < 2) return false
    if (!this.#take(2).equals(CRLF)) throw new Error('no CRLF where one was due')
    this.#state = next
    return true
  }

  #take(bytes: number): Buffer {
    const taken = this.#buffer.subarray(0, bytes)
    this.#buffer = this.#buffer.subarray(bytes)
    return taken
  }
}
