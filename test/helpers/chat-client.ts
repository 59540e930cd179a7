// A real client of the WebSocket route, for tests that look at what comes.
import { once } from 'node:events'
import { unpack } from 'msgpackr'
import { type ClientOptions, WebSocket } from 'ws'
import { isJsonObject, type JsonObject } from '../../src/model/json.js'
import { type FakeExchange } from './fake-pipeline.js'
import { type RunningFront } from './front.js'

/** What a chat asks for where it does not matter. */
export const REQUEST = { model: 'fast', messages: [] }

/** A client that keeps what it gets. */
export class ChatClient {
  readonly socket: WebSocket
  readonly got: JsonObject[] = []
  closed: { code: number; reason: string } | null = null
  #wake: () => void = () => {}

  constructor(front: RunningFront, protocols: string[] = ['sluice.v1'], options: ClientOptions = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${front.port}/v1/ws`, protocols, options)
    this.socket.on('message', (bytes: Buffer, isBinary) => {
      const message: unknown = isBinary ? unpack(bytes) : JSON.parse(bytes.toString())
      if (isJsonObject(message)) this.got.push(message)
      this.#wake()
    })
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() }
      this.#wake()
    })
    this.socket.on('error', () => {})
  }

  static async open(front: RunningFront, protocols?: string[], options?: ClientOptions): Promise<ChatClient> {
    const client = new ChatClient(front, protocols, options)
    await once(client.socket, 'open')
    return client
  }

  send(message: unknown): void {
    this.socket.send(JSON.stringify(message))
  }

  chat(id: string, request: unknown = REQUEST): void {
    this.send({ type: 'chat', id, request })
  }

  async until(isMet: () => boolean): Promise<void> {
    while (!isMet()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** The message that ends a chat. */
  async ending(id: string): Promise<JsonObject> {
    const find = () => this.got.find((message) => message.id === id && message.type !== 'event')
    await this.until(() => find() !== undefined)
    return find() ?? {}
  }
}

/** The status with which an upgrade is refused. */
export async function refusalOf(
  front: RunningFront,
  protocols: string[],
  options: ClientOptions = {},
): Promise<number> {
  const { socket } = new ChatClient(front, protocols, options)
  const [, answer] = await once(socket, 'unexpected-response')
  answer.destroy()
  return answer.statusCode
}

/** Answers each chat with these frames. */
export function answerWith(...frames: string[]) {
  return (exchange: FakeExchange) => {
    exchange.begin().follow()
    for (const frame of frames) exchange.frame(frame)
    exchange.end()
  }
}
