// Composition root of ONE event loop: joins limiter, offload, upstream, pipeline and server over the cells that all loops
// share. The only place that knows every part; no part knows it. What a configuration decides is in its generation.
import { openLedger, type SlotTable } from './config/live/slot-table.js'
import { readVersion } from './config/read.js'
import { type Config } from './config/types.js'
import {
  announceAccepting,
  announceReload,
  announceStart,
  type ReloadReport,
  type StartFacts,
} from './gateway/announce.js'
import { logBreaker, providerStatuses, tellBreakers } from './gateway/breaker-states.js'
import { CLOCK } from './gateway/clock.js'
import { drain, drainableOf, endNow } from './gateway/drain.js'
import { FloodReport } from './gateway/flood-report.js'
import {
  createGeneration,
  type Generation,
  type LoopResources,
  limiterPlaces,
  reachableProviders,
  withKnownProviders,
} from './gateway/generation.js'
import { type ConnectJobs, jobHabits, LoopJobs } from './gateway/jobs.js'
import { findModel, listModels } from './gateway/model-list.js'
import { endOfRemovedKeys } from './gateway/removed-keys.js'
import { createSharedLimits } from './gateway/shared-limits.js'
import { createLimiterCells } from './limit/local/cells.js'
import { createReceivingCells } from './limit/local/receiving.js'
import { Shedder } from './limit/local/shedder.js'
import { createOffload } from './offload/offload.js'
import { TIMEOUT_HEADER } from './pipeline/attempt/client-deadline.js'
import { type DrainablePipeline } from './pipeline/lifecycle.js'
import { createCodec } from './protocols/contract/codec.js'
import { type Dialect, type Surface } from './protocols/contract/protocol.js'
import { JOB_PROTOCOL, PROTOCOLS, WEB_SOCKET_PROTOCOL } from './protocols/index.js'
import { Breakers } from './routing/breakers.js'
import { createServer, type Server, type ViewOptions } from './server/app.js'
import { FailedKeys } from './server/caller/failed-keys.js'
import { type ProviderStatus } from './server/context.js'
import { createRequestIdSeed } from './server/engine/request-id.js'
import { openLogDestination, reopenLog } from './telemetry/log/log.js'
import { breakerStates, createMetricsCells } from './telemetry/metrics/cells.js'
import { startLagSampler } from './telemetry/metrics/lag.js'
import { type MetricsConfig } from './telemetry/metrics/layout.js'
import { createMetrics } from './telemetry/metrics/metrics.js'
import { createScrape, type Scrape } from './telemetry/metrics/scrape.js'
import { Pools } from './upstream/pool/pools.js'

/** How often gauges that nobody pushes are read, and generations that have ended are let go. */
const TEND_EVERY_MS = 1000
/** A generation without exchanges may still get one, from a request whose body was on its way when it was replaced. */
const RETIRED_FOR_MS = 30_000

const UNSOLICITED = 'unsolicited bytes from a provider: its connections are not reused for a minute'
const SURFACES: readonly Surface[] = PROTOCOLS.flatMap((protocol) => protocol.surface ?? [])
const DIALECTS: ReadonlyMap<string, Dialect> = new Map(
  PROTOCOLS.flatMap(({ id, dialect }) => (dialect === null ? [] : [[id, dialect] as const])),
)

/** Memory that all event loops share, for the life of the process, and which name has which place in it. */
export type Cells = {
  readonly limiter: SharedArrayBuffer
  readonly receiving: SharedArrayBuffer
  readonly metrics: SharedArrayBuffer
  readonly ledger: SlotTable
}

export type Gateway = {
  /** Resolves with the port it listens on. @throws misconfigured when the port cannot be had */
  listen(port: number): Promise<number>
  /**
   * New requests get this configuration; those under way keep theirs.
   * @throws misconfigured, with nothing changed
   */
  reload(config: Config, ledger: SlotTable): void
  /** Opens the job store now. @throws misconfigured, naming the file, when it cannot be had */
  openJobs(): Promise<void>
  /** Says in the log that the job store could not be made if it were needed now. */
  tellJobStoreFault(reason: string): void
  /** One loop of a process tells these. */
  tellStart(facts: StartFacts): void
  tellReload(report: ReloadReport): void
  /** Writes the log to the file that its path leads to now. Never rejects. */
  reopenLog(): Promise<void>
  /** Serves new work for `graceMs` more, lets open exchanges end until `server.drainMs` has passed, then ends them. */
  drain(graceMs: number): Promise<void>
  /** Ends whatever is open as a drain would in the end, closes, and writes the log. */
  endNow(): Promise<void>
  /** Cuts whatever is open. A thread whose engine is not closed takes the process down when it ends. */
  close(): void
}

