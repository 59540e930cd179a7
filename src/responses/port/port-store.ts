// The store of answers on another thread, over a port that is opened by the first call. If the port closes, every call fails at once.
import { type MessagePort } from 'node:worker_threads'
import { GatewayError } from '../../errors.js'
import {
  bytesOf,
  type FoundItems,
  type IndexedResponse,
  type ResponseCaps,
  type ResponseChange,
  type ResponseStore,
  type StoredResponse,
  tooLarge,
} from '../store.js'
import { type StoreCall, type StoreReply } from './messages.js'

/** More calls than a store answers in a few seconds: further ones are rejected instead of kept waiting. */
const MAX_WAITING_CALLS = 10_000

type Waiting = { readonly resolve: (value: unknown) => void; readonly reject: (error: GatewayError) => void }

export class PortStore implements ResponseStore {
  readonly #connect: () => Promise<MessagePort | null>
  readonly #waiting = new Map<number, Waiting>()
  #port: Promise<MessagePort> | null = null
  #count = 0

  /** `connect`: a port of the store's; null if there is none. */
  constructor(connect: () => Promise<MessagePort | null>) {
    this.#connect = connect
  }

  async put(response: IndexedResponse, caps: ResponseCaps): Promise<void> {
    // Not after a copy of it.
    const bytes = bytesOf(response)
    if (bytes > Math.min(caps.maxBytes, caps.maxBytesPerKey)) throw tooLarge(bytes)
    await this.#call('put', [response, caps])
  }

  async advance(change: ResponseChange, caps: ResponseCaps): Promise<boolean> {
    return (await this.#call('advance', [change, caps])) as boolean
  }

  async get(owner: string, id: string): Promise<StoredResponse | null> {
    return (await this.#call('get', [owner, id])) as StoredResponse | null
  }

  async delete(owner: string, id: string): Promise<boolean> {
    return (await this.#call('delete', [owner, id])) as boolean
  }

  async findItems(owner: string, ids: readonly string[]): Promise<FoundItems> {
    return (await this.#call('findItems', [owner, ids])) as FoundItems
  }

  async close(): Promise<void> {
    const port = await this.#port?.catch(() => null)
    port?.close()
  }

  async #call<Name extends StoreCall['name']>(
    name: Name,
    args: Extract<StoreCall, { name: Name }>['args'],
  ): Promise<unknown> {
    this.#port ??= this.#open()
    const port = await this.#port
    if (this.#waiting.size >= MAX_WAITING_CALLS) throw behind()
    this.#count += 1
    const n = this.#count
    return await new Promise((resolve, reject) => {
      this.#waiting.set(n, { resolve, reject })
      port.postMessage({ n, name, args })
    })
  }

  /** @throws storage_unavailable */
  async #open(): Promise<MessagePort> {
    const port = await this.#connect().catch((cause: unknown) => {
      throw unavailable(cause)
    })
    if (port === null) throw unavailable(null)
    port.on('message', (reply: StoreReply) => this.#settle(reply))
    port.once('close', () => this.#lose())
    port.unref()
    return port
  }

  #settle(reply: StoreReply): void {
    const caller = this.#waiting.get(reply.n)
    this.#waiting.delete(reply.n)
    if ('error' in reply) caller?.reject(GatewayError.of(reply.error))
    else caller?.resolve(reply.value)
  }

  #lose(): void {
    this.#port = Promise.reject(unavailable(null))
    this.#port.catch(() => undefined)
    for (const { reject } of this.#waiting.values()) reject(unavailable(null))
    this.#waiting.clear()
  }
}

function unavailable(cause: unknown): GatewayError {
  return new GatewayError('storage_unavailable', { message: 'The response store is unavailable.', cause })
}

function behind(): GatewayError {
  return new GatewayError('overloaded', { message: 'The response store is overloaded.', retryAfterMs: 1000 })
}
