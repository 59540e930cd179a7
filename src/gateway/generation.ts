// The parts of one event loop that are built from one configuration. A reload builds the next generation beside the running one,
// on the same loop; exchanges keep the generation they began with, which is released when the last of them has ended.
//
//   loop (pools, offload, metrics, cells, log file)   <- generation 1: 3 exchanges   <- generation 2: all new ones
import { isDeepStrictEqual } from 'node:util'
import { type BrowserTokens } from '../accounts/browser-tokens.js'
import { type DirectoryMemory } from '../accounts/directory/memory.js'
import { type LoopRollups } from '../accounts/rollups/loop-rollups.js'
import { secretsOfCredentials } from '../config/credential-types.js'
import { type SlotTable, targetNames } from '../config/live/slot-table.js'
import { type Config, type ProviderConfig } from '../config/types.js'
import { GatewayError } from '../errors.js'
import { type Limiter } from '../limit/limiter.js'
import { createLimiter, type LimiterPlaces } from '../limit/local/cells.js'
import { MemoryBudget, type MemoryCaps, type MemoryUse } from '../limit/local/memory-budget.js'
import { type Shedder } from '../limit/local/shedder.js'
import { RedisLimiter } from '../limit/shared/redis-limiter.js'
import { type SharedState } from '../limit/shared/shared-state.js'
import { type Offload } from '../offload/offload.js'
import { type ClientRequest, type KeyIdentity } from '../pipeline/client.js'
import { type Clock, type Fetching, type Responses } from '../pipeline/context.js'
import { createPipeline, type DrainablePipeline } from '../pipeline/lifecycle.js'
import { openPriceBook } from '../prices/price-book.js'
import { createPromptLibrary, type PromptLibrary } from '../prompts/library.js'
import { type Dialect } from '../protocols/contract/protocol.js'
import { type Breakers } from '../routing/breakers.js'
import { matchesGlob } from '../routing/glob.js'
import { RetryBudget } from '../routing/retry.js'
import { Router } from '../routing/router.js'
import { ThinkingMemory } from '../routing/thinking.js'
import { type SharingGround } from '../server/sharing/sharing.js'
import { type KeptStreams } from '../streams/kept/registry.js'
import { createLog, type LogDestination } from '../telemetry/log/log.js'
import { type LoopMetrics } from '../telemetry/metrics/metrics.js'
import { type Log, type Metrics, type RecordTap, type Tracer } from '../telemetry/records.js'
import { type SpanExport } from '../telemetry/traces/span-export.js'
import { secretsOfTraces } from '../telemetry/traces/traces-config.js'
import { AnswerSecrets } from '../upstream/conceal.js'
import { type CredentialStore } from '../upstream/credentials/credentials.js'
import { type Pools } from '../upstream/pool/pools.js'
import { parseProxy } from '../upstream/proxy.js'
import { base64Length, fetchAttachment } from '../upstream/strangers/attachment.js'
import { Upstream } from '../upstream/upstream.js'
import { type IdentityProviders } from './accounts/identity-providers.js'
import { accountPlaces, createBrowserTokens, type LoopAccounts } from './accounts/loop-accounts.js'
import { type LoopBudgeting } from './accounts/loop-budgets.js'
import { type LoopResponses } from './streams/loop-responses.js'
import { createLoopTracer } from './traces/loop-traces.js'

/** Retry-After during maintenance: short enough for a retry soon after its end, long enough to avoid many before. */
const MAINTENANCE_RETRY_MS = 30_000

