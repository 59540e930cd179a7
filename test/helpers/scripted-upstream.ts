// An upstream on node:net that plays a script: each connection (or each request on a kept connection) takes the next list
// of steps. Every fault of HTTP and TCP is a row of data, deterministic and quick. Counts what is open.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

/** One thing the upstream does. Steps run in order; the next script waits for the next request. */
export type Step =
  /** Sends bytes (latin1 text or a Buffer). */
  | { readonly send: string | Uint8Array }
  /** Waits until the whole request (head and content-length body) is in. */
  | { readonly wait: 'request' }
  /** Waits until `upstream.go(name)` is called. */
  | { readonly wait: 'go'; readonly name: string }
  | { readonly delayMs: number }
  /** Sends one byte (or `size`) every `everyMs`. */
  | { readonly drip: string; readonly everyMs: number; readonly size?: number }
  | { readonly end: 'fin' | 'rst' }
  /** Reads nothing more from this socket. */
  | { readonly stop: 'reading' }
  /** Runs for ever; the script never ends by itself. */
  | { readonly stall: true }
  /** Bytes for a connection of HTTP/2 alone, by the number of the request's stream. */
  | { readonly frames: (stream: number) => Uint8Array }

export type Script = readonly Step[]

export type SeenRequest = { readonly head: string; readonly body: Buffer; readonly connection: number }

/** In what is sent, this becomes the canary of the request before, which is as long. */
export const CANARY = 'canary-_________'
const CANARY_SEEN = /canary-[0-9a-f]{9}/

/** What tests of faults need of an upstream that plays one, whichever version of HTTP it speaks. */
export type FaultUpstream = {
  readonly port: number
  readonly requests: readonly SeenRequest[]
  /** Requests or connections that the gateway has let go. */
  readonly closed: number
  until(isTrue: (upstream: FaultUpstream) => boolean, timeoutMs?: number): Promise<void>
  close(): Promise<void>
}

/** The canary of a request's body. */
export function canaryOf(body: string): string | null {
  return CANARY_SEEN.exec(body)?.[0] ?? null
}

/** What a step sends, with the canary of the request before. */
export function withCanary(sent: string | Uint8Array, canary: string | null): Uint8Array {
  const bytes = typeof sent === 'string' ? Buffer.from(sent, 'latin1') : sent
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (canary === null || !data.includes(CANARY)) return bytes
  return Buffer.from(data.toString('latin1').replaceAll(CANARY, canary), 'latin1')
}

/** Waits for the request, then sends: what nearly every script is. */
export function answer(...steps: Step[]): Script {
  return [{ wait: 'request' }, ...steps]
}

/** A whole HTTP/1.1 answer with its content-length. */
export function whole(status: number, body: string | Uint8Array, headers: readonly string[] = []): Step {
  const bytes = typeof body === 'string' ? Buffer.from(body) : Buffer.from(body)
  const head = [`HTTP/1.1 ${status} X`, `content-length: ${bytes.length}`, ...headers].join('\r\n')
  return { send: Buffer.concat([Buffer.from(`${head}\r\n\r\n`, 'latin1'), bytes]) }
}

/** The head of a chunked stream. */
export function streamHead(headers: readonly string[] = []): Step {
  const lines = ['HTTP/1.1 200 OK', 'content-type: text/event-stream', 'transfer-encoding: chunked', ...headers]
  return { send: `${lines.join('\r\n')}\r\n\r\n` }
}

/** One HTTP chunk. */
export function chunk(text: string | Uint8Array): Step {
  const bytes = Buffer.from(text)
  return { send: Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]) }
}

/** The last HTTP chunk. */
export const LAST_CHUNK: Step = Object.freeze({ send: '0\r\n\r\n' })

/** Scripts are taken in order; the last one is used again for all that come after. */
export class ScriptedUpstream implements FaultUpstream {
  readonly #server: Server
  readonly #scripts: readonly Script[]
  readonly #sockets = new Set<Socket>()
  readonly #waiting = new Map<string, Array<() => void>>()
  readonly #released = new Set<string>()
  readonly #watchers: Array<() => void> = []
  readonly requests: SeenRequest[] = []
  port = 0
  /** Connections ever accepted. */
  accepted = 0
  /** Connections ever closed. */
  closed = 0
  /** Scripts begun. */
  played = 0