/** Makes the cells; once per process. */
export function createCells(config: Config): Cells {
  const ledger = openLedger(config)
  return {
    limiter: createLimiterCells(config, limiterPlaces(config, ledger)),
    receiving: createReceivingCells(ledger.room.keys),
    metrics: createMetricsCells(metricsConfig(config, ledger), config.server.threads),
    ledger,
  }
}

/** Which event loop of its process it is, and its way to the thread of the job store. */
export type LoopPlace = { readonly loopIndex: number; readonly connectJobs: ConnectJobs }

/** Builds one event loop. Nothing listens, connects or starts a thread before it is told to. */
export function createGateway(config: Config, cells: Cells, place: LoopPlace): Gateway {
  const { loopIndex } = place
  const loop = joinLoop(config, cells, place)
  const { ground } = loop
  let isReady = false
  let server: Server | null = null
  return {
    async listen(port) {
      server = createFront(loop, { port, loopIndex, isReady: () => isReady })
      // Before the first request, so that not one of them is admitted past the other nodes.
      await ground.sharedLimits?.start()
      const bound = await server.listen()
      tend(loop)
      isReady = true
      return bound
    },
    reload(next, ledger) {
      const renewTls = server?.prepareTls(next.server.tls) ?? null
      renew(loop, next, ledger)
      server?.show(viewOf(loop))
      renewTls?.()
    },
    async openJobs() {
      await loop.jobs.store.open()
    },
    tellJobStoreFault: (reason) => loop.jobs.tellFault(reason),
    tellStart: (facts) => announceStart(loop.current, facts),
    tellReload: (report) => announceReload(report, { log: loop.current.log, metrics: ground.metrics }),
    reopenLog: () => reopenLog(ground.logDestination, loop.current.log, 'reopen'),
    async drain(graceMs) {
      isReady = false
      server?.sendAway()
      const { drainMs } = loop.current.config.server
      const stopping = loop.jobs.stop(drainMs)
      await drain(drainableOf(pipelinesOf(loop), server), { drainMs, graceMs, nowMs: CLOCK.nowMs, pause })
      server?.close()
      await stopping
      await loop.jobs.close()
      await ground.sharedLimits?.close()
      await ground.pools.close(0)
      await ground.offload.close()
      await ground.logDestination.flush()
    },
    async endNow() {
      isReady = false
      await endNow(drainableOf(pipelinesOf(loop), server))
      server?.close()
      await ground.logDestination.flush()
    },
    close() {
      server?.close()
    },
  }
}

/** One event loop: its ground, the generation that new requests get, and those that others still run on. */
type Loop = {
  readonly ground: LoopResources
  readonly scrape: Scrape
  readonly cells: Cells
  readonly jobs: LoopJobs
  current: Generation
  retired: Retired[]
}

type Retired = Generation & { readonly sinceMs: number }

/** Those of all generations; a reload during a drain may add one. */
function pipelinesOf(loop: Loop): () => DrainablePipeline[] {
  return () => [loop.current, ...loop.retired].map(({ pipeline }) => pipeline)
}

/** Everything below the server, over the cells of all loops. */
function joinLoop(config: Config, cells: Cells, { loopIndex, connectJobs }: LoopPlace): Loop {
  const names = metricsConfig(config, cells.ledger)
  const metrics = createMetrics(names, cells.metrics, loopIndex)
  const onDropped = (lines: number): void => loop.current.log.warn({ lines }, 'log lines were lost')
  const ground: LoopResources = {
    limiterCells: cells.limiter,
    receivingCells: cells.receiving,
    metrics,
    pools: new Pools({ onUnsolicited: ({ name }) => loop.current.log.warn({ provider: name }, UNSOLICITED) }),
    offload: createOffload(createCodec(PROTOCOLS), { ...config.offload, metrics }),
    logDestination: openLogDestination(config.log.file, onDropped),
    sharedLimits: createSharedLimits(config, metrics, () => loop.current),
    shedder: new Shedder(setImmediate),
    breakers: new Breakers(config.routing.breaker, CLOCK.nowMs, (change) => logBreaker(loop.current.log, change)),
    requestIdSeed: createRequestIdSeed(),
    dialects: DIALECTS,
    clock: CLOCK,
  }
  const scrape = createScrape(names, cells.metrics, { processMetrics: true })
  const jobs = new LoopJobs({
    ...{ loopIndex, connectJobs, metrics, surface: surfaceOf(JOB_PROTOCOL), nowMs: CLOCK.nowMs },
    current: () => loop.current,
  })
  const loop: Loop = {
    ground,
    scrape,
    cells,
    jobs,
    current: createGeneration(config, cells.ledger, ground),
    retired: [],
  }
  return loop
}

/** Puts a new generation in the place of the current one, which lives on as long as it has exchanges. */
function renew(loop: Loop, config: Config, ledger: SlotTable): void {
  const next = createGeneration(withKnownProviders(config, loop.current.config), ledger, loop.ground)
  const names = metricsConfig(config, ledger)
  loop.ground.metrics.adopt(names)
  loop.scrape.adopt(names)
  loop.ground.breakers.adopt(next.config.routing.breaker)
  loop.retired.push({ ...loop.current, sinceMs: CLOCK.nowMs() })
  loop.current = next
  endOfRemovedKeys(loop.retired, next.config)
}