/** The parts of an event loop that survive every reload. */
export type LoopResources = {
  readonly limiterCells: SharedArrayBuffer
  readonly memoryCells: Readonly<Record<MemoryUse, SharedArrayBuffer>>
  readonly metrics: LoopMetrics
  readonly pools: Pools
  readonly credentials: CredentialStore
  readonly offload: Offload
  /** The limits shared by all nodes; null for a single node. */
  readonly sharedLimits: SharedState | null
  readonly shedder: Shedder
  readonly breakers: Breakers
  /** Of this loop, whatever the configuration. */
  readonly keptStreams: KeptStreams
  /** What its requests share, whatever the configuration. */
  readonly sharing: SharingGround
  /** Answers by their ids, whatever the configuration. */
  readonly responses: LoopResponses
  /** Keys of a database; null without one. */
  readonly accounts: LoopAccounts | null
  /** Whose tokens may be trusted, whatever the configuration. */
  readonly identityProviders: IdentityProviders
  /** Budgets of that database, whatever the configuration; null without one. */
  readonly budgets: LoopBudgeting | null
  /** What its keys spend; null without a database. */
  readonly rollups: LoopRollups | null
  readonly logDestination: LogDestination
  readonly dialects: ReadonlyMap<string, Dialect>
  readonly clock: Clock
  /** The seed of this loop's request ids, whatever the configuration. */
  readonly requestIdSeed: string
  /** Of the admin API; null where it is off. */
  readonly tap: RecordTap | null
  /** Takes requests as they begin, where their bodies are kept for the admin API; null where that is off. */
  readonly requestTap: RequestTap | null
  /** The way of spans to their collector; null where none are exported. */
  readonly spans: SpanExport | null
}

export type RequestTap = { take: ((request: ClientRequest) => void) | null }

export type Generation = {
  readonly config: Config
  readonly pipeline: DrainablePipeline
  readonly responses: Responses
  readonly router: Router
  readonly upstream: Upstream
  readonly prompts: PromptLibrary
  readonly log: Log
  /** The error that rejects a new request of this key before its body is read; counts it, too. */
  readonly refusal: (key: KeyIdentity) => GatewayError | null
  readonly receiving: MemoryBudget
  /** Of kept streams. */
  readonly kept: MemoryBudget
  readonly limiter: Limiter
  /** Null where traces are off. */
  readonly tracer: Tracer | null
  /** Null where none are issued. */
  readonly tokens: BrowserTokens | null
}

/**
 * Builds a generation; it does not connect to anything yet.
 * @throws misconfigured
 */
export function createGeneration(config: Config, slots: SlotTable, resources: LoopResources): Generation {
  const { metrics, pools, offload, dialects, clock } = resources
  const { logDestination: destination, requestIdSeed: ownIdSeed } = resources
  const hasFurtherKeys = resources.accounts !== null
  const secrets = logSecrets(config)
  const logOptions = { ...secrets, hasFurtherKeys, destination, ownIdSeed }
  const tracer = createLoopTracer(config, {
    ...{ out: resources.spans, secrets, providers: reachableProviders(config), ownIdSeed },
  })
  const own = createLog(config.log, logOptions)
  const traced = tracer === null ? own : withTap(own, { take: tracer.settled })
  const log = resources.tap === null ? traced : withTap(traced, resources.tap)
  const upstream = new Upstream({
    pools,
    credentials: resources.credentials,
    maxResponseBytes: config.server.maxResponseBytes,
    dialectHeaders: (provider) => dialects.get(provider.protocol)?.headers ?? {},
  })
  for (const provider of config.providers) upstream.prepare(provider)
  const limiter = joinLimiter(config, slots, resources)
  const router = new Router(config)
  const warn = (message: string): void => log.warn({}, message)
  const prompts = createPromptLibrary({ ...config.prompts, nowMs: clock.nowMs, warn })
  const retryBudget = new RetryBudget(config.routing.retries.budget)
  const { breakers } = resources
  const tokens = createBrowserTokens(config, resources.accounts)
  const thinking = new ThinkingMemory(clock.nowMs)
  const shared = { config, offload, router, breakers, retryBudget, thinking, upstream, metrics, log, dialects, clock }
  const parts = {
    ...shared,
    limiter,
    prompts,
    responses: resources.responses.of(config.responses, log),
    prices: openPriceBook(config.prices, matchesGlob),
    fetching: createFetching(config, slots, resources),
    accounts: resources.accounts,
    tokens,
    jwt: resources.identityProviders.bearersOf(config.auth),
    budgets: resources.budgets?.budgeting ?? null,
    tracer,
    rollups: resources.rollups,
    secrets: new AnswerSecrets((provider) => upstream.secretsOf(provider)),
  }
  const pipeline = createPipeline(parts)
  const refusal = refusalOfMaintenance(config) ?? createRefusal(limiter, resources)
  const receiving = createBudget('receiving', receivingCaps(config), { config, slots, resources })
  const kept = createBudget('kept', keptCaps(config), { config, slots, resources })
  const { responses } = parts
  const shown = { config, pipeline, responses, router, upstream, prompts, log, limiter, tracer, tokens }
  return { ...shown, refusal, receiving, kept }
}

