// The effective configuration: what load.ts makes of defaults, file, environment and profiles. Plain, frozen data that
// survives structured clone, so that every event loop gets the same. Nothing below config/ knows the file's raw shape.
import { type EndpointId } from '../model/endpoint.js'
import { type JsonObject } from '../model/json.js'
import { type Quirks } from '../model/target.js'
import { type PricesConfig } from '../prices/types.js'
import { type TracesConfig } from '../telemetry/traces/traces-config.js'
import { type CredentialsConfig } from './credential-types.js'
import { type JobsConfig } from './job-types.js'
import { type AdminConfig, type AuthConfig, type ListenerTls } from './listener-types.js'
import { type AccountsConfig, type ResponsesConfig } from './store-types.js'

export type Config = {
  readonly server: ServerConfig
  readonly admin: AdminConfig
  readonly offload: OffloadConfig
  readonly keys: readonly KeyConfig[]
  readonly accounts: AccountsConfig
  /** For budgets that several nodes spend from. */
  readonly budgets: { readonly onRedisDown: 'closed' | 'local' }
  readonly auth: AuthConfig
  readonly limits: GatewayLimits
  readonly routing: RoutingConfig
  /** In the order of the file; the position is the provider's index in limiter and metrics cells. */
  readonly providers: readonly ProviderConfig[]
  /** Vendors without a usable entry, for callers who bring their own key. */
  readonly wellKnown: readonly WellKnownProvider[]
  /** Configured model names, in the order of the file. */
  readonly models: readonly ModelConfig[]
  /** Name prefixes of models that are known to think, or not to; the longest match applies. Absent: nothing is known. */
  readonly thinkingNames?: Readonly<Record<string, boolean>>
  readonly jobs: JobsConfig
  readonly streams: StreamsConfig
  readonly responses: ResponsesConfig
  /** Shared by all nodes; null for a single process. The URL may contain a password. */
  readonly redis: { readonly url: string | null }
  readonly metrics: { readonly port: number | null; readonly token: string | null }
  /** `dir` is absolute. */
  readonly prompts: { readonly dir: string; readonly defaultLanguage: string }
  readonly content: ContentConfig
  readonly prices: PricesConfig
  readonly compat: CompatConfig
  readonly log: { readonly level: LogLevel; readonly file: string | null; readonly format: 'json' | 'pretty' }
  /** `propagate`: names of the providers that get the trace of a request. `traces` is null where no spans are made. */
  readonly telemetry: { readonly propagate: readonly string[]; readonly traces: TracesConfig | null }
  /** Warnings about a valid configuration; one log line each at start. */
  readonly warnings: readonly string[]
  /** Why the built-in simulator serves: no provider is named, or it is configured; null if it does not serve. */
  readonly simulator: 'stand-in' | 'asked' | null
}

export type ServerConfig = {
  readonly host: string
  readonly port: number
  readonly threads: number
  readonly maxBodyBytes: number
  /** Memory for requests that are still arriving, over all event loops: in total, and of one key. */
  readonly maxReceivingBytes: number
  readonly maxReceivingBytesPerKey: number
  /** Largest message on an ordinary WebSocket. */
  readonly maxMessageBytes: number
  /** Largest whole (not streamed) answer taken from an upstream. */
  readonly maxResponseBytes: number
  /** A stream's reader that lags behind by more than this is cut with outcome slow_reader. */
  readonly maxReaderLagBytes: number
  /** A reader that takes nothing for this long is cut. */
  readonly readerStallMs: number
  readonly keepaliveMs: number
  readonly drainMs: number
  /** The first part of drainMs: no longer ready, but new requests are still served. */
  readonly drainGraceMs: number
  /** New requests are refused; a text is shown to clients. */
  readonly maintenance: boolean | string
  readonly endRequestsOfRemovedKeys: boolean
  readonly tls: ListenerTls | null
  /** Further names in the Host header of a gateway without keys. */
  readonly allowedHosts: readonly string[]
  readonly cors: { readonly origins: readonly string[] }
  /** Addresses and networks (CIDR) of the proxies in front, which are trusted to forward the client's address. */
  readonly trustedProxies: readonly string[]
  /** Chats open at once on one WebSocket. */
  readonly maxChatsPerSocket: number
}

/** Compatibility with the systems that Sluice replaces. */
export type CompatConfig = {
  /** The word in `GET /health`. */
  readonly healthStatus: string
  /** Empty, or segments that each begin with a slash. */
  readonly apiPrefix: string
  /** The same; `/api` follows. */
  readonly ollamaPrefix: string
  /** Model for requests that name none; null for the first one listed. */
  readonly defaultModel: string | null
  readonly errorDetails: boolean
  /** Chats that do not stream become jobs. */
  readonly asyncByDefault: boolean
}

