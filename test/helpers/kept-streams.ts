// A server that keeps streams as the gateway's contract says, in a hundred lines: for tests of what reads them. POST opens a stream
// (or attaches by its Idempotency-Key), GET continues it, DELETE ends it; a WebSocket carries chats. What was asked is written down.
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Teardown } from './gateway.js'

export type Framing = 'sse' | 'ndjson'

export type Seen = {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** One stream: its frames without `id:` lines, and those who read it. */
export class ScriptedStream {
  readonly id: string
  readonly framing: Framing
  readonly frames: string[] = []
  isEnded = false
  isCancelled = false
  readonly #wakes = new Set<() => void>()

  constructor(id: string, framing: Framing) {
    this.id = id
    this.framing = framing
  }

  push(...frames: string[]): void {
    this.frames.push(...frames)
    this.#wake()
  }

  end(): void {
    this.isEnded = true
    this.#wake()
  }

  cancel(): void {
    this.isCancelled = true
    this.end()
  }

  /** Calls back for each frame from a number on, and at the end; gives back what stops it. */
  follow(from: number, onFrame: (frame: string, number: number) => void, onEnd: () => void): () => void {
    let next = from
    const wake = (): void => {
      while (next < this.frames.length) {
        const frame = this.frames[next] ?? ''
        next += 1
        onFrame(frame, next - 1)
      }
      if (!this.isEnded) return
      this.#wakes.delete(wake)
      onEnd()
    }
    this.#wakes.add(wake)
    wake()
    return () => this.#wakes.delete(wake)
  }

  #wake(): void {
    for (const wake of [...this.#wakes]) wake()
  }
}

export type KeptStreamsOptions = {
  /** Fills a stream that was just opened. */
  readonly play: (stream: ScriptedStream, body: string) => void
  readonly framing?: Framing
  /** Answers a request in place of the contract; true if it did. */
  readonly intercept?: (seen: Seen, res: ServerResponse) => boolean
}

export class KeptStreams {
  readonly #options: KeptStreamsOptions
  readonly #byKey = new Map<string, ScriptedStream>()
  readonly streams = new Map<string, ScriptedStream>()
  readonly seen: Seen[] = []
  /** Messages of WebSocket clients, by their text. */
  readonly messages: string[] = []
  readonly protocols: string[] = []
  readonly sockets = new Set<WebSocket>()
  /** Chats are announced as kept. */
  isKeeping = true
  /** So many times more, `resume` is refused for the moment. */
  refusals = 0
  /** Each new socket is closed with this code. */
  closeWith: number | null = null
  /** Each socket ends at its first message. */
  isDeaf = false
  /** Nothing is answered. */
  isSilent = false
  port = 0

  constructor(options: KeptStreamsOptions) {
    this.#options = options
  }

  static async start(t: Teardown, options: KeptStreamsOptions): Promise<KeptStreams> {
    const kept = new KeptStreams(options)
    const server = createServer((req, res) => void kept.#answer(req, res))
    const sockets = new WebSocketServer({ server, handleProtocols: () => 'sluice.v1' })
    sockets.on('connection', (socket, req) => {
      kept.protocols.push(String(req.headers['sec-websocket-protocol']))
      kept.#carry(socket)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => {
      sockets.close()
      for (const socket of kept.sockets) socket.terminate()
      server.closeAllConnections()
      server.close()
    })
    kept.port = (server.address() as AddressInfo).port
    return kept
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`
  }

  requestsOf(method: string): Seen[] {
    return this.seen.filter((seen) => seen.method === method)
  }

  /** A stream that no request has opened. */
  open(id: string): ScriptedStream {
    const stream = new ScriptedStream(id, this.#options.framing ?? 'sse')
    this.streams.set(id, stream)
    return stream
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    const { method = '', url = '', headers } = req
    const seen = { method, url, headers, body: Buffer.concat(chunks).toString() }
    this.seen.push(seen)
    // One answer a connection, so that a test can say which of them is cut where.
    res.shouldKeepAlive = false
    if (this.#options.intercept?.(seen, res) === true) return
    if (method === 'POST') {
      this.#stream(res, { stream: this.#opened(seen), after: -1 })
      return
    }
    const stream = this.streams.get(/\/v1\/streams\/(\w+)$/.exec(url)?.[1] ?? '')
    if (stream === undefined) res.writeHead(404).end()
    else if (method === 'DELETE') {
      stream.cancel()
      res.writeHead(204).end()
    } else {
      const after = Number(headers['last-event-id'] ?? -1)
      if (stream.isEnded && after + 1 >= stream.frames.length) res.writeHead(204).end()
      else this.#stream(res, { stream, after })
    }
  }

  #opened({ headers, body }: Seen): ScriptedStream {
    const key = headers['idempotency-key']
    const running = this.#byKey.get(String(key))
    if (running !== undefined) return running
    const stream = this.open(`str_${this.streams.size}`)
    if (key !== undefined) this.#byKey.set(String(key), stream)
    this.#options.play(stream, body)
    return stream
  }

  #stream(res: ServerResponse, { stream, after }: { readonly stream: ScriptedStream; readonly after: number }): void {
    const { framing, id } = stream
    res.writeHead(200, {
      'content-type': framing === 'sse' ? 'text/event-stream' : 'application/x-ndjson',
      'x-sluice-stream': id,
    })
    res.flushHeaders()
    const stop = stream.follow(
      after + 1,
      (frame, number) => void res.write(framing === 'sse' ? `id: ${number}\n${frame}` : frame),
      () => void res.end(),
    )
    res.on('close', stop)
  }

  #carry(socket: WebSocket): void {
    this.sockets.add(socket.setMaxListeners(0))
    if (this.closeWith !== null) socket.close(this.closeWith, 'unauthenticated')
    socket.on('error', () => undefined)
    socket.on('close', () => this.sockets.delete(socket))
    const streams = new Map<string, ScriptedStream>()
    socket.on('message', (bytes: Buffer) => {
      const text = bytes.toString()
      this.messages.push(text)
      const { type, id, stream: name, after = -1, request } = JSON.parse(text)
      if (this.isSilent) return
      if (this.isDeaf) socket.terminate()
      else if (type === 'ping') socket.send('{"type":"pong"}')
      else if (type === 'cancel') streams.get(id)?.cancel()
      else {
        const refusal = this.#refusalOf(type, name)
        if (refusal !== null) {
          socket.send(JSON.stringify({ type: 'error', id, error: { message: 'Not now.', code: refusal } }))
          return
        }
        const stream = this.streams.get(name) ?? this.open(`str_${this.streams.size}`)
        streams.set(id, stream)
        if (type === 'chat') this.#options.play(stream, JSON.stringify(request))
        const opened = { type: 'opened', id, stream: stream.id, requestId: `r-${stream.id}` }
        if (type === 'chat' && this.isKeeping) socket.send(JSON.stringify(opened))
        this.#say(socket, { id, stream, after })
      }
    })
  }

  #refusalOf(type: string, name: string): string | null {
    if (type === 'chat') return null
    if (!this.streams.has(name)) return 'not_found'
    this.refusals -= 1
    return this.refusals >= 0 ? 'overloaded' : null
  }

  #say(socket: WebSocket, { id, stream, after }: { id: string; stream: ScriptedStream; after: number }): void {
    const stop = stream.follow(
      after + 1,
      (frame, seq) => {
        const data = /^data: (.*)$/m.exec(frame)?.[1] ?? ''
        if (data !== '[DONE]') socket.send(`{"type":"event","id":"${id}","seq":${seq},"data":${data}}`)
      },
      () => {
        const outcome = stream.isCancelled ? 'client_gone' : 'complete'
        const seq = stream.frames.length
        socket.send(JSON.stringify({ type: 'done', id, seq, requestId: `r-${stream.id}`, outcome }))
      },
    )
    socket.on('close', stop)
  }
}

/** A chat's frames in the form of the chat API: a word each, its end marker last. */
export function chatFrames(words: readonly string[]): string[] {
  const frames = words.map((content, i) => {
    const choice = { index: 0, delta: { content }, finish_reason: i + 1 === words.length ? 'stop' : null }
    return `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', model: 'm', choices: [choice] })}\n\n`
  })
  return [...frames, 'data: [DONE]\n\n']
}
