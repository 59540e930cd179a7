// An upstream of the OpenAI wire that answers nobody before it is told how: a test holds requests as long as it likes.
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { type Teardown } from './gateway.js'

export type HeldRequest = {
  readonly body: Record<string, unknown>
  /** Answers whole. */
  answer(status: number, text: string): void
  /** Answers with a completion that says this. */
  say(content: string): void
  /** Resolves when whoever asked has gone. */
  readonly gone: Promise<void>
}

export type HeldUpstream = {
  readonly origin: string
  /** Requests that have come so far. */
  readonly count: number
  /** The next request that nobody has taken yet. */
  next(): Promise<HeldRequest>
}

export async function startHeldUpstream(t: Teardown): Promise<HeldUpstream> {
  const ready: HeldRequest[] = []
  const takers: ((request: HeldRequest) => void)[] = []
  let count = 0
  const server = createServer(async (req, res) => {
    const gone = new Promise<void>((resolve) => res.once('close', resolve))
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    const held = hold(res, JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>, gone)
    count += 1
    const taker = takers.shift()
    if (taker === undefined) ready.push(held)
    else taker(held)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get count() {
      return count
    },
    next() {
      const held = ready.shift()
      return held === undefined ? new Promise((resolve) => takers.push(resolve)) : Promise.resolve(held)
    },
  }
}

function hold(res: ServerResponse, body: Record<string, unknown>, gone: Promise<void>): HeldRequest {
  const answer = (status: number, text: string): void => {
    res.writeHead(status, { 'content-type': 'application/json' }).end(text)
  }
  return { body, gone, answer, say: (content) => answer(200, completion(content)) }
}

function completion(content: string): string {
  return JSON.stringify({
    ...{ id: 'c', object: 'chat.completion', created: 1, model: 'm' },
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  })
}