/** Null if the gateway fetches nothing. */
export function createFetching(config: Config, slots: SlotTable, resources: BudgetResources): Fetching | null {
  const { enabled, maxHeldBytes, maxHeldBytesPerKey, ...options } = config.content.fetch
  if (!enabled) return null
  const requestBytes = options.maxCount * base64Length(options.maxBytes)
  const caps = { maxBytes: maxHeldBytes, maxBytesPerKey: maxHeldBytesPerKey, requestBytes }
  const budget = createBudget('fetched', caps, { config, slots, resources })
  return {
    reserve: (keyIndex) => budget.open(keyIndex),
    fetch: (url, each) => fetchAttachment(url, { ...options, ...each }),
  }
}

/** The limits of this process, preceded by those that all nodes share. */
function joinLimiter(
  config: Config,
  slots: SlotTable,
  { limiterCells, sharedLimits, metrics, accounts }: LoopResources,
): Limiter {
  const onRejected: Metrics['limitRejection'] = (scope, limit) => metrics.limitRejection(scope, limit)
  const local = createLimiter(config, limiterCells, {
    ...{ places: limiterPlaces(config, slots, accounts?.memory ?? null), accounts, onRejected },
  })
  return sharedLimits === null ? local : new RedisLimiter(config, { local, state: sharedLimits, accounts, onRejected })
}

function receivingCaps({ server }: Config): MemoryCaps {
  const { maxReceivingBytes, maxReceivingBytesPerKey, maxBodyBytes } = server
  return { maxBytes: maxReceivingBytes, maxBytesPerKey: maxReceivingBytesPerKey, requestBytes: maxBodyBytes }
}

function keptCaps({ streams: { maxBytes, maxBytesPerKey, maxStreamBytes } }: Config): MemoryCaps {
  return { maxBytes, maxBytesPerKey, requestBytes: maxStreamBytes }
}

type BudgetResources = {
  readonly memoryCells: LoopResources['memoryCells']
  readonly accounts: { readonly memory: Pick<DirectoryMemory, 'maxKeys' | 'maxTeams'> } | null
  readonly metrics: Pick<LoopMetrics, 'reserved' | 'limitRejection'>
}
type BudgetParts = { readonly config: Config; readonly slots: SlotTable; readonly resources: BudgetResources }

/** Limits the memory whose size clients determine. */
function createBudget(use: MemoryUse, caps: MemoryCaps, { config, slots, resources }: BudgetParts): MemoryBudget {
  const { memoryCells, metrics, accounts } = resources
  return new MemoryBudget(memoryCells[use], {
    use,
    caps,
    keyPlaces: placesOf(config.keys, slots.keys),
    firstAccount: accounts === null ? null : slots.room.keys,
    onChange: (bytes) => metrics.reserved(use, bytes),
    onRejected: (scope) => {
      // A stream without room is not kept, but it is not rejected either.
      if (use !== 'kept') metrics.limitRejection(scope, use)
    },
  })
}

/** The error for every new request during maintenance; null otherwise. */
function refusalOfMaintenance({ server }: Config): Generation['refusal'] | null {
  const { maintenance } = server
  if (maintenance === false) return null
  const reason = maintenance === true ? {} : { message: maintenance }
  const error = GatewayError.shared('maintenance', { ...reason, retryAfterMs: MAINTENANCE_RETRY_MS })
  return () => error
}

type RefusalGround = {
  readonly shedder: Pick<Shedder, 'refusal'>
  readonly metrics: Pick<LoopMetrics, 'limitRejection'>
}

