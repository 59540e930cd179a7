// An endpoint for webhooks: writes down what comes and answers as it is told.
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { type AddressInfo } from 'node:net'
import { type Teardown } from './gateway.js'

export type Received = { readonly headers: IncomingHttpHeaders; readonly text: string; readonly body: WebhookBody }
export type WebhookBody = {
  readonly request_id: string
  readonly status: string
  readonly response?: Record<string, unknown>
  readonly error?: Record<string, unknown>
}

export type WebhookReceiver = {
  readonly url: string
  readonly received: readonly Received[]
  /** Resolves once `count` webhooks of this job, of any unless given, have come. */
  until(count: number, jobId?: string): Promise<readonly Received[]>
}

/** `status`: of the n-th answer, from 0; 200 unless given. */
export async function startReceiver(t: Teardown, status: (n: number) => number = () => 200): Promise<WebhookReceiver> {
  const received: Received[] = []
  const watchers = new Set<() => void>()
  const server = createServer((req, res) => {
    let text = ''
    req.setEncoding('utf8')
    req.on('data', (chunk: string) => {
      text += chunk
    })
    req.on('end', () => {
      res.writeHead(status(received.length)).end()
      received.push({ headers: req.headers, text, body: JSON.parse(text) as WebhookBody })
      for (const watch of watchers) watch()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    until: (count, jobId) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = received.filter(({ body }) => jobId === undefined || body.request_id === jobId)
          if (found.length < count) return
          watchers.delete(look)
          resolve(found)
        }
        watchers.add(look)
        look()
      }),
  }
}
