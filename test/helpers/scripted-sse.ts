// An upstream that streams exactly what a test writes, when it writes it. One node:http server; each request waits as a call.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { type Teardown } from './gateway.js'

export type ScriptedCall = {
  readonly body: { readonly model?: string; readonly [field: string]: unknown }
  readonly headers: IncomingMessage['headers']
  /** Resolves when the gateway has closed its side. */
  readonly closed: Promise<unknown>
  write(text: string): void
  end(): void
  /** Closes the socket at once. */
  destroy(): void
}

export type ScriptedSse = {
  readonly origin: string
  /** The next call, whatever its model. */
  next(): Promise<ScriptedCall>
  /** The call for that upstream model. */
  for(model: string): Promise<ScriptedCall>
}

export async function scriptedSse(t: Teardown): Promise<ScriptedSse> {
  const calls: ScriptedCall[] = []
  let waiters: { wanted: (call: ScriptedCall) => boolean; resolve: (call: ScriptedCall) => void }[] = []
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    res.flushHeaders()
    const call = callOf(req, res, Buffer.concat(chunks).toString())
    const at = waiters.findIndex((waiter) => waiter.wanted(call))
    if (at < 0) calls.push(call)
    else waiters.splice(at, 1)[0]?.resolve(call)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
    waiters = []
  })

  function take(wanted: (call: ScriptedCall) => boolean): Promise<ScriptedCall> {
    const at = calls.findIndex(wanted)
    const found = at < 0 ? undefined : calls.splice(at, 1)[0]
    if (found !== undefined) return Promise.resolve(found)
    return new Promise((resolve) => waiters.push({ wanted, resolve }))
  }

  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    next: () => take(() => true),
    for: (model) => take((call) => call.body.model === model),
  }
}

function callOf(req: IncomingMessage, res: ServerResponse, body: string): ScriptedCall {
  return {
    body: JSON.parse(body) as ScriptedCall['body'],
    headers: req.headers,
    closed: once(res, 'close'),
    write: (text) => void res.write(text),
    end: () => void res.end(),
    destroy: () => void req.socket.destroy(),
  }
}
