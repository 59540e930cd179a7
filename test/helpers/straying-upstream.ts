// An upstream that sends every answer twice: the second one, which no request asked for, a moment after the first on the same
// kept connection. Each answer holds its own request's canary, so whoever reads another's can be counted.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

const CANARY = /canary-[0-9a-f]{9}/
const MARK_END = '\r\n\r\n'

export class StrayingUpstream {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #nextDelayMs: () => number | null
  /** Connections ever accepted. */
  accepted = 0
  /** Second answers that were due, sent or too late for their connection. */
  strays = 0
  #onStray: (() => void)[] = []
  /** Canaries in the order of the requests of each connection. */
  readonly served: string[][] = []

  private constructor(nextDelayMs: () => number | null) {
    this.#nextDelayMs = nextDelayMs
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket))
  }

  /** `nextDelayMs`: how long after each answer it is sent again; null: it is not. */
  static async listen(nextDelayMs: () => number | null): Promise<StrayingUpstream> {
    const upstream = new StrayingUpstream(nextDelayMs)
    upstream.#server.listen(0, '127.0.0.1')
    await once(upstream.#server, 'listening')
    return upstream
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Resolves once so many second answers were due. */
  async strayed(count: number): Promise<void> {
    while (this.strays < count) await new Promise<void>((resolve) => this.#onStray.push(resolve))
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(socket: Socket): void {
    this.accepted += 1
    this.#sockets.add(socket)
    const canaries: string[] = []
    this.served.push(canaries)
    let input = ''
    socket.on('error', () => undefined)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('data', (bytes: Buffer) => {
      input += bytes.toString('latin1')
      const headEnd = input.indexOf(MARK_END)
      const length = Number(/content-length: *(\d+)/i.exec(input)?.[1] ?? 0)
      if (headEnd < 0 || input.length < headEnd + MARK_END.length + length) return
      const canary = CANARY.exec(input)?.[0] ?? ''
      input = ''
      canaries.push(canary)
      this.#answer(socket, canary)
    })
  }

  #answer(socket: Socket, canary: string): void {
    const body = `{"choices":[{"index":0,"message":{"role":"assistant","content":"${canary}"},"finish_reason":"stop"}]}`
    const answer = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    socket.write(answer)
    const delayMs = this.#nextDelayMs()
    if (delayMs === null) return
    const stray = (): void => {
      if (!socket.destroyed) socket.write(answer)
      this.strays += 1
      for (const wake of this.#onStray.splice(0)) wake()
    }
    // Right behind is another packet, not the same.
    if (delayMs === 0) setImmediate(stray)
    else setTimeout(stray, delayMs)
  }
}