type FrontOptions = { readonly port: number; readonly loopIndex: number; readonly isReady: () => boolean }

/** The server, which takes what clients send into the pipeline. */
function createFront(loop: Loop, options: FrontOptions): Server {
  const { config } = loop.current
  const view = viewOf(loop)
  const floods = new FloodReport({ metrics: loop.ground.metrics, log: () => loop.current.log, nowMs: CLOCK.nowMs })
  return createServer({
    ...view,
    config: { ...view.config, port: options.port },
    ownsMetricsPort: options.loopIndex === 0,
    compat: config.compat,
    requestIdSeed: loop.ground.requestIdSeed,
    failedKeys: createFailedKeys(config),
    surfaces: SURFACES,
    webSocketSurface: surfaceOf(WEB_SOCKET_PROTOCOL),
    parameterHeaders: [TIMEOUT_HEADER, ...[...DIALECTS.values()].flatMap((dialect) => dialect.parameterHeaders)],
    isReady: options.isReady,
    version: readVersion,
    renderMetrics: () => loop.scrape.render(),
    jobDoor: loop.jobs.createDoor((surfaceId, body) => loop.ground.offload.decode(surfaceId, body)),
    onFlood: (kind, address) => floods.note(kind, address),
    onAccepting: (isAccepting, descriptors) => {
      announceAccepting(isAccepting, descriptors, { log: loop.current.log, metrics: loop.ground.metrics })
    },
  })
}

/** A generation as the server shows it. */
function viewOf(loop: Loop): ViewOptions {
  const { current } = loop
  const { config, pipeline, prompts, refusal, receiving } = current
  return {
    config: config.server,
    metrics: config.metrics,
    hasKeys: config.keys.length > 0,
    pipeline,
    refusal,
    reserve: (key) => receiving.open(key.index),
    jobs: jobHabits(current),
    models: (key) => listModels(current, key),
    model: (key, id) => findModel(current, key, id),
    providers: () => statuses(loop),
    languages: () => prompts.languages(),
  }
}

/** This loop's breakers as they are now, those of the others as they last told. */
function statuses({ current, ground, cells }: Loop): ProviderStatus[] {
  tellBreakers(current.config, ground.breakers, ground.metrics)
  const states = breakerStates(metricsConfig(current.config, cells.ledger), cells.metrics)
  return providerStatuses(current.config, states)
}

/** Of no use to a gateway without keys, but a reload may bring some. */
function createFailedKeys({ limits }: Config): FailedKeys | null {
  const perMinute = limits.failedKeysPerMinute
  return perMinute === null ? null : new FailedKeys({ perMinute, now: CLOCK.nowMs })
}

/** Labels are closed by configuration: the names that there are or have been, and `other`. */
function metricsConfig(config: Config, ledger: SlotTable): MetricsConfig {
  const known = new Map(config.providers.map(({ name, knownModels }) => [name, knownModels]))
  return {
    surfaces: SURFACES.map((surface) => surface.id),
    providers: ledger.providers.map((name) => ({ name, knownModels: known.get(name) ?? [] })),
    models: ledger.models.map((name) => ({ name })),
    room: ledger.room,
  }
}

function surfaceOf(protocol: string): Surface {
  const surface = SURFACES.find((each) => each.id === protocol)
  if (surface === undefined) throw new Error(`no surface ${protocol}`)
  return surface
}

/** Reads gauges, and lets go of generations that have ended and of the connections that only they used. */
function tend(loop: Loop): void {
  const { metrics, pools, shedder } = loop.ground
  startLagSampler((worstSec, sample) => {
    metrics.eventLoopLag(worstSec)
    shedder.sample(sample, loop.current.config.limits.shed.lagMs)
  })
  setInterval(() => {
    void loop.jobs.count()
    void reopenLog(loop.ground.logDestination, loop.current.log, 'reopenIfMoved')
    const { current, retired } = loop
    tellBreakers(current.config, loop.ground.breakers, metrics)
    const providers = [current, ...retired].flatMap(({ config }) => config.providers)
    const busy = retired.filter(({ pipeline }) => pipeline.openCount() > 0)
    pools.keep(new Set([current, ...busy].flatMap(({ config }) => reachableProviders(config))))
    loop.retired = retired.filter((one) => busy.includes(one) || CLOCK.nowMs() - one.sinceMs < RETIRED_FOR_MS)
    for (const name of new Set(providers.map((provider) => provider.name))) {
      const { open, busy: running } = pools.stats({ name })
      metrics.upstreamConnections(name, open, running)
    }
  }, TEND_EVERY_MS).unref()
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