/** Streams that outlive the connection of their client. */
export type StreamsConfig = {
  readonly resume: 'never' | 'ask' | 'always'
  /** How long one goes on without a reader. */
  readonly graceMs: number
  /** How long one is held after its end. */
  readonly keepMs: number
  /** How long a draining process goes on with those whose readers have moved to another node. */
  readonly drainMs: number
  /** Memory of one, of all of the process, and of those of one key. */
  readonly maxStreamBytes: number
  readonly maxBytes: number
  readonly maxBytesPerKey: number
  /** Memory of cached answers, of the process. */
  readonly maxCacheBytes: number
  readonly cacheStore: 'memory' | 'redis'
  readonly store: 'memory' | 'redis'
  /** Signs links; null for a random one at each start. */
  readonly tokenSecret: string | null
}

export type ContentConfig = {
  /** Images and documents by URL, for providers that take only bytes. */
  readonly fetch: {
    readonly enabled: boolean
    /** Size of one of them, and number per request. */
    readonly maxBytes: number
    readonly maxCount: number
    readonly timeoutMs: number
    /** Of all that is fetched or held for requests at a time, as base64, of the process and of one key. */
    readonly maxHeldBytes: number
    readonly maxHeldBytesPerKey: number
    readonly allowInsecure: boolean
    readonly allowPrivateNetworks: boolean
  }
}

export type OffloadConfig = {
  /** Bodies of this size and more go to the pool; 0 sends everything. */
  readonly minBytes: number
  readonly workers: number
  readonly maxQueue: number
  readonly taskTimeoutMs: number
}

/** A gateway key. Only its SHA-256 is kept. */
export type KeyConfig = {
  readonly name: string
  /** 64 hex digits. */
  readonly keySha256: string
  /** Model names or globs (`*`) this key may use. */
  readonly models: readonly string[]
  readonly limits: Limits
}

export type Limits = {
  readonly requestsPerMinute: number | null
  /** The window of `requestsPerMinute`, if it is not one minute. */
  readonly requestWindowSeconds?: number
  readonly tokensPerMinute: number | null
  readonly concurrency: number | null
}

export type GatewayLimits = Limits & {
  readonly queue: { readonly max: number; readonly timeoutMs: number }
  /** Length at which the turns of an overloaded event loop are held; null sheds nothing. @see limit/local/shedder.ts */
  readonly shed: { readonly lagMs: number | null }
  /** Requests with an unknown key per minute before their address is refused; null for no limit. */
  readonly failedKeysPerMinute: number | null
  /** While Redis is unavailable: each node limits by itself, or no request is admitted. */
  readonly onRedisDown: 'local' | 'closed'
}

/** How requests are kept away from targets that fail. */
export type RoutingConfig = { readonly retries: RetryConfig; readonly breaker: BreakerConfig }

/** Further tries at the same targets before the first byte. */
export type RetryConfig = {
  /** Further rounds over the targets of a model; 0 for none. */
  readonly max: number
  readonly baseDelayMs: number
  readonly maxDelayMs: number
  /** Total of all pauses of one request, including those that an upstream asks for. */
  readonly maxWaitMs: number
  /** Further rounds as a fraction of all requests, 0 to 1. */
  readonly budget: number
}

/** When a target is taken out, and how it returns; each event loop decides by its own observations. */
export type BreakerConfig = {
  readonly enabled: boolean
  /** Failures in a row that open it. */
  readonly consecutiveFailures: number
  /** Share of failed attempts over `windowMs` that opens it, 0 to 1, once there were `minRequests`. */
  readonly errorRate: number
  readonly minRequests: number
  readonly windowMs: number
  /** How long it stays open before it is probed. */
  readonly openMs: number
  /** Requests at once that may probe. */
  readonly probes: number
}

export type Timeouts = {
  readonly connectMs: number
  readonly firstTokenMs: number
  readonly betweenTokensMs: number
  readonly totalMs: number
  /** The whole of an answer that does not stream; absent or null: `totalMs`. */
  readonly wholeMs?: number | null
}

/** How the provider's key is sent; never in the query, since URLs end up in logs. */
export type AuthScheme =
  | { readonly kind: 'bearer' }
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'none' }

/** Contents of the PEM files; null for the default. */
export type ProviderTls = {
  /** Replaces Node's certificate authorities. */
  readonly ca: string | null
  /** The client certificate and its key, both or neither. */
  readonly cert: string | null
  readonly key: string | null
  /** Sent as SNI and verified in the certificate. */
  readonly serverName: string | null
}