  constructor(scripts: readonly Script[]) {
    this.#scripts = scripts
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket))
  }

  static async listen(...scripts: Script[]): Promise<ScriptedUpstream> {
    const upstream = new ScriptedUpstream(scripts)
    upstream.#server.listen(0, '127.0.0.1')
    await once(upstream.#server, 'listening')
    upstream.port = (upstream.#server.address() as AddressInfo).port
    return upstream
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Connections open now, as seen from this side. */
  get open(): number {
    return this.#sockets.size
  }

  /** Lets every script go on that waits for this name, now or later. */
  go(name: string): void {
    this.#released.add(name)
    for (const resume of this.#waiting.get(name) ?? []) resume()
    this.#waiting.delete(name)
  }

  /** Resolves when the condition holds; looked at on every event of this upstream. Rejects after `timeoutMs`. */
  async until(isTrue: (upstream: ScriptedUpstream) => boolean, timeoutMs = 20_000): Promise<void> {
    if (isTrue(this)) return
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the upstream did not reach the state in time')), timeoutMs)
      this.#watchers.push(() => {
        if (!isTrue(this)) return
        clearTimeout(timer)
        resolve()
      })
    })
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  /** Stops listening but keeps open connections, as a server that restarts. */
  async refuseNew(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => undefined)
      setImmediate(resolve)
    })
  }

  #accept(socket: Socket): void {
    this.accepted += 1
    this.#sockets.add(socket)
    const connection = new Connection(this.accepted, socket, (request) => {
      this.requests.push(request)
      this.#changed()
    })
    socket.on('error', () => undefined)
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      this.#sockets.delete(socket)
      this.closed += 1
      connection.closed()
      this.#changed()
    })
    this.#changed()
    void this.#play(connection)
  }

  async #play(connection: Connection): Promise<void> {
    while (!connection.socket.destroyed) {
      const script = this.#scripts[Math.min(this.played, this.#scripts.length - 1)] ?? []
      const waits = script.some((step) => 'wait' in step && step.wait === 'request')
      this.played += 1
      for (const step of script) {
        if (connection.socket.destroyed) return
        await this.#run(connection, step)
        this.#changed()
      }
      if (!waits || connection.socket.writableEnded) return
      await connection.moreBytes()
    }
  }

  async #run(connection: Connection, step: Step): Promise<void> {
    const { socket } = connection
    if ('send' in step) await connection.send(step.send)
    else if ('delayMs' in step) await delay(step.delayMs)
    else if ('drip' in step) {
      const size = step.size ?? 1
      for (let at = 0; at < step.drip.length && !socket.destroyed; at += size) {
        await connection.send(step.drip.slice(at, at + size))
        await delay(step.everyMs)
      }
    } else if ('end' in step) {
      if (step.end === 'fin') socket.end()
      else socket.resetAndDestroy()
    } else if ('frames' in step) throw new Error('HTTP/1.1 has no frames')
    else if ('stop' in step) socket.pause()
    else if ('stall' in step) await connection.gone()
    else if (step.wait === 'request') await connection.request()
    else await Promise.race([this.#named(step.name), connection.gone()])
  }

  #named(name: string): Promise<void> {
    if (this.#released.has(name)) return Promise.resolve()
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(name) ?? []
      waiting.push(resolve)
      this.#waiting.set(name, waiting)
    })
  }

  #changed(): void {
    for (const watch of this.#watchers) watch()
  }
}

class Connection {
  readonly #number: number
  readonly #onRequest: (request: SeenRequest) => void
  readonly socket: Socket
  #input = Buffer.alloc(0)
  #canary: string | null = null
  #wake: Array<() => void> = []
  readonly #gone: Promise<void>
  #markGone: () => void = () => undefined

  constructor(number: number, socket: Socket, onRequest: (request: SeenRequest) => void) {
    this.#number = number
    this.socket = socket
    this.#onRequest = onRequest
    this.#gone = new Promise((resolve) => {
      this.#markGone = resolve
    })
    socket.on('data', (bytes: Buffer) => {
      this.#input = Buffer.concat([this.#input, bytes])
      this.#wakeAll()
    })
  }

  closed(): void {
    this.#markGone()
    this.#wakeAll()
  }

  gone(): Promise<void> {
    return this.#gone
  }

  async send(bytes: string | Uint8Array): Promise<void> {
    if (this.socket.destroyed) return
    const data = withCanary(bytes, this.#canary)
    await Promise.race([new Promise<void>((resolve) => this.socket.write(data, () => resolve())), this.#gone])
  }

  /** Resolves with the next request's first bytes in, or the socket closed. */
  async moreBytes(): Promise<void> {
    while (this.#input.length === 0 && !this.socket.destroyed) await new Promise<void>((wake) => this.#wake.push(wake))
  }

  async request(): Promise<void> {
    while (!this.socket.destroyed) {
      const headEnd = this.#input.indexOf('\r\n\r\n')
      if (headEnd >= 0) {
        const head = this.#input.toString('latin1', 0, headEnd)
        const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0)
        const end = headEnd + 4 + length
        if (this.#input.length >= end) {
          this.#canary = canaryOf(this.#input.toString('latin1', headEnd, end))
          this.#onRequest({ head, body: this.#input.subarray(headEnd + 4, end), connection: this.#number })
          this.#input = this.#input.subarray(end)
          return
        }
      }
      await new Promise<void>((wake) => this.#wake.push(wake))
    }
  }

  #wakeAll(): void {
    const wake = this.#wake
    this.#wake = []
    for (const resume of wake) resume()
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
