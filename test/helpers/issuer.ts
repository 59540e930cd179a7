// A server that issues credentials, for tests: every path answers as its route says, requests are kept, and an answer may be held.
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { type AddressInfo } from 'node:net'

export type AskedRequest = {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}
export type IssuerAnswer = {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string | object
}
/** By path without its query; the method is not looked at. */
export type IssuerRoutes = Readonly<Record<string, (request: AskedRequest) => IssuerAnswer | Promise<IssuerAnswer>>>

export class Issuer {
  readonly asked: AskedRequest[] = []
  readonly #server: Server
  #release: (() => void) | null = null
  #held: Promise<void> | null = null

  private constructor(server: Server) {
    this.#server = server
  }

  static async listen(routes: IssuerRoutes): Promise<Issuer> {
    const server = createServer()
    const issuer = new Issuer(server)
    server.on('request', (request, response) => {
      void (async () => {
        const chunks: Buffer[] = []
        for await (const chunk of request) chunks.push(chunk as Buffer)
        const { method = '', url = '', headers } = request
        const asked = { method, path: url, headers, body: Buffer.concat(chunks).toString() }
        issuer.asked.push(asked)
        server.emit('asked')
        await issuer.#held
        const route = routes[url.split('?')[0] ?? '']
        const answer = (await route?.(asked)) ?? { status: 404, body: 'no such path' }
        const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)
        response.writeHead(answer.status ?? 200, answer.headers ?? {}).end(text)
      })()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return issuer
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Answers wait from now on, until `release`. */
  hold(): void {
    this.#held = new Promise((resolve) => {
      this.#release = resolve
    })
  }

  release(): void {
    this.#release?.()
    this.#held = null
  }

  /** When so many requests have arrived in all. */
  async reached(count: number): Promise<void> {
    while (this.asked.length < count) await once(this.#server, 'asked')
  }

  async close(): Promise<void> {
    this.release()
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
