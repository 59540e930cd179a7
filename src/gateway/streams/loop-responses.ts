// The store of answers of one event loop. Loop 0 holds it for the whole process, so that its caps hold for all: in its memory, or by the
// thread that owns the file. The other loops reach it over a port. In Redis all loops of all nodes have the same one.
import { type MessagePort } from 'node:worker_threads'
import { type ResponsesConfig } from '../../config/store-types.js'
import { type Config } from '../../config/types.js'
import { type Responses } from '../../pipeline/context.js'
import { MemoryStore } from '../../responses/memory-store.js'
import { PortStore } from '../../responses/port/port-store.js'
import { servePort } from '../../responses/port/serve-port.js'
import { ResponseDesk, type ResponseTexts } from '../../responses/response-desk.js'
import { ResponseIds } from '../../responses/response-ids.js'
import { type ResponseStore } from '../../responses/store.js'
import { type StoreThread } from '../../sqlite/store-thread.js'
import { type LoopMetrics } from '../../telemetry/metrics/metrics.js'
import { type Log } from '../../telemetry/records.js'

export type LoopResponsesOptions = {
  readonly config: Config
  readonly loopIndex: number
  readonly texts: ResponseTexts
  readonly metrics: Pick<LoopMetrics, 'redisState' | 'redisCall'>
  /** A new port to loop 0. */
  readonly connectHolder: () => Promise<MessagePort | null>
  /** Runs `act` once after so long. */
  readonly after: (delayMs: number, act: () => void) => void
}

export class LoopResponses {
  readonly #ids = new ResponseIds()
  readonly #options: LoopResponsesOptions
  #store: ResponseStore | null
  /** On loop 0, where the store is a file. */
  #thread: StoreThread | null = null

  constructor(options: LoopResponsesOptions) {
    this.#options = options
    this.#store = createStore(options, async () => this.#thread?.connect() ?? null)
  }

  /**
   * Opens what is not in memory; before the first request.
   * @throws misconfigured, naming the file, when it is damaged, foreign, newer, in use or cannot be had
   */
  async start(log: () => Log): Promise<void> {
    const { config, loopIndex } = this.#options
    const { store, path } = config.responses
    if (store === 'redis' && config.redis.url !== null) await this.#startRedis(config.redis.url, log)
    if (store !== 'sqlite' || loopIndex !== 0) return
    const { startResponsesFile } = await import('../../responses/sqlite/start.js')
    const onTrouble = (reason: string): void => log().error({ reason }, 'response store unavailable')
    this.#thread = await startResponsesFile({ path, onTrouble })
  }

  /** As one configuration has it. */
  of({ retentionMs, maxBytes, maxBytesPerKey, onStoreDown }: ResponsesConfig, log: Log): Responses {
    const ids = this.#ids
    const { texts } = this.#options
    const initial = this.#store
    if (initial === null) return { ids, desk: null }
    const current = (): ResponseStore => this.#store ?? initial
    const warn = (fields: object, message: string): void => log.warn(fields, message)
    const caps = { maxBytes, maxBytesPerKey }
    const rules = { texts, retentionMs, caps, onStoreDown, nowMs: Date.now, warn }
    // The first configuration is there before the store is opened.
    const desk = new ResponseDesk({
      ...rules,
      get store() {
        return current()
      },
    })
    return { ids, desk }
  }

  /** Another event loop uses the store through the port. */
  accept(port: MessagePort): void {
    if (this.#thread !== null) this.#thread.attach(port)
    else if (this.#store !== null) servePort(port, this.#store)
  }

  /** When all loops are drained: those that end later store their answers through this one. */
  async close(): Promise<void> {
    await this.#store?.close()
    await this.#thread?.close()
  }

  async #startRedis(url: string, log: () => Log): Promise<void> {
    const { metrics } = this.#options
    const { RedisStore } = await import('../../responses/redis/redis-store.js')
    const store = new RedisStore({
      url,
      onCall: (seconds, isOk) => metrics.redisCall('responses', seconds, isOk),
      onState(isUp, cause) {
        metrics.redisState('responses', isUp)
        const reason = cause instanceof Error ? cause.message : null
        if (isUp) log().info({}, 'redis available (responses)')
        else log().warn({ reason }, 'redis unavailable (responses)')
      },
    })
    this.#store = store
    await store.start()
  }
}

function createStore(
  { config, loopIndex, connectHolder, after }: LoopResponsesOptions,
  connectThread: () => Promise<MessagePort | null>,
): ResponseStore | null {
  const { store } = config.responses
  if (store === 'off') return null
  // Until it is connected.
  if (store === 'redis') return new PortStore(async () => null)
  if (loopIndex > 0) return new PortStore(connectHolder)
  return store === 'memory' ? new MemoryStore({ nowMs: Date.now, after }) : new PortStore(connectThread)
}
