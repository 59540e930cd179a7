// A provider that speaks HTTP/2 over TLS, or HTTP/1.1 where it is told to. What it does with each request is the test's.
import { once } from 'node:events'
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import { createServer as createHttp1Server } from 'node:https'
import { type AddressInfo, type Socket } from 'node:net'
import { Authority } from './certificates.js'
import { type Teardown } from './gateway.js'

export type Answer = (response: Http2ServerResponse, request: Http2ServerRequest, body: string) => void

export type Http2UpstreamOptions = SecureServerOptions & {
  /** It does not know HTTP/2. */
  readonly isHttp1?: boolean
}

export class Http2Upstream {
  readonly #server: Http2SecureServer
  readonly ca: string
  /** The same as a file. */
  readonly caFile: string
  /** Connections below TLS, whatever they speak. */
  readonly sockets: Socket[] = []
  readonly sessions: ServerHttp2Session[] = []
  /** `HTTP-version method path` of each request. */
  readonly requests: string[] = []
  /** What it does with each connection that has agreed on a protocol. */
  onSocket: (socket: Socket) => void = () => undefined
  /** What it does with each stream that is opened, before it has the request. */
  onStream: (stream: ServerHttp2Stream) => void = () => undefined
  answer: Answer = (response) => void response.end('ok')

  private constructor(server: Http2SecureServer, { ca, caFile }: Authority) {
    this.#server = server
    this.ca = ca
    this.caFile = caFile
    server.on('session', (session) => {
      session.on('error', () => undefined)
      this.sessions.push(session)
    })
    server.on('stream', (stream) => this.onStream(stream))
    server.on('connection', (socket: Socket) => {
      socket.on('error', () => undefined)
      this.sockets.push(socket)
    })
    server.on('secureConnection', (socket: Socket) => this.onSocket(socket))
    server.on('tlsClientError', () => undefined)
    server.on('request', (request, response) => {
      this.requests.push(`${request.httpVersion} ${request.method} ${request.url}`)
      request.on('error', () => undefined)
      response.on('error', () => undefined)
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => this.answer(response, request, Buffer.concat(chunks).toString()))
    })
  }

  static async listen(t: Teardown, { isHttp1 = false, ...options }: Http2UpstreamOptions = {}): Promise<Http2Upstream> {
    const authority = new Authority(t)
    const pem = authority.issue('h2')
    const server = isHttp1
      ? (createHttp1Server(pem) as unknown as Http2SecureServer)
      : createSecureServer({ allowHTTP1: true, ...pem, ...options })
    const upstream = new Http2Upstream(server, authority)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => {
      for (const session of upstream.sessions) session.destroy()
      for (const socket of upstream.sockets) socket.destroy()
      server.close()
    })
    return upstream
  }

  get origin(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }
}
