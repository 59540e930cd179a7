// What one event loop has for its whole life: memory shared with the other loops, connections, workers, breakers, the job store,
// and the generation for new requests. Only the current and retired generations ever change; see generations.ts.
import { randomUUID } from 'node:crypto'
import { type MessagePort } from 'node:worker_threads'
import { createDirectoryMemory, type DirectoryMemory } from '../accounts/directory/memory.js'
import { LoopRollups } from '../accounts/rollups/loop-rollups.js'
import { type AccountsStore } from '../accounts/store.js'
import { openLedger, type SlotTable } from '../config/live/slot-table.js'
import { type Config } from '../config/types.js'
import { TIMERS } from '../jobs/run/timers.js'
import { createLimiterCells } from '../limit/local/cells.js'
import { createMemoryCells } from '../limit/local/memory-budget.js'
import { Shedder } from '../limit/local/shedder.js'
import { SharedState } from '../limit/shared/shared-state.js'
import { createOffload } from '../offload/offload.js'
import { createCodec } from '../protocols/contract/codec.js'
import { type Dialect, type Surface } from '../protocols/contract/protocol.js'
import { type StoredAnswers } from '../protocols/contract/stored.js'
import { ENDPOINTS, JOB_PROTOCOL, PROTOCOLS } from '../protocols/index.js'
import { Breakers } from '../routing/breakers.js'
import { Bell } from '../server/background/bell.js'
import { createRequestIdSeed } from '../server/engine/request-id.js'
import { createSharingGround } from '../server/sharing/ground.js'
import { createLinkSecret } from '../streams/access/link-token.js'
import { KeptStreams } from '../streams/kept/registry.js'
import { openLogDestination } from '../telemetry/log/log.js'
import { createMetricsCells } from '../telemetry/metrics/cells.js'
import { type MetricsConfig } from '../telemetry/metrics/layout.js'
import { createMetrics, type LoopMetrics } from '../telemetry/metrics/metrics.js'
import { createScrape, type Scrape } from '../telemetry/metrics/scrape.js'
import { CredentialStore } from '../upstream/credentials/credentials.js'
import { Pools } from '../upstream/pool/pools.js'
import { IdentityProviders } from './accounts/identity-providers.js'
import { LoopAccounts } from './accounts/loop-accounts.js'
import { createLoopBudgets } from './accounts/loop-budgets.js'
import { type RollupWriter } from './accounts/rollup-writer.js'
import { sharesBudgets } from './accounts/shared-claims.js'
import { announceJournal } from './announce.js'
import { logBreaker } from './breaker-states.js'
import { CLOCK } from './clock.js'
import { createGeneration, type Generation, type LoopResources, limiterPlaces } from './generation.js'
import { LoopJobs } from './jobs.js'
import { LoopResponses } from './streams/loop-responses.js'
import { createSpanExport } from './traces/loop-traces.js'

const UNSOLICITED = 'unsolicited bytes from provider, connections not reused for a minute'
/** The surfaces of all protocols, and those that are no chats. */
export const SURFACES: readonly Surface[] = [...PROTOCOLS.flatMap((protocol) => protocol.surface ?? []), ...ENDPOINTS]
/** The surface whose answers are stored: there is one. */
export const STORED_SURFACE = SURFACES.find(hasStored) ?? noSurface()
/** The dialects of all protocols, by protocol id. */
export const DIALECTS: ReadonlyMap<string, Dialect> = new Map(
  PROTOCOLS.flatMap(({ id, dialect }) => (dialect === null ? [] : [[id, dialect] as const])),
)

/** Memory that all event loops share, for the life of the process, and the table of the slots of names in it. */
export type Cells = {
  readonly limiter: SharedArrayBuffer
  readonly receiving: SharedArrayBuffer
  readonly fetched: SharedArrayBuffer
  readonly kept: SharedArrayBuffer
  /** Signs links to streams where the configuration has no secret. */
  readonly linkSecret: SharedArrayBuffer
  readonly metrics: SharedArrayBuffer
  readonly ledger: SlotTable
  /** Keys of the account database; null without one. */
  readonly directory: DirectoryMemory | null
}

