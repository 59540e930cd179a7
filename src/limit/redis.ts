// The connection to Redis, and what admission needs of it: a call either answers in time or the link is down, and
// while it is down nobody waits for it. It comes back by itself.
//
//   down --(every PROBE_MS: connected? register)--> up --(a call fails or takes too long, the connection ends)--> down
import { Redis, type RedisOptions } from 'ioredis'
import { SCRIPTS, type Script } from './redis-scripts.js'

/**
 * What an admission may wait for a Redis that hangs, once: after that nobody asks. A healthy one answers in less than a
 * millisecond, but one that shares its cores with a flood of requests must not count as away.
 */
const CALL_TIMEOUT_MS = 1000
const PROBE_MS = 400
/** A connection on which nothing is answered may be dead without knowing it. */
const PROBES_PER_CONNECTION = 5
const CONNECT_TIMEOUT_MS = 2000
/** A gateway that starts waits this long for Redis before it goes on without. */
const START_MS = 1000

/**
 * A connection to `redis.url`, made when first used, kept up for ever. Its errors are not events that nobody listens to;
 * they are told to the callers.
 */
export function connectRedis(url: string, options: Omit<RedisOptions, 'replyMapping'> = {}): Redis {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: (times) => Math.min(50 * times, 1000),
    // A replica that was a primary until a moment ago: the address leads to another one soon.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    ...options,
  })
  redis.on('error', () => {})
  return redis
}

export type LinkOptions = {
  readonly url: string
  /** Called on a connection before the link counts as up; rejects if it cannot be. */
  readonly register: () => Promise<void>
  /** A change, and why: for one log line and the metric. */
  readonly onState: (isUp: boolean, cause: unknown) => void
  readonly onCall: (seconds: number, isOk: boolean) => void
  readonly callTimeoutMs?: number
}

/** One event loop's link to Redis. */
export class RedisLink {
  readonly #redis: Redis
  readonly #options: LinkOptions
  #isUp = false
  #isTrying = false
  #isClosed = false
  #probe: NodeJS.Timeout | null = null
  #failedProbes = 0
  #lastError: unknown = null

  constructor(options: LinkOptions) {
    this.#options = options
    this.#redis = connectRedis(options.url, {
      enableOfflineQueue: false,
      // What was in flight when a connection ended may have been done: it is never sent again by itself.
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      enableReadyCheck: false,
      disableClientInfo: true,
      protocol: 2,
    })
    this.#redis.on('error', (error) => {
      this.#lastError = error
    })
    this.#redis.on('close', () => this.#goDown(this.#lastError ?? new Error('the connection ended')))
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** Connects. Resolves when the link is up, or when it is clear that it will not be at once: then it is told as down. */
  async start(): Promise<void> {
    const connecting = this.#redis.connect().then(
      () => this.#tryUp(),
      () => {},
    )
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, START_MS)
    })
    await Promise.race([connecting, patience])
    clearTimeout(timer)
    if (this.#isUp) return
    this.#options.onState(false, this.#lastError)
    this.#probeSoon()
  }

  /** Runs a script, for those who know that the link is up, and for `register`. A rejection takes the link down. */
  async run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const startedMs = performance.now()
    let isOk = false
    try {
      const reply = await this.#within(this.#evaluate(script, [keys.length, ...keys, ...args]))
      isOk = true
      return reply
    } catch (error) {
      this.#goDown(error)
      throw error
    } finally {
      this.#options.onCall((performance.now() - startedMs) / 1000, isOk)
    }
  }

  /** Ends the connection; the link stays down. */
  close(): void {
    this.#isClosed = true
    this.#isUp = false
    if (this.#probe !== null) clearTimeout(this.#probe)
    this.#redis.disconnect()
  }

  /** A Redis that was restarted does not know the script yet. */
  async #evaluate({ sha, text }: Script, [count, ...rest]: [number, ...(string | number)[]]): Promise<unknown> {
    try {
      return await this.#redis.evalsha(sha, count, ...rest)
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return await this.#redis.eval(text, count, ...rest)
    }
  }

  /** When an event loop was busy, the answer may be there already: it gets one more look at its sockets. */
  #within<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(new Error('no answer in time'))
      const timer = setTimeout(() => setImmediate(giveUp), this.#options.callTimeoutMs ?? CALL_TIMEOUT_MS)
      answer.then(resolve, reject).finally(() => clearTimeout(timer))
    })
  }

  #goDown(cause: unknown): void {
    if (!this.#isUp || this.#isClosed) return
    this.#isUp = false
    this.#options.onState(false, cause)
    this.#probeSoon()
  }

  #probeSoon(): void {
    if (this.#isClosed) return
    if (this.#probe !== null) clearTimeout(this.#probe)
    this.#probe = setTimeout(() => void this.#tryUp(), PROBE_MS)
    this.#probe.unref()
  }

  async #tryUp(): Promise<void> {
    if (this.#isUp || this.#isTrying || this.#isClosed) return
    this.#isTrying = true
    try {
      if (this.#redis.status !== 'ready') throw new Error('not connected')
      // Known beforehand, or each call of a flood would send the whole text.
      await this.#within(Promise.all(SCRIPTS.map(({ text }) => this.#redis.script('LOAD', text))))
      await this.#options.register()
      this.#failedProbes = 0
      this.#isUp = true
      this.#options.onState(true, null)
    } catch {
      this.#failedProbes += 1
      if (this.#failedProbes % PROBES_PER_CONNECTION === 0 && this.#redis.status === 'ready') {
        this.#redis.disconnect(true)
      }
      this.#probeSoon()
    } finally {
      this.#isTrying = false
    }
  }
}
