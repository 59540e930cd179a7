// A connection to Redis, for all shared state; the only importer of ioredis. A call is answered or fails in time: without a
// connection no call is queued, and none is ever sent twice. It reconnects by itself, indefinitely.
import { createRequire } from 'node:module'
import { type Redis } from 'ioredis'

/** An answer takes a millisecond; a Redis that takes as long as this is down for whoever waits for it. */
const CALL_TIMEOUT_MS = 3000
const CONNECT_TIMEOUT_MS = 2000
const RECONNECT_STEP_MS = 50
const MAX_RECONNECT_MS = 1000
/** A connection on which nothing is answered may be dead without knowing it. */
const SILENCES_PER_CONNECTION = 5

export type RedisOptions = {
  /** redis:// or rediss:// */
  readonly url: string
  /** The connection is there, or is gone; told at each change, with the error that ended it if there was one. */
  readonly onChange?: (isUp: boolean, cause: unknown) => void
  /** Called for each call that was answered or failed. */
  readonly onCall?: (seconds: number, isOk: boolean) => void
  readonly callTimeoutMs?: number
}

type Argument = string | number

/** A script that was made known to a connection. Fails with ioredis' own errors, or for want of an answer in time. */
export type RedisScript = (keys: readonly string[], args: readonly Argument[]) => Promise<unknown>

/** One connection, and a second one for what is published, if that is asked for. */
export class RedisConnection {
  readonly #redis: Redis
  readonly #options: RedisOptions
  readonly #scripts = new Map<string, RedisScript>()
  #subscriber: Redis | null = null
  #isUp = false
  #lastError: unknown = null
  #silences = 0

  /** Connects when it is told to. */
  constructor(options: RedisOptions) {
    this.#options = options
    this.#redis = createRedis(options.url)
    // Without a listener the process would end; `close` tells all that is to be told.
    this.#redis.on('error', (error) => {
      this.#lastError = error
    })
    this.#redis.on('ready', () => this.#tell(true))
    this.#redis.on('close', () => this.#tell(false))
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** Why there is no connection, as far as is known. */
  get lastError(): unknown {
    return this.#lastError
  }

  /** Begins to connect. Rejects when the first try fails; it goes on trying all the same. */
  async connect(): Promise<void> {
    await this.#redis.connect()
  }

  /** Makes a Lua script known; Redis keeps its text, later calls send its digest only. */
  script(lua: string): RedisScript {
    const known = this.#scripts.get(lua)
    if (known !== undefined) return known
    const name = `script${this.#scripts.size}`
    this.#redis.defineCommand(name, { lua })
    const send = Reflect.get(this.#redis, name) as (count: number, ...rest: readonly Argument[]) => Promise<unknown>
    const run: RedisScript = (keys, args) =>
      this.#measure(send.call(this.#redis, keys.length, ...keys, ...args) as Promise<unknown>)
    this.#scripts.set(lua, run)
    return run
  }

  /** Gives Redis the texts of all scripts that are known here: or each call of a flood would send the whole text first. */
  async preload(): Promise<void> {
    const texts = [...this.#scripts.keys()]
    await this.#within(Promise.all(texts.map((text) => this.#redis.script('LOAD', text))))
  }

  /** Hears what is published on a channel. `onHeard`: from now on, until the connection is lost; told again after the next one. */
  listen(channel: string, listener: (message: string) => void, onHeard: () => void): void {
    const subscriber = this.#redis.duplicate()
    this.#subscriber = subscriber
    subscriber.on('error', () => undefined)
    // When it fails the connection is gone, and the next one is ready again.
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

  /** When an event loop was busy, the answer may be there already: it gets one more look at its sockets. */
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
  // Loaded when it is needed: without Redis the gateway starts a tenth of a second sooner and is 10 MB smaller.
  const { Redis: Client }: Ioredis = require('ioredis')
  return new Client(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    enableOfflineQueue: false,
    // What was in flight when a connection ended may have been done: it is never sent again by itself.
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    enableReadyCheck: false,
    disableClientInfo: true,
    protocol: 2,
    retryStrategy: (times) => Math.min(times * RECONNECT_STEP_MS, MAX_RECONNECT_MS),
    // A replica that was a primary until a moment ago: the address leads to another one soon.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  })
}