export type ProviderConfig = {
  readonly name: string
  /** Vendor profile it was made from, if any. */
  readonly profile: string | null
  /** The vendor's price list; absent or null if there is none. */
  readonly priceList?: string | null
  /** The vendor's name in the spans of traces; absent or null if it is that of its profile. */
  readonly spanName?: string | null
  readonly protocol: string
  /** Origin and path prefix with the version segment and without a trailing slash, such as `https://api.example.com/v1`. */
  readonly baseUrl: string
  readonly apiKey: string | null
  /** How a key is sent, the configured one or a caller's own. */
  readonly auth: AuthScheme
  /** Absent or null: the key alone. A caller's own key is sent in place of both. */
  readonly credentials?: CredentialsConfig | null
  /** Further fixed request headers, lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly limits: { readonly concurrency: number | null }
  readonly timeouts: Timeouts
  readonly quirks: Quirks
  /** Globs of model names that belong to this provider when nothing else names one. */
  readonly modelPatterns: readonly string[]
  /** Model names shown by GET /v1/models for this provider (from the catalogue), upstream names. */
  readonly knownModels: readonly string[]
  /** What it offers besides chats; absent or null: everything that its protocol has. */
  readonly endpoints?: readonly EndpointId[] | null
  /** What it offers for the account of a caller's own key alone; absent: nothing. */
  readonly resources?: readonly EndpointId[]
  readonly extraBody: JsonObject
  /** Idle keep-alive connections are closed after this. */
  readonly keepAliveMs: number
  /** Most connections to this provider per event loop; null for no limit. */
  readonly maxConnections: number | null
  /** Most connections that are kept when idle; absent or null for no limit. */
  readonly maxIdleConnections?: number | null
  /** Which requests may share a connection: all (`none`), those of one gateway key, or no two. Absent: `none`. */
  readonly isolation?: 'none' | 'key' | 'request'
  /** Over TLS and without isolation; absent: `auto`. */
  readonly http2?: 'auto' | 'on' | 'off'
  /** URL of its proxy, which may contain credentials; absent or null for a direct connection. */
  readonly proxy?: string | null
  readonly tls?: ProviderTls | null
}

/** A vendor by its profile, with the base URL of the environment; `provider.apiKey` is null. */
export type WellKnownProvider = {
  readonly provider: ProviderConfig
  /** Usable without a key. */
  readonly isKeyless: boolean
}

export type ModelConfig = {
  readonly name: string
  readonly targets: readonly TargetConfig[]
  /** Other configured model names, tried in order when all targets fail before the first byte. */
  readonly fallbacks: readonly string[]
  /** The same, when the request is too long for a target. */
  readonly contextFallbacks: readonly string[]
  /** `prefix`: requests of one key that begin alike go to the same target, whose prompt cache then hits. */
  readonly affinity: 'none' | 'prefix'
  /** Overrides the timeouts of the providers, except connectMs. */
  readonly timeouts: Partial<Omit<Timeouts, 'connectMs'>>
  /** A second target for streams whose first token is late; null for none. */
  readonly hedge: HedgeConfig | null
} & Partial<SharingConfig>

/** What several requests for the same may get from one. */
export type SharingConfig = {
  /** A stream that runs serves further requests of its key for the same. */
  readonly coalesce: boolean
  /** Complete answers are kept for requests for the same; null for none. */
  readonly cache: CacheConfig | null
}

export type CacheConfig = {
  readonly ttlMs: number
  /** Whose requests find an answer: those of the key that got it, or of all keys. */
  readonly scope: 'key' | 'gateway'
}

/** At least one of `afterMs` and `percentile` is set. */
export type HedgeConfig = {
  /** With a percentile: only until enough streams were seen. */
  readonly afterMs: number | null
  /** Of the recent times to the first token, 50 to 100. */
  readonly percentile: number | null
  /** Share of the streams, 0 to 1. */
  readonly maxExtra: number
}

export type TargetConfig = {
  readonly provider: string
  readonly model: string
  readonly weight: number
  /** Requests at once, over all event loops. */
  readonly concurrency: number | null
  readonly extraBody: JsonObject
  /** Whether its model thinks; absent or null: as the model's name says. */
  readonly thinking?: boolean | null
  /** Size of its model's context; absent or null: unknown. */
  readonly contextTokens?: number | null
  /** The most output tokens of one answer of its model; absent or null: not given. */
  readonly maxOutputTokens?: number | null
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'
