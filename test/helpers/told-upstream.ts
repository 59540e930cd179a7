// An upstream that answers as a test tells it, one function for all requests, and keeps what it was asked. For tests that
// look at what a provider gets to see; faults of HTTP itself are scripted-upstream.ts.
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { type Teardown } from './gateway.js'

export type Asked = {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** Resolves when the gateway has closed its side. */
  readonly closed: Promise<unknown>
}
export type Tell = (answer: ServerResponse, asked: Asked) => void

export class ToldUpstream {
  readonly asked: Asked[] = []
  origin = ''
  /** May be changed between requests. */
  tell: Tell

  constructor(tell: Tell) {
    this.tell = tell
  }

  get last(): Asked {
    const last = this.asked.at(-1)
    if (last === undefined) throw new Error('the upstream was not asked')
    return last
  }

  /** The last request's body. */
  get body(): Record<string, unknown> {
    return JSON.parse(this.last.text)
  }

  static async start(t: Teardown, tell: Tell): Promise<ToldUpstream> {
    const upstream = new ToldUpstream(tell)
    const server = createServer(async (req, answer) => {
      const chunks: Buffer[] = []
      for await (const chunk of req) chunks.push(chunk as Buffer)
      const { method = '', url = '', headers } = req
      const asked = { method, url, headers, text: Buffer.concat(chunks).toString(), closed: once(answer, 'close') }
      upstream.asked.push(asked)
      upstream.tell(answer, asked)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => {
      server.closeAllConnections()
      server.close()
    })
    upstream.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return upstream
  }
}

/** Answers with JSON. */
export function json(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Tell {
  return (answer) => {
    answer.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))
  }
}

/** Answers with a stream's bytes at once. */
export function stream(bytes: string | Buffer, contentType = 'text/event-stream'): Tell {
  return (answer) => {
    answer.writeHead(200, { 'content-type': contentType }).end(bytes)
  }
}
