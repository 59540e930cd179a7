// Composition root of ONE event loop: joins limiter, offload, upstream, pipeline and server over the cells that all loops
// share. The only place that knows every part; no part knows it.
import { type Config } from './config/types.js'
import { createLimiter, createLimiterCells } from './limit/cells.js'
import { type LocalLimiter } from './limit/limiter.js'
import { RedisLimiter } from './limit/redis-limiter.js'
import { type LimitKind, type LimitScope } from './limit/refusal.js'
import { type JsonObject } from './model/json.js'
import { createOffload } from './offload/offload.js'
import { type KeyIdentity } from './pipeline/client.js'
import { createPipeline } from './pipeline/lifecycle.js'
import { type Clock } from './pipeline/parts.js'
import { createCodec } from './protocols/codec.js'
import { PROTOCOLS, WEB_SOCKET_PROTOCOL } from './protocols/index.js'
import { type Dialect, type Surface } from './protocols/protocol.js'
import { Router } from './routing/router.js'
import { createServer, type Server } from './server/app.js'
import { createMetricsCells } from './telemetry/cells.js'
import { startLagSampler } from './telemetry/lag.js'
import { type MetricsConfig } from './telemetry/layout.js'
import { createLog } from './telemetry/log.js'
import { createMetrics } from './telemetry/metrics.js'
import { type Log, type Metrics } from './telemetry/records.js'
import { createScrape } from './telemetry/scrape.js'
import { Upstream } from './upstream/call.js'
import { Pools } from './upstream/pools.js'

/** How often gauges that nobody pushes are read. */
const GAUGE_EVERY_MS = 1000
/** While draining, how often it is asked whether the last exchange has ended. */
const DRAIN_POLL_MS = 20
/** What survivors of a drain get to take their error frame. */
const FAREWELL_MS = 500

const ANY_MODEL: readonly string[] = Object.freeze(['*'])
const SURFACES: readonly Surface[] = PROTOCOLS.flatMap((protocol) => protocol.surface ?? [])
const DIALECTS: ReadonlyMap<string, Dialect> = new Map(
  PROTOCOLS.flatMap(({ id, dialect }) => (dialect === null ? [] : [[id, dialect] as const])),
)

/** Memory that all event loops of one configuration share. */
export type Cells = { readonly limiter: SharedArrayBuffer; readonly metrics: SharedArrayBuffer }

export type Gateway = {
  /** Resolves with the port it listens on. @throws misconfigured when the port cannot be had */
  listen(port: number): Promise<number>
  /** Refuses new work, lets open exchanges end until `server.drainMs` has passed, then ends them. */
  drain(): Promise<void>
  /** Cuts whatever is open. A thread whose engine is not closed takes the process down when it ends. */
  close(): void
}

/** Makes the cells; once per process. */
export function createCells(config: Config): Cells {
  return {
    limiter: createLimiterCells(config),
    metrics: createMetricsCells(metricsConfig(config), config.server.threads),
  }
}

/**
 * Monotonic milliseconds, read once for all that one turn brings: an upstream's read may hold fifty frames, each of which is
 * timed. 40 ns a reading, three a frame (Node 20.20).
 */
function createTurnClock(): () => number {
  let nowMs = 0
  let isFresh = false
  const expire = (): void => {
    isFresh = false
  }
  return () => {
    if (!isFresh) {
      nowMs = performance.now()
      isFresh = true
      queueMicrotask(expire)
    }
    return nowMs
  }
}

const CLOCK: Clock = {
  nowMs: createTurnClock(),
  unixSec: () => Math.floor(Date.now() / 1000),
  random: () => Math.random(),
}

/** Builds one event loop. Nothing listens, connects or starts a thread before it is told to. */
export function createGateway(config: Config, cells: Cells, loopIndex: number): Gateway {
  const parts = joinParts(config, cells, loopIndex)
  const { pipeline } = parts
  let isReady = false
  let server: Server | null = null
  return {
    close() {
      server?.close()
    },
    async listen(port) {
      server = createFront(parts, { port, loopIndex, isReady: () => isReady })
      // Before the first request, so that not one of them is admitted past the other nodes.
      await parts.nodes?.start()
      const bound = await server.listen()
      startGauges(parts)
      isReady = true
      return bound
    },
    async drain() {
      isReady = false
      server?.closeListener()
      const deadlineMs = CLOCK.nowMs() + config.server.drainMs
      while (pipeline.openCount() > 0 && CLOCK.nowMs() < deadlineMs) await pause(DRAIN_POLL_MS)
      if (pipeline.openCount() > 0) {
        pipeline.endAll()
        await pause(FAREWELL_MS)
      }
      server?.close()
      await parts.nodes?.close()
      await parts.pools.close(0)
      await parts.offload.close()
      await parts.log.flush()
    },
  }
}

type Parts = ReturnType<typeof joinParts>

