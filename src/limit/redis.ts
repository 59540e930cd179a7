// The connection to Redis, for all that nodes share; the only importer of ioredis. A command is answered, or refused within
// seconds: while there is no connection none is queued, and none is sent twice. It reconnects for ever by itself.
import { Redis } from 'ioredis'

/** An answer takes a millisecond; a Redis that takes as long as this is down for whoever waits for it. */
const COMMAND_TIMEOUT_MS = 3000
const CONNECT_TIMEOUT_MS = 3000
const RECONNECT_STEP_MS = 50
const MAX_RECONNECT_MS = 1000
const SHORT_NAME_LENGTH = 16

export type RedisOptions = {
  /** redis:// or rediss:// */
  readonly url: string
  /** The connection is there, or is gone; told at each change. */
  readonly onChange?: (isUp: boolean) => void
}

/** A script that was made known to a connection. Fails with ioredis' own errors. */
export type RedisScript = (...args: readonly (string | number)[]) => Promise<unknown>

/** One connection, and a second one for what is published, if that is asked for. */
export class RedisConnection {
  readonly #redis: Redis
  #subscriber: Redis | null = null
  #isUp = false

  constructor({ url, onChange }: RedisOptions) {
    this.#redis = connect(url)
    const tell = (isUp: boolean): void => {
      if (isUp === this.#isUp) return
      this.#isUp = isUp
      onChange?.(isUp)
    }
    this.#redis.on('ready', () => tell(true))
    this.#redis.on('close', () => tell(false))
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** Makes a Lua script known; Redis keeps its text, later calls send its digest only. */
  script(lua: string): RedisScript {
    const name = `script${digestOf(lua)}`
    this.#redis.defineCommand(name, { lua, numberOfKeys: 0 })
    const run = Reflect.get(this.#redis, name) as (...args: readonly (string | number)[]) => Promise<unknown>
    return (...args) => run.apply(this.#redis, [...args])
  }

  /** Hears what is published on a channel. `onHeard`: from now on, until the connection is lost; told again after the next one. */
  listen(channel: string, listener: (message: string) => void, onHeard: () => void): void {
    const subscriber = this.#redis.duplicate()
    this.#subscriber = subscriber
    subscriber.on('error', () => undefined)
    // When it fails the connection is gone, and the next one is ready again.
    subscriber.on('ready', () => void subscriber.subscribe(channel).then(onHeard, () => undefined))
    subscriber.on('message', (_channel, message) => listener(message))
  }

  close(): void {
    this.#redis.disconnect()
    this.#subscriber?.disconnect()
  }
}

function connect(url: string): Redis {
  const redis = new Redis(url, {
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(times * RECONNECT_STEP_MS, MAX_RECONNECT_MS),
    // A replica that was a master until now: find the new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  })
  // Without a listener the process would end; `close` tells all that is to be told.
  redis.on('error', () => undefined)
  return redis
}

/** Tells scripts apart within a connection. */
function digestOf(text: string): string {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) >>> 0
  return hash.toString(36).slice(0, SHORT_NAME_LENGTH)
}