/** Creates the cells; once per process. */
export function createCells(config: Config): Cells {
  const ledger = openLedger(config)
  const directory =
    config.accounts.store === 'off' ? null : createDirectoryMemory(config.accounts.maxKeys, nodeOf(config))
  const places = limiterPlaces(config, ledger, directory)
  return {
    limiter: createLimiterCells(config, places),
    receiving: createMemoryCells(places.room.keys),
    fetched: createMemoryCells(places.room.keys),
    kept: createMemoryCells(places.room.keys),
    linkSecret: createLinkSecret(),
    metrics: createMetricsCells(metricsConfig(config, ledger), config.server.threads),
    ledger,
    directory,
  }
}

/** The id of this process among others that spend from the same budgets; null if none does. */
function nodeOf(config: Config): string | null {
  return sharesBudgets(config) ? randomUUID() : null
}

/** What one event loop reaches on another: kept streams, the store of answers, or what the admin API shows of it. */
export type PeerPurpose = 'streams' | 'responses' | 'admin'

/** A thread of the process that event loops reach by ports: the job store, or the account database. */
export type StoreThread = 'jobs' | 'accounts'

/** The index of the event loop in its process, and its access to the threads of stores and to the other loops. */
export type LoopPlace = {
  readonly loopIndex: number
  /** A port of the thread; the job store's is started if it is not running yet. @throws misconfigured */
  readonly connectStore: (store: StoreThread) => Promise<MessagePort>
  /** A new port to what another loop holds; null if there is no such loop. */
  readonly connectLoop: (loopIndex: number, purpose: PeerPurpose) => Promise<MessagePort | null>
}

/** One event loop: its fixed parts, the generation for new requests, and those that earlier requests still use. */
export type Loop = {
  readonly ground: LoopResources
  readonly scrape: Scrape
  readonly cells: Cells
  readonly jobs: LoopJobs
  /** For answers that run without their clients. */
  readonly bell: Bell
  /** This loop's way to the account database, from before it listens; null without one. */
  accounts: AccountsStore | null
  /** Writes its rollups there. */
  rollupWriter: RollupWriter | null
  current: Generation
  retired: Retired[]
}

type Retired = Generation & { readonly sinceMs: number }

