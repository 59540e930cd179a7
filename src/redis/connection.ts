// A connection to Redis, for all shared state; the only importer of ioredis. A call is answered or fails within a time limit: without
// a connection no call is queued, and none is ever sent twice. It reconnects by itself, indefinitely.
import { createRequire } from 'node:module'
import { type Redis } from 'ioredis'

/** An answer takes a millisecond; a Redis that takes this long counts as unavailable. */
const CALL_TIMEOUT_MS = 3000
const CONNECT_TIMEOUT_MS = 2000
const RECONNECT_STEP_MS = 50
const MAX_RECONNECT_MS = 1000
/** A connection without answers may be dead without an error; it is reopened after this many timeouts in a row. */
const SILENCES_PER_CONNECTION = 5

export type RedisOptions = {
  /** redis:// or rediss:// */
  readonly url: string
  /** Called when the connection is up or down; `cause` is the error that ended it, or null. */
  readonly onChange?: (isUp: boolean, cause: unknown) => void
  /** Called for each call that was answered or failed. */
  readonly onCall?: (seconds: number, isOk: boolean) => void
  readonly callTimeoutMs?: number
}

export type ScriptArgument = string | number | Buffer

/** A script registered with a connection. Rejects with ioredis' own errors, or if there is no answer in time. */
export type RedisScript = (keys: readonly string[], args: readonly ScriptArgument[]) => Promise<unknown>

/** One connection, and a second one for a subscription, if there is one. */
export class RedisConnection {
  readonly #redis: Redis
  readonly #options: RedisOptions
  readonly #scripts = new Map<string, RedisScript>()
  #subscriber: Redis | null = null
  #isUp = false
  #lastError: unknown = null
  #silences = 0

  /** Does not connect before `connect`. */
  constructor(options: RedisOptions) {
    this.#options = options
    this.#redis = createRedis(options.url)
    // Without a listener the process would end; `close` reports the loss.
    this.#redis.on('error', (error) => {
      this.#lastError = error
    })
    this.#redis.on('ready', () => this.#tell(true))
    this.#redis.on('close', () => this.#tell(false))
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** The reason why there is no connection, if known. */
  get lastError(): unknown {
    return this.#lastError
  }

  /** Begins to connect. Rejects if the first attempt fails; it keeps trying all the same. */
  async connect(): Promise<void> {
    await this.#redis.connect()
  }

  /** Registers a Lua script. Redis keeps its text; later calls send only its digest. `isBinary`: strings of its reply are buffers. */
  script(lua: string, isBinary = false): RedisScript {
    const known = this.#scripts.get(lua)
    if (known !== undefined) return known
    const name = `script${this.#scripts.size}`
    this.#redis.defineCommand(name, { lua })
    type Send = (count: number, ...rest: readonly ScriptArgument[]) => Promise<unknown>
    const send = Reflect.get(this.#redis, isBinary ? `${name}Buffer` : name) as Send
    const run: RedisScript = (keys, args) =>
      this.#measure(send.call(this.#redis, keys.length, ...keys, ...args) as Promise<unknown>)
    this.#scripts.set(lua, run)
    return run
  }

  /** Loads the texts of all registered scripts into Redis; otherwise each call of a burst would send the whole text first. */
  async preload(): Promise<void> {
    const texts = [...this.#scripts.keys()]
    await this.#within(Promise.all(texts.map((text) => this.#redis.script('LOAD', text))))
  }

  /** Subscribes to a channel. `onHeard` is called each time the subscription is active, again after every reconnect. */
  listen(channel: string, listener: (message: string) => void, onHeard: () => void): void {
    const subscriber = this.#redis.duplicate()
    this.#subscriber = subscriber
    subscriber.on('error', () => undefined)
    // If it fails the connection is lost, and the next one subscribes again.
    subscriber.on('ready', () => void subscriber.subscribe(channel).then(onHeard, () => undefined))
    subscriber.on('message', (_channel, message) => listener(message))
    void subscriber.connect().catch(() => undefined)
  }

  close(): void {
    this.#redis.disconnect()
    this.#subscriber?.disconnect()
  }

  #tell(isUp: boolean): void {
    if (isUp === this.#isUp) return
    this.#isUp = isUp
    this.#options.onChange?.(isUp, isUp ? null : (this.#lastError ?? new Error('the connection ended')))
    if (isUp) this.#lastError = null
  }

  async #measure(answer: Promise<unknown>): Promise<unknown> {
    const startedMs = performance.now()
    let isOk = false
    try {
      const reply = await this.#within(answer)
      isOk = true
      return reply
    } finally {
      this.#options.onCall?.((performance.now() - startedMs) / 1000, isOk)
    }
  }

  /** If the event loop was busy, the answer may have arrived already: its sockets are read once more before the call fails. */
  #within<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.#noteSilence()
        reject(new Error('no answer in time'))
      }
      const timer = setTimeout(() => setImmediate(giveUp), this.#options.callTimeoutMs ?? CALL_TIMEOUT_MS)
      const onAnswer = (): void => {
        clearTimeout(timer)
        this.#silences = 0
      }
      answer.finally(onAnswer).then(resolve, reject)
    })
  }

  #noteSilence(): void {
    this.#silences += 1
    if (this.#silences < SILENCES_PER_CONNECTION || !this.#isUp) return
    this.#silences = 0
    this.#redis.disconnect(true)
    this.#subscriber?.disconnect(true)
  }
}

type Ioredis = typeof import('ioredis')

const require = createRequire(import.meta.url)

function createRedis(url: string): Redis {
  // Loaded on demand: without Redis the gateway starts a tenth of a second sooner and is 10 MB smaller.
  const { Redis: Client }: Ioredis = require('ioredis')
  return new Client(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    enableOfflineQueue: false,
    // A call in flight when a connection ends may have been executed, so it is never resent automatically.
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    enableReadyCheck: false,
    disableClientInfo: true,
    protocol: 2,
    retryStrategy: (times) => Math.min(times * RECONNECT_STEP_MS, MAX_RECONNECT_MS),
    // The server has just become a replica; the address will soon lead to the new primary.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  })
}
