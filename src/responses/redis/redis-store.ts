// Stored answers in Redis, for one event loop: every loop of every node finds them. Each call is one script (resources/lua/responses). What
// a node runs is its own while it renews its lease: a running answer of a node that is dead is found as lost. While Redis is unavailable
// every call fails at once.
import { randomUUID } from 'node:crypto'
import { GatewayError } from '../../errors.js'
import { type ScriptArgument } from '../../redis/connection.js'
import { RedisLink } from '../../redis/link.js'
import { readScript } from '../../redis/read-script.js'
import {
  bytesOf,
  changeBytesOf,
  type FoundItems,
  type IndexedResponse,
  type ItemSpan,
  type Phase,
  type ResponseCaps,
  type ResponseChange,
  type ResponseStore,
  type StoredResponse,
  tooLarge,
} from '../store.js'

/** Before all keys; the hash tag keeps them together. */
const PREFIX = '{sluice}:responses:'
const SCRIPTS = ['put', 'advance', 'get', 'delete', 'items', 'beat'] as const
type ResponseScript = (typeof SCRIPTS)[number]
/** A node that has not renewed its lease for this long is dead. */
const LEASE_MS = 6000
const BEATS_PER_LEASE = 6
const RETRY_AFTER_MS = 1000
/** Redis answered, but does not store: for lack of memory or disk. */
const REFUSAL = /^(?:OOM|MISCONF)\b/

export type RedisStoreOptions = {
  readonly url: string
  readonly onState: (isUp: boolean, cause: unknown) => void
  readonly onCall: (seconds: number, isOk: boolean) => void
  /** For tests: several stores in one Redis, leases that are over sooner, and time that is moved. */
  readonly prefix?: string
  readonly leaseMs?: number
  readonly clockOffsetMs?: () => number
}

type GetReply = readonly [model: Buffer, phase: Buffer, stream: Buffer, leftMs: number, input: Buffer, response: Buffer]

/** The scripts of the store, by name. */
export function readResponseScripts(): Map<ResponseScript, string> {
  return new Map(SCRIPTS.map((name) => [name, readScript(['responses/ground', `responses/${name}`])]))
}

export class RedisStore implements ResponseStore {
  readonly #node: string = randomUUID()
  readonly #options: RedisStoreOptions
  readonly #leaseMs: number
  readonly #link: RedisLink<ResponseScript>
  #upSinceMs = 0
  #beat: NodeJS.Timeout | null = null

  constructor(options: RedisStoreOptions) {
    const { url, onCall, leaseMs = LEASE_MS } = options
    this.#options = options
    this.#leaseMs = leaseMs
    this.#link = new RedisLink<ResponseScript>({
      scripts: readResponseScripts(),
      ...{ url, isBinary: true, onCall },
      register: () => this.#sayAlive(),
      onState: (isUp, cause) => this.#onState(isUp, cause),
      isRefusal: (error) => error instanceof Error && REFUSAL.test(error.message),
    })
  }

  /** Connects; resolves within a second, with or without Redis. */
  async start(): Promise<void> {
    await this.#link.start()
    this.#beat = setInterval(() => {
      if (this.#link.isUp) this.#sayAlive().catch(ignore)
    }, this.#leaseMs / BEATS_PER_LEASE)
    this.#beat.unref()
  }

  async put(response: IndexedResponse, { maxBytes, maxBytesPerKey }: ResponseCaps): Promise<void> {
    const { id, owner, model, phase, streamId, input, items, expiresAtMs } = response
    const bytes = bytesOf(response)
    if (bytes > Math.min(maxBytes, maxBytesPerKey)) throw tooLarge(bytes)
    await this.#ask('put', [
      ...[id, owner, model, phase, this.#node, streamId ?? '', this.#leftMs(expiresAtMs)],
      ...[bytes, changeBytesOf(response), maxBytes, maxBytesPerKey],
      ...[bufferOf(input), bufferOf(response.response), ...placesOf(items)],
    ])
  }

  async advance(change: ResponseChange, { maxBytes, maxBytesPerKey }: ResponseCaps): Promise<boolean> {
    const { id, owner, phase, streamId, items, expiresAtMs } = change
    const reply = await this.#ask('advance', [
      ...[id, owner, phase, this.#node, streamId ?? '', this.#leftMs(expiresAtMs)],
      ...[changeBytesOf(change), maxBytes, maxBytesPerKey, bufferOf(change.response), ...placesOf(items)],
    ])
    if (Number(reply) < 0) throw tooLarge(-Number(reply))
    return reply === 1
  }

  async get(owner: string, id: string): Promise<StoredResponse | null> {
    const reply = (await this.#ask('get', [id, owner, this.#mayLose()])) as GetReply | null
    if (reply === null) return null
    const [model, phase, stream, leftMs, input, response] = reply
    const streamId = stream.length === 0 ? null : String(stream)
    const expiresAtMs = this.#nowMs() + leftMs
    return { id, owner, model: String(model), phase: String(phase) as Phase, input, response, streamId, expiresAtMs }
  }

  async delete(owner: string, id: string): Promise<boolean> {
    return (await this.#ask('delete', [id, owner])) === 1
  }

  async findItems(owner: string, ids: readonly string[]): Promise<FoundItems> {
    return (await this.#ask('items', [owner, ...ids])) as FoundItems
  }

  async close(): Promise<void> {
    if (this.#beat !== null) clearInterval(this.#beat)
    this.#link.close()
  }

  #onState(isUp: boolean, cause: unknown): void {
    if (isUp) this.#upSinceMs = performance.now()
    this.#options.onState(isUp, cause)
  }

  async #sayAlive(): Promise<void> {
    await this.#run('beat', [this.#node, this.#leaseMs])
  }

  /** Whoever has just seen Redis come back does not know who has not yet renewed its lease there. */
  #mayLose(): 0 | 1 {
    return performance.now() - this.#upSinceMs >= this.#leaseMs ? 1 : 0
  }

  /** Clocks of nodes differ, so that the time of Redis decides. */
  #leftMs(expiresAtMs: number): number {
    return Math.max(1, Math.round(expiresAtMs - this.#nowMs()))
  }

  #nowMs(): number {
    return Date.now() + (this.#options.clockOffsetMs?.() ?? 0)
  }

  /** @throws storage_full, storage_unavailable */
  async #ask(name: ResponseScript, args: readonly ScriptArgument[]): Promise<unknown> {
    if (!this.#link.isUp) throw unavailable(null)
    try {
      return await this.#run(name, args)
    } catch (cause) {
      if (cause instanceof Error && cause.message.startsWith('OOM')) throw new GatewayError('storage_full', { cause })
      throw unavailable(cause)
    }
  }

  #run(name: ResponseScript, args: readonly ScriptArgument[]): Promise<unknown> {
    const { prefix = PREFIX, clockOffsetMs } = this.#options
    return this.#link.run(name, [], [prefix, clockOffsetMs?.() ?? 0, ...args])
  }
}

function placesOf(items: readonly ItemSpan[]): ScriptArgument[] {
  return items.flatMap(({ id, start, end }) => [id, start, end - start])
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

function unavailable(cause: unknown): GatewayError {
  const message = 'The response store in Redis is unavailable.'
  return new GatewayError('storage_unavailable', { message, cause, retryable: true, retryAfterMs: RETRY_AFTER_MS })
}

/** The link has told. */
function ignore(): void {}