/** Everything below the server, over the cells of all loops. */
function joinParts(config: Config, cells: Cells, loopIndex: number) {
  const metrics = createMetrics(metricsConfig(config), cells.metrics, loopIndex)
  const keyDigests = config.keys.map((key) => key.keySha256)
  const log = createLog(config.log, { secrets: secretsOf(config), keyDigests })
  const pools = new Pools()
  const upstream = createUpstream(config, pools)
  const onRejected: Metrics['limitRejection'] = (scope, limit) => metrics.limitRejection(scope, limit)
  const local = createLimiter(config, cells.limiter, { onRejected })
  const nodes = createRedisLimiter(config, { local, onRejected, metrics, log })
  const offload = createOffload(createCodec(PROTOCOLS), { ...config.offload, metrics })
  const router = new Router(config)
  const shared = { config, offload, router, upstream, metrics, log }
  const pipeline = createPipeline({ ...shared, limiter: nodes ?? local, dialects: DIALECTS, clock: CLOCK })
  const scrape = createScrape(metricsConfig(config), cells.metrics, { processMetrics: true })
  return { ...shared, nodes, pools, pipeline, scrape }
}

type NodesParts = {
  readonly local: LocalLimiter
  readonly onRejected: (scope: LimitScope, limit: LimitKind) => void
  readonly metrics: Metrics
  readonly log: Log
}

/** The limits that all nodes share; null where there is one node alone. */
function createRedisLimiter(config: Config, { local, onRejected, metrics, log }: NodesParts): RedisLimiter | null {
  const { url } = config.redis
  if (url === null) return null
  const { onRedisDown } = config.limits
  const onState = (isUp: boolean, cause: unknown): void => {
    metrics.redisState('limits', isUp)
    const reason = cause instanceof Error ? cause.message : null
    if (isUp) log.info({}, 'limits are shared: Redis is there')
    else log.warn({ onRedisDown, reason }, 'limits are not shared: Redis is away')
  }
  const onCall = (seconds: number, isOk: boolean) => metrics.redisCall('limits', seconds, isOk)
  return new RedisLimiter(config, { url, local, onRejected, onState, onCall })
}

type FrontOptions = { readonly port: number; readonly loopIndex: number; readonly isReady: () => boolean }

/** The server, which takes what clients send into the pipeline. */
function createFront({ config, router, pipeline, scrape }: Parts, options: FrontOptions): Server {
  return createServer({
    config: { ...config.server, port: options.port },
    metrics: config.metrics,
    ownsMetricsPort: options.loopIndex === 0,
    hasKeys: config.keys.length > 0,
    surfaces: SURFACES,
    webSocketSurface: surfaceOf(WEB_SOCKET_PROTOCOL),
    parameterHeaders: [...DIALECTS.values()].flatMap((dialect) => dialect.parameterHeaders),
    pipeline,
    models: (key) => listModels(config, router, key),
    providers: config.providers.map((provider) => ({ name: provider.name, configured: true })),
    isReady: options.isReady,
    renderMetrics: () => scrape.render(),
  })
}

function createUpstream(config: Config, pools: Pools): Upstream {
  const upstream = new Upstream({
    pools,
    maxResponseBytes: config.server.maxResponseBytes,
    dialectHeaders: (provider) => DIALECTS.get(provider.protocol)?.headers ?? {},
  })
  for (const provider of config.providers) upstream.prepare(provider)
  return upstream
}

/** Labels are closed by configuration: these names, and `other`. */
function metricsConfig(config: Config): MetricsConfig {
  const { providers, models } = config
  return { surfaces: SURFACES.map((surface) => surface.id), providers, models }
}

/** Every text that must never reach a log line. Gateway keys are known by their hash alone. */
function secretsOf(config: Config): string[] {
  const secrets = config.providers.flatMap((provider) => [provider.apiKey, ...Object.values(provider.headers)])
  return [...secrets, config.metrics.token, ...redisSecrets(config)].filter(
    (secret): secret is string => secret !== null && secret !== '',
  )
}

function redisSecrets({ redis: { url } }: Config): (string | null)[] {
  return url === null || !URL.canParse(url) ? [url] : [decodeURIComponent(new URL(url).password)]
}

function surfaceOf(protocol: string): Surface {
  const surface = SURFACES.find((each) => each.id === protocol)
  if (surface === undefined) throw new Error(`no surface ${protocol}`)
  return surface
}

/** OpenAI's list entries, which every surface's clients understand. */
function listModels(config: Config, router: Router, key: KeyIdentity): JsonObject[] {
  const allowed = config.keys[key.index]?.models ?? ANY_MODEL
  return router
    .list(allowed)
    .map(({ id, ownedBy }) => ({ id, object: 'model', created: MODELS_CREATED_SEC, owned_by: ownedBy }))
}

/** Model lists carry a date that nobody keeps; clients only want a number there. */
const MODELS_CREATED_SEC = 1_700_000_000

function startGauges({ config, upstream, metrics }: Parts): void {
  startLagSampler((seconds) => metrics.eventLoopLag(seconds))
  setInterval(() => {
    for (const provider of config.providers) {
      const { open, busy } = upstream.stats(provider)
      metrics.upstreamConnections(provider.name, open, busy)
    }
  }, GAUGE_EVERY_MS).unref()
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
