// A model server for thousands of short streams: each request bears a number in its prompt, and what became of each number
// is kept. One timer feeds all streams, so that the upstream costs less than the gateway in front of it.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

/** What the upstream does with a request of this kind. */
export type Manner = 'silent' | 'holding' | 'streaming'

/** Times in performance.now(). */
export type Fate = {
  readonly seenAtMs: number
  /** The whole answer was sent. */
  isDone: boolean
  /** Its connection was closed before that. */
  closedAtMs: number | null
}

const TICK_MS = 5
const TOKENS = 24
/** `#number manner` anywhere in the request's body. */
const MARK = /#(\d+) (silent|holding|streaming)/
const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'
const HOLD = chunk(': hold\n\n')
const TOKEN = chunk('data: {"choices":[{"index":0,"delta":{"content":"word "}}]}\n\n')
const END = `${chunk('data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')}0\r\n\r\n`

type Stream = { readonly socket: Socket; readonly fate: Fate; left: number }

export class NumberedUpstream {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #streams = new Set<Stream>()
  readonly #timer: NodeJS.Timeout
  readonly fates = new Map<number, Fate>()

  private constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket))
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  static async listen(): Promise<NumberedUpstream> {
    const upstream = new NumberedUpstream()
    upstream.#server.listen(0, '127.0.0.1')
    await once(upstream.#server, 'listening')
    return upstream
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Requests that are neither answered nor given up. */
  get openCount(): number {
    let count = 0
    for (const fate of this.fates.values()) if (!fate.isDone && fate.closedAtMs === null) count += 1
    return count
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    let input = ''
    let stream: Stream | null = null
    socket.on('data', (bytes: Buffer) => {
      input += bytes.toString('latin1')
      const mark = MARK.exec(input)
      if (mark === null || !input.endsWith('}')) return
      input = ''
      stream = this.#begin(socket, Number(mark[1]), mark[2] as Manner)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#sockets.delete(socket)
      if (stream === null) return
      this.#streams.delete(stream)
      if (!stream.fate.isDone) stream.fate.closedAtMs = performance.now()
    })
  }

  #begin(socket: Socket, number: number, manner: Manner): Stream {
    const fate: Fate = { seenAtMs: performance.now(), isDone: false, closedAtMs: null }
    this.fates.set(number, fate)
    const stream: Stream = { socket, fate, left: TOKENS }
    if (manner === 'holding') socket.write(HEAD + HOLD)
    else if (manner === 'streaming') {
      socket.write(HEAD + TOKEN)
      this.#streams.add(stream)
    }
    return stream
  }

  #tick(): void {
    for (const stream of this.#streams) {
      stream.left -= 1
      if (stream.left > 0) {
        stream.socket.write(TOKEN)
        continue
      }
      this.#streams.delete(stream)
      stream.fate.isDone = true
      stream.socket.write(END)
    }
  }
}

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`
}