/** Everything below the server, over the cells of all loops. */
export function joinLoop(config: Config, cells: Cells, { loopIndex, connectStore, connectLoop }: LoopPlace): Loop {
  const names = metricsConfig(config, cells.ledger)
  const metrics = createMetrics(names, cells.metrics, loopIndex)
  const onDropped = (lines: number): void => loop.current.log.warn({ lines }, 'log lines lost')
  const onUnsolicited = ({ name }: { readonly name: string }): void => {
    metrics.unsolicitedBytes(name)
    loop.current.log.warn({ provider: name }, UNSOLICITED)
  }
  const onCredentialsFailed = ({ name }: { readonly name: string }, error: unknown): void => {
    const reason = error instanceof Error ? error.message : null
    loop.current.log.warn({ provider: name, reason }, 'credentials not obtained')
  }
  const onKeysFailed = (place: string, reason: string): void => {
    loop.current.log.warn({ place, reason }, 'keys of an identity provider not obtained')
  }
  const keptStreams = new KeptStreams({
    ...{ loopIndex, timers: TIMERS, counters: metrics },
    connectLoop: (other) => connectLoop(other, 'streams'),
  })
  const accounts = cells.directory === null ? null : new LoopAccounts(cells.directory)
  const ground: LoopResources = {
    limiterCells: cells.limiter,
    memoryCells: { receiving: cells.receiving, fetched: cells.fetched, kept: cells.kept },
    metrics,
    pools: new Pools({ onUnsolicited }),
    credentials: new CredentialStore({ nowMs: Date.now, onFailure: onCredentialsFailed }),
    offload: createOffload(createCodec(PROTOCOLS, ENDPOINTS), { ...config.offload, metrics }),
    logDestination: openLogDestination(config.log.file, onDropped),
    sharedLimits: createSharedLimits(config, metrics, () => loop.current),
    shedder: new Shedder(setImmediate),
    breakers: new Breakers(config.routing.breaker, CLOCK.nowMs, (change) => logBreaker(loop.current.log, change)),
    keptStreams,
    sharing: createSharingGround({
      ...{ streams: keptStreams, counters: metrics, timers: TIMERS, loopIndex, threads: config.server.threads },
      maxCacheBytes: () => loop.current.config.streams.maxCacheBytes,
    }),
    responses: new LoopResponses({
      ...{ config, loopIndex, after: TIMERS.after, texts: STORED_SURFACE.stored, metrics },
      connectHolder: () => connectLoop(0, 'responses'),
    }),
    accounts,
    identityProviders: new IdentityProviders({ nowMs: CLOCK.nowMs, onFailure: onKeysFailed }),
    budgets:
      accounts === null
        ? null
        : createLoopBudgets({
            ...{ accounts, journal: config.accounts.journal, counters: metrics },
            maxJournalBytes: config.accounts.maxJournalBytes,
            onJournalState: (state) => announceJournal(state, loop.current.log),
            store: () => loop.accounts,
          }),
    rollups: accounts === null ? null : new LoopRollups(randomUUID(), Date.now),
    requestIdSeed: createRequestIdSeed(),
    spans: createSpanExport(config.telemetry, {
      count: (result, count) => metrics.spans(result, count),
      log: () => loop.current.log,
    }),
    tap: config.admin.keys.length === 0 ? null : { take: null },
    requestTap: config.admin.keys.length === 0 ? null : { take: null },
    dialects: DIALECTS,
    clock: CLOCK,
  }
  const scrape = createScrape(names, cells.metrics, { processMetrics: true })
  const jobs = new LoopJobs({
    ...{
      loopIndex,
      connectJobs: () => connectStore('jobs'),
      metrics,
      surface: surfaceOf(JOB_PROTOCOL),
      nowMs: CLOCK.nowMs,
    },
    current: () => loop.current,
    accounts: ground.accounts,
  })
  const loop: Loop = {
    ground,
    scrape,
    cells,
    jobs,
    bell: new Bell(),
    accounts: null,
    rollupWriter: null,
    current: createGeneration(config, cells.ledger, ground),
    retired: [],
  }
  return loop
}

/** The limits that all nodes share, on this loop's own connection; null for a single node. */
function createSharedLimits(
  { redis: { url } }: Config,
  metrics: LoopMetrics,
  current: () => Generation,
): SharedState | null {
  if (url === null) return null
  const onState = (isUp: boolean, cause: unknown): void => {
    metrics.redisState('limits', isUp)
    const { config, log } = current()
    const { onRedisDown } = config.limits
    const reason = cause instanceof Error ? cause.message : null
    if (isUp) log.info({}, 'redis available (limits)')
    else log.warn({ onRedisDown, reason }, 'redis unavailable (limits)')
  }
  const onCall = (seconds: number, isOk: boolean): void => metrics.redisCall('limits', seconds, isOk)
  return new SharedState({ url, onState, onCall, nowNs: process.hrtime.bigint })
}

/** The set of labels is closed: the names of this and earlier configurations, and `other`. */
export function metricsConfig(config: Config, ledger: SlotTable): MetricsConfig {
  const known = new Map(config.providers.map(({ name, knownModels }) => [name, knownModels]))
  return {
    surfaces: SURFACES.map((surface) => surface.id),
    providers: ledger.providers.map((name) => ({ name, knownModels: known.get(name) ?? [] })),
    models: ledger.models.map((name) => ({ name })),
    room: ledger.room,
  }
}

/** The surface half of a protocol that has one. */
export function surfaceOf(protocol: string): Surface {
  const surface = SURFACES.find((each) => each.id === protocol)
  if (surface === undefined) throw new Error(`no surface ${protocol}`)
  return surface
}

function hasStored(surface: Surface): surface is Surface & { readonly stored: StoredAnswers } {
  return surface.stored !== undefined
}

function noSurface(): never {
  throw new Error('no surface with stored answers')
}
