// A provider behind TLS: answers each POST by a whole chat or, asked for a stream, by a stream that waits after its first word.
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import { type AddressInfo } from 'node:net'
import { type Duplex } from 'node:stream'
import { type TLSSocket, type TlsOptions } from 'node:tls'
import { type Teardown } from './gateway.js'

const HEAD = { 'content-type': 'text/event-stream' }

export class TlsUpstream {
  readonly #server: Server
  readonly #sockets = new Set<Duplex>()
  /** Names that clients asked for, one for each connection. */
  readonly serverNames: (string | false)[] = []
  /** Names of the headers of each request, in small letters. */
  readonly heads: string[] = []
  /** Whether each connection has resumed the TLS session of an earlier one. */
  readonly resumed: boolean[] = []
  /** Subjects of the certificates that clients showed. */
  readonly clients: (string | string[] | undefined)[] = []

  private constructor(options: TlsOptions) {
    this.#server = createServer(options, (request, response) => {
      this.heads.push(Object.keys(request.headers).join())
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        if (Buffer.concat(chunks).includes('"stream":true')) {
          response.writeHead(200, HEAD).write('data: {"choices":[{"index":0,"delta":{"content":"first"}}]}\n\n')
        } else {
          const body =
            '{"choices":[{"index":0,"message":{"role":"assistant","content":"whole"},"finish_reason":"stop"}]}'
          response.writeHead(200, { 'content-type': 'application/json' }).end(body)
        }
      })
    })
    this.#server.on('tlsClientError', () => undefined)
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    this.#server.on('secureConnection', (socket: TLSSocket) => {
      this.serverNames.push((socket as TLSSocket & { servername?: string | false }).servername ?? false)
      this.resumed.push(socket.isSessionReused())
      const { subject } = socket.getPeerCertificate()
      this.clients.push(subject?.CN)
    })
  }

  static async listen(t: Teardown, options: TlsOptions): Promise<TlsUpstream> {
    const upstream = new TlsUpstream(options)
    upstream.#server.listen(0, '127.0.0.1')
    await once(upstream.#server, 'listening')
    t.teardown(() => {
      for (const socket of upstream.#sockets) socket.destroy()
      upstream.#server.close()
    })
    return upstream
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get origin(): string {
    return `https://127.0.0.1:${this.port}`
  }

  /** Connections open now. */
  get open(): number {
    return this.#sockets.size
  }
}
