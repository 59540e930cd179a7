// The configuration of a pipeline under test: two providers of one wire, one of the other, and models over them.
import {
  type BreakerConfig,
  type Config,
  type ModelConfig,
  type ProviderConfig,
  type RetryConfig,
  type SharingConfig,
} from '../../src/config/types.js'
import { type JsonObject } from '../../src/model/json.js'
import { type KeyIdentity } from '../../src/pipeline/client.js'
import { type AccountSource, type Fetching } from '../../src/pipeline/context.js'
import { type PricesConfig } from '../../src/prices/types.js'
import { type ResponseDesk } from '../../src/responses/response-desk.js'
import { type FakeDesk } from './fake-desk.js'
import { fakeTarget } from './fake-protocol.js'
import { ANTHROPIC, OPENAI, type Wire } from './pipeline-wires.js'

/** Of the one key, a minute; the clock stands still, so nothing comes back by itself. */
export const TOKEN_LIMIT = 1_000_000

export const PROVIDER_SLOTS = 2

export const KEEPALIVE_MS = 10_000

/** None but where a test asks for them; the rig's chance is always 0, so pauses are no longer than they must be. */
export const RETRIES: RetryConfig = { max: 0, baseDelayMs: 100, maxDelayMs: 1000, maxWaitMs: 10_000, budget: 0.2 }

/** Opens only where a test asks for it. */
export const BREAKER: BreakerConfig = {
  enabled: true,
  consecutiveFailures: 1000,
  errorRate: 1,
  minRequests: 1000,
  windowMs: 10_000,
  openMs: 5000,
  probes: 1,
}

export type RigOptions = {
  /** Of the gateway. */
  readonly concurrency?: number
  readonly queueMax?: number
  readonly requestsPerMinute?: number
  readonly tokensPerMinute?: number
  readonly providerSlots?: number
  readonly targetSlots?: number
  /** Of every target's model. */
  readonly contextTokens?: number
  readonly maxOutputTokens?: number
  readonly maxResponseBytes?: number
  readonly maxReaderLagBytes?: number
  readonly keyModels?: readonly string[]
  readonly doneMarker?: boolean
  readonly errorDetails?: boolean
  /** Of the prompt library, by `language/name`. */
  readonly prompts?: Readonly<Record<string, string>>
  /** Of what clients name by URL. */
  readonly fetching?: Fetching
  /** Of every provider. */
  readonly imageUrls?: boolean
  readonly apiKey?: string
  readonly breaker?: Partial<BreakerConfig>
  readonly retries?: Partial<RetryConfig>
  /** Of all providers. */
  readonly extraBody?: JsonObject
  /** Of every model. */
  readonly sharing?: SharingConfig
  /** Of stored answers. */
  readonly desk?: ResponseDesk
  readonly prices?: PricesConfig
  /** The budgets that hold for every request. */
  readonly budgets?: FakeDesk
  /** Keys of a database, beside that of the configuration. */
  readonly accounts?: AccountSource
}

/** No costs are computed. */
export const NO_PRICES: PricesConfig = Object.freeze({
  ...{ enabled: false, file: null, models: {}, serviceTiers: {}, default: null, table: null },
  ...{ url: null, refreshMs: 86_400_000, cache: '/nowhere' },
  unknown: 'allow',
})

export const FETCH = {
  ...{ enabled: true, maxBytes: 1024, maxCount: 2, timeoutMs: 1000 },
  ...{ maxHeldBytes: 256 * 1024 * 1024, maxHeldBytesPerKey: 64 * 1024 * 1024 },
  ...{ allowInsecure: false, allowPrivateNetworks: false },
}

export const KEY: KeyIdentity = { index: 0, name: 'team-a', owner: 'd'.repeat(64) }

