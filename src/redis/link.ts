// A connection to Redis that is either up or down: a call answers in time or takes the link down, and while it is down no call waits
// for it. It recovers by itself.
//
//   down --(every PROBE_MS: connected? register)--> up --(a call fails or takes too long, the connection ends)--> down
import { RedisConnection, type RedisScript, type ScriptArgument } from './connection.js'

/**
 * How long a caller waits for a hanging Redis, once; after that no call is made. A healthy one answers in less than a
 * millisecond, but one that shares its cores with a flood of requests must not count as unavailable.
 */
const CALL_TIMEOUT_MS = 1000
const PROBE_MS = 400
/** How long a starting gateway waits for Redis before it continues without. */
const START_MS = 1000

export type LinkOptions<Name extends string> = {
  readonly url: string
  /** The text of each script, in the order in which they are loaded. */
  readonly scripts: ReadonlyMap<Name, string>
  /** Replies bear bytes instead of text. */
  readonly isBinary?: boolean
  /** Called on a connection before the link counts as up; rejects if it cannot be. */
  readonly register: () => Promise<void>
  /** A change and its reason, for one log line and the metric. */
  readonly onState: (isUp: boolean, cause: unknown) => void
  readonly onCall: (seconds: number, isOk: boolean) => void
  readonly callTimeoutMs?: number
  /** Whether a failed call leaves the link up: Redis answered, and the next call may succeed. By default none does. */
  readonly isRefusal?: (error: unknown) => boolean
}

/** One event loop's link to Redis, for one use. */
export class RedisLink<Name extends string> {
  readonly #connection: RedisConnection
  readonly #scripts: ReadonlyMap<Name, RedisScript>
  readonly #options: LinkOptions<Name>
  #isUp = false
  #isTrying = false
  #isClosed = false
  #probe: NodeJS.Timeout | null = null

  constructor(options: LinkOptions<Name>) {
    const { url, onCall, scripts, isBinary = false, callTimeoutMs = CALL_TIMEOUT_MS } = options
    this.#options = options
    const onChange = (isUp: boolean, cause: unknown): void => {
      if (!isUp) this.#goDown(cause)
    }
    this.#connection = new RedisConnection({ url, onCall, callTimeoutMs, onChange })
    this.#scripts = new Map([...scripts].map(([name, lua]) => [name, this.#connection.script(lua, isBinary)]))
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** Connects. Resolves when the link is up, or when it fails to come up in time, which is reported as down. */
  async start(): Promise<void> {
    const connecting = this.#connection.connect().then(
      () => this.#tryUp(),
      () => undefined,
    )
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, START_MS)
    })
    await Promise.race([connecting, patience])
    clearTimeout(timer)
    if (this.#isUp) return
    this.#options.onState(false, this.#connection.lastError)
    this.#probeSoon()
  }

  /** Runs a script, for `register` and for callers that know the link is up. A rejection takes the link down. */
  async run(name: Name, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown> {
    try {
      return await this.#scripts.get(name)?.(keys, args)
    } catch (error) {
      if (this.#options.isRefusal?.(error) !== true) this.#goDown(error)
      throw error
    }
  }

  /** Subscribes to a channel, on a connection of its own; see RedisConnection. */
  listen(channel: string, listener: (message: string) => void, onHeard: () => void): void {
    this.#connection.listen(channel, listener, onHeard)
  }

  /** Ends the connection; the link stays down. */
  close(): void {
    this.#isClosed = true
    this.#isUp = false
    if (this.#probe !== null) clearTimeout(this.#probe)
    this.#connection.close()
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
      if (!this.#connection.isUp) throw new Error('not connected')
      await this.#connection.preload()
      await this.#options.register()
      this.#isUp = true
      this.#options.onState(true, null)
    } catch {
      this.#probeSoon()
    } finally {
      this.#isTrying = false
    }
  }
}
