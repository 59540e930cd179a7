// What the tests of replaced systems share: requests whose answers are read as they arrive, and chunks for scripted upstreams.
import { request } from 'undici'
import { type Running } from './gateway.js'

export const KEY = 'your_secure_token'

/** Streams of text in the wire that most upstreams speak. */
export function contentChunk(content: string): string {
  return sse({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })
}

export function endOfContent(): string {
  return `${sse({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}${sse({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 } })}data: [DONE]\n\n`
}

function sse(fields: object): string {
  return `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'up', ...fields })}\n\n`
}

/** One answer, its body still arriving. */
export class Arriving {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  text = ''
  readonly #chunks: AsyncIterator<Buffer>

  constructor(answer: Awaited<ReturnType<typeof request>>) {
    this.status = answer.statusCode
    this.headers = answer.headers
    this.#chunks = answer.body[Symbol.asyncIterator]()
  }

  /** Reads on until the text so far has this; rejects if the body ends before. */
  async until(wanted: string): Promise<void> {
    while (!this.text.includes(wanted)) {
      const { value, done } = await this.#chunks.next()
      if (done === true) throw new Error(`ended without ${wanted}: ${this.text}`)
      this.text += (value as Buffer).toString()
    }
  }

  /** The whole text, once the body has ended. */
  async end(): Promise<string> {
    for (;;) {
      const { value, done } = await this.#chunks.next()
      if (done === true) return this.text
      this.text += (value as Buffer).toString()
    }
  }

  async json(): Promise<Record<string, unknown>> {
    return JSON.parse(await this.end()) as Record<string, unknown>
  }

  /** The objects of a body of lines; blank ones are keepalives. */
  async lines(): Promise<Record<string, unknown>[]> {
    const lines = (await this.end()).split('\n').filter((line) => line !== '')
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  }
}

export type Asked = { readonly headers?: Readonly<Record<string, string>>; readonly method?: 'GET' | 'POST' }

/** Sends a body as JSON, or text as it is, with the gateway key. */
export async function send(gateway: Running, path: string, body: unknown, asked: Asked = {}): Promise<Arriving> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...asked.headers }
  const bytes = body === null ? null : typeof body === 'string' ? body : JSON.stringify(body)
  return new Arriving(await request(gateway.origin + path, { method: asked.method ?? 'POST', headers, body: bytes }))
}

export function read(
  gateway: Running,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Arriving> {
  return send(gateway, path, null, { method: 'GET', headers })
}