export function createConfig(options: RigOptions): Config {
  const { doneMarker = true, providerSlots = PROVIDER_SLOTS } = options
  const provider = (name: string, protocol: Wire): ProviderConfig => ({
    name,
    profile: null,
    protocol,
    baseUrl: 'http://127.0.0.1:9/v1',
    apiKey: options.apiKey ?? null,
    auth: { kind: 'none' },
    headers: {},
    limits: { concurrency: providerSlots },
    timeouts: { connectMs: 1000, firstTokenMs: 2000, betweenTokensMs: 3000, totalMs: 4000 },
    quirks: { ...fakeTarget(protocol).quirks, doneMarker, imageUrls: options.imageUrls ?? true },
    modelPatterns: [],
    knownModels: [],
    extraBody: options.extraBody ?? {},
    keepAliveMs: 1000,
    maxConnections: null,
  })
  const model = (name: string, ...providers: readonly string[]): ModelConfig => ({
    name,
    targets: providers.slice(0, 1).map((each) => ({
      provider: each,
      model: 'up',
      weight: 1,
      concurrency: options.targetSlots ?? null,
      contextTokens: options.contextTokens ?? null,
      maxOutputTokens: options.maxOutputTokens ?? null,
      extraBody: {},
    })),
    fallbacks: providers.slice(1).map((each) => `at-${each}`),
    contextFallbacks: [],
    affinity: 'none',
    timeouts: {},
    hedge: null,
    ...options.sharing,
  })
  const twins = { targets: [...model('', 'north').targets, ...model('', 'south').targets] }
  const tokensPerMinute = options.tokensPerMinute ?? TOKEN_LIMIT
  return {
    auth: { jwt: [] },
    accounts: {
      store: 'off',
      path: '',
      url: null,
      maxKeys: 1,
      journal: '',
      singleNode: false,
      tokenSecret: null,
      previousTokenSecret: null,
      maxStaleMs: 0,
      maxJournalBytes: 1_000_000_000,
      snapshot: '',
      spend: { hourlyDays: 35, dailyDays: 400 },
    },
    budgets: { onRedisDown: 'closed' },
    server: {
      host: '127.0.0.1',
      port: 0,
      threads: 1,
      maxBodyBytes: 1_000_000,
      maxReceivingBytes: 256 * 1024 * 1024,
      maxReceivingBytesPerKey: 64 * 1024 * 1024,
      maxMessageBytes: 256 * 1024,
      maxResponseBytes: options.maxResponseBytes ?? 1_000_000,
      maxReaderLagBytes: options.maxReaderLagBytes ?? 1_000_000,
      readerStallMs: 1000,
      keepaliveMs: KEEPALIVE_MS,
      drainMs: 1000,
      maintenance: false,
      endRequestsOfRemovedKeys: false,
      drainGraceMs: 0,
      tls: null,
      allowedHosts: [],
      trustedProxies: [],
      cors: { origins: [] },
      maxChatsPerSocket: 10,
    },
    admin: { host: '127.0.0.1', port: 0, allowedHosts: [], tls: null, keys: [], maxKeptBytes: 0 },
    offload: { minBytes: 1_000_000, workers: 1, maxQueue: 1, taskTimeoutMs: 1000 },
    keys: [
      {
        name: 'team-a',
        keySha256: '0'.repeat(64),
        models: options.keyModels ?? ['*'],
        limits: { requestsPerMinute: options.requestsPerMinute ?? null, tokensPerMinute, concurrency: null },
      },
    ],
    limits: {
      requestsPerMinute: null,
      tokensPerMinute: null,
      concurrency: options.concurrency ?? 10,
      shed: { lagMs: null },
      failedKeysPerMinute: null,
      queue: { max: options.queueMax ?? 10, timeoutMs: 60_000 },
      onRedisDown: 'local',
    },
    routing: { retries: { ...RETRIES, ...options.retries }, breaker: { ...BREAKER, ...options.breaker } },
    redis: { url: null },
    providers: [provider('north', OPENAI), provider('south', OPENAI), provider('west', ANTHROPIC)],
    models: [
      model('one', 'north'),
      model('pair', 'north', 'south'),
      model('mixed', 'north', 'west'),
      model('other', 'west'),
      { ...model('twins', 'north'), ...twins },
      { ...model('sticky', 'north'), ...twins, affinity: 'prefix' },
      { ...model('hedged', 'north'), ...twins, hedge: { afterMs: 500, percentile: null, maxExtra: 0.05 } },
      { ...model('usual', 'north'), ...twins, hedge: { afterMs: null, percentile: 90, maxExtra: 1 } },
      { ...model('small', 'north', 'west'), contextFallbacks: ['at-south'] },
      model('at-south', 'south'),
      model('at-west', 'west'),
    ],
    metrics: { port: null, token: null },
    prompts: { dir: '/nowhere', defaultLanguage: 'en' },
    content: { fetch: FETCH },
    prices: options.prices ?? NO_PRICES,
    jobs: JOBS,
    streams: STREAMS,
    responses: RESPONSES,
    compat: {
      ...{ healthStatus: 'ok', apiPrefix: '/api', ollamaPrefix: '/ollama', defaultModel: null, asyncByDefault: false },
      errorDetails: options.errorDetails ?? false,
    },
    telemetry: { propagate: [], traces: null },
    log: { level: 'silent', file: null, format: 'json' },
    wellKnown: [],
    warnings: [],
    simulator: null,
  }
}

const STREAMS: Config['streams'] = {
  ...{ resume: 'ask', graceMs: 30_000, keepMs: 300_000, drainMs: 600_000, store: 'memory', tokenSecret: null },
  cacheStore: 'memory',
  ...{ maxStreamBytes: 4_194_304, maxBytes: 268_435_456, maxBytesPerKey: 67_108_864, maxCacheBytes: 1_048_576 },
}

const RESPONSES: Config['responses'] = {
  ...{
    store: 'memory',
    path: '/nowhere/responses.db',
    retentionMs: 86_400_000,
    maxBytes: 1_048_576,
    maxBytesPerKey: 1_048_576,
  },
  background: { concurrency: 1, maxPending: 1, maxPendingPerKey: 1 },
  onStoreDown: 'fail',
  webSocket: true,
  maxMessageBytes: 8_388_608,
}

const JOBS: Config['jobs'] = {
  ...{ store: 'sqlite', path: '/nowhere/jobs.db', concurrency: 2, attempts: 3, timeoutMs: 1000, retentionMs: 1000 },
  ...{ leaseMs: 1000, maxPendingPerKey: 10, maxPending: 10 },
  ...{ maxStoredBytesPerKey: 256 * 1024 * 1024, maxStoredBytes: 1024 * 1024 * 1024, maxAnswerBytes: 1024 * 1024 },
  webhook: {
    ...{ secret: null, previousSecret: null, allowInsecure: false, allowPrivateNetworks: false },
    timeoutMs: 1000,
  },
}