/** Rejects requests that cannot be served now while that is cheap: all slots and the queue are full, or the loop is late. */
export function createRefusal(limiter: Pick<Limiter, 'refusal'>, { shedder, metrics }: RefusalGround) {
  return function refusal(key: KeyIdentity): GatewayError | null {
    // A request that a limit rejects does not count in the turn.
    const full = limiter.refusal(key.index)
    if (full !== null) return full
    const shed = shedder.refusal()
    if (shed !== null) metrics.limitRejection('gateway', 'lag')
    return shed
  }
}

/** The positions of this configuration's limits in the cells. */
export function limiterPlaces(
  config: Pick<Config, 'keys' | 'providers' | 'models'>,
  slots: SlotTable,
  directory: Pick<DirectoryMemory, 'maxKeys' | 'maxTeams'> | null = null,
): LimiterPlaces {
  const { keyRoom, accounts } = accountPlaces(slots.room.keys, directory)
  return {
    keys: placesOf(config.keys, slots.keys),
    providers: placesOf(config.providers, slots.providers),
    targets: placesOf(
      targetNames(config).map((name) => ({ name })),
      slots.targets,
    ),
    room: { ...slots.room, keys: keyRoom },
    ...(accounts === null ? {} : { accounts }),
  }
}

/** The configuration with the running objects of unchanged providers, so that these keep their connections. */
export function withKnownProviders(config: Config, running: Config): Config {
  const known = new Map(reachableProviders(running).map((provider) => [provider.name, provider]))
  const reuse = (provider: ProviderConfig): ProviderConfig => {
    const before = known.get(provider.name)
    return before !== undefined && isDeepStrictEqual(before, provider) ? before : provider
  }
  const wellKnown = config.wellKnown.map((entry) => ({ ...entry, provider: reuse(entry.provider) }))
  return { ...config, providers: config.providers.map(reuse), wellKnown }
}

/** All providers that a request may reach: the configured ones, and those for which callers have their own key. */
export function reachableProviders({ providers, wellKnown }: Config): readonly ProviderConfig[] {
  return [...providers, ...wellKnown.map(({ provider }) => provider)]
}

function placesOf(list: readonly { readonly name: string }[], names: readonly string[]): number[] {
  const places = new Map(names.map((name, place) => [name, place]))
  return list.flatMap(({ name }) => places.get(name) ?? [])
}

function withTap(log: Log, tap: RecordTap): Log {
  return {
    exchange(record) {
      log.exchange(record)
      tap.take?.(record)
    },
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
    flush: () => log.flush(),
  }
}

/** What a log, or whoever shows the same, must know of the secrets of a configuration. */
export function logSecrets(config: Config) {
  return {
    secrets: secretsOf(config),
    keyDigests: [...config.keys, ...config.admin.keys].map((key) => key.keySha256),
    keyNames: config.keys.map((key) => key.name),
  }
}

/** Every text that must never reach a log line. Gateway keys are known only by their hash. */
function secretsOf(config: Config): string[] {
  const secrets = reachableProviders(config).flatMap((provider) => [
    provider.apiKey,
    ...Object.values(provider.headers),
    ...proxySecrets(provider),
    ...secretsOfCredentials(provider.credentials ?? null),
  ])
  const { secret, previousSecret } = config.jobs.webhook
  const { traces } = config.telemetry
  const passwords = [config.redis.url, config.accounts.url].map(passwordIn)
  const { tokenSecret, previousTokenSecret } = config.accounts
  const signing = [secret, previousSecret, config.streams.tokenSecret, tokenSecret, previousTokenSecret]
  const ours = [config.metrics.token, ...passwords, ...signing]
  return [...secrets, ...ours, ...(traces === null ? [] : secretsOfTraces(traces))].filter(
    (each): each is string => each !== null && each !== '',
  )
}

/** The credentials in the forms in which they are sent and configured. */
function proxySecrets({ proxy = null }: ProviderConfig): string[] {
  const authorization = proxy === null ? null : parseProxy(proxy).authorization
  if (proxy === null || authorization === null) return []
  const { username, password } = new URL(proxy)
  return [
    authorization,
    authorization.replace('Basic ', ''),
    password || username,
    decodeURIComponent(password || username),
  ]
}

function passwordIn(url: string | null): string | null {
  return url === null || !URL.canParse(url) ? url : decodeURIComponent(new URL(url).password)
}
