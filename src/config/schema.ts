// The one declaration of the configuration file: every option with its unit, default, bounds and meaning, and from it the
// type of a checked file. Anything in the file that is not declared here is refused. It checks nothing itself: validate.ts does.
import { type Static, type TSchema, Type } from 'typebox'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB
/** Budgets are counted in cells that hold no more. */
const MAX_BUDGET_BYTES = 1024 * GIB
/** uWebSockets.js ends the process for idle timeouts above 960 s (uws.js#1025), so no time that may become one goes higher. */
const MAX_IDLE_MS = 900_000
/** Node's timers take no more than 2^31 - 1 ms; a day is more than any answer needs. */
const MAX_WAIT_MS = DAY_MS
const MAX_PORT = 65_535
/** More event loops or workers than any machine this runs on has cores for. */
const MAX_THREADS = 64
const MAX_CONCURRENCY = 1_000_000
const MAX_PER_MINUTE = 1_000_000_000

/** Where the prompts that come with Sluice lie in it; a folder of that name in the working directory comes first. */
export const DEFAULT_PROMPTS_DIR = 'resources/prompts'

/** Names of keys and providers: they become labels, parts of `provider/model` and parts of paths. */
export const NAME_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'
/** Names of models may look like the upstream's, slashes and colons included. */
export const MODEL_NAME_PATTERN = '^[A-Za-z0-9@~][A-Za-z0-9@~._:/+-]{0,255}$'
/** A path of plain segments, with or without its first and last slash. */
const PATH_PATTERN = '^/?(?:[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*/?)?$'
/** HTTP field name, lower case (RFC 9110 5.1 token). */
const HEADER_NAME_PATTERN = "^[a-z0-9!#$%&'*+.^_`|~-]+$"
/** HTTP field value: visible ASCII, blanks and tabs; no CR, LF or NUL (RFC 9110 5.5). */
const HEADER_VALUE_PATTERN = '^[\\t\\x20-\\x7e]*$'

/** Credentials, host and port; the rest is checked where it is taken apart. */
const PROXY_PATTERN = '^(?:none|https?://\\S+)$'

/** Standard Webhooks' own form, of 16 bytes and more, or any other text of as many characters. */
const WEBHOOK_SECRET_PATTERN =
  '^(?:whsec_(?:[A-Za-z0-9+/]{4}){5,}(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)|(?!whsec_).{16,})$'

function section<T extends Record<string, TSchema>>(description: string, properties: T) {
  return Type.Object(properties, { additionalProperties: false, description })
}

function nullable<T extends TSchema>(schema: T, description: string) {
  return Type.Union([schema, Type.Null()], { default: null, description })
}

function integer(bounds: { minimum: number; maximum: number }, fallback: number, description: string) {
  return Type.Integer({ ...bounds, default: fallback, description })
}

function text(fallback: string, description: string) {
  return Type.String({ default: fallback, minLength: 1, description })
}

function perMinute(description: string) {
  return nullable(Type.Integer({ minimum: 1, maximum: MAX_PER_MINUTE }), description)
}

const Server = section('The listener and what one connection may cost.', {
  host: text('127.0.0.1', 'Address to listen on; anything but loopback needs gateway keys.'),
  port: integer({ minimum: 0, maximum: MAX_PORT }, 3000, 'Port to listen on; 0 takes a free one.'),
  threads: integer({ minimum: 1, maximum: MAX_THREADS }, 1, 'Event loops, each a thread on the same port.'),
  maxBodyBytes: integer({ minimum: KIB, maximum: GIB }, 20 * MIB, 'Largest request body, in bytes; more is 413.'),
  maxReceivingBytes: integer(
    { minimum: MIB, maximum: MAX_BUDGET_BYTES },
    256 * MIB,
    'Memory of all requests that are still arriving, in bytes, for the whole process; more is 503.',
  ),
  maxReceivingBytesPerKey: integer(
    { minimum: KIB, maximum: MAX_BUDGET_BYTES },
    64 * MIB,
    'The same for one gateway key; more is 429.',
  ),
  maxMessageBytes: integer(
    { minimum: KIB, maximum: GIB },
    256 * KIB,
    'Largest message on /v1/ws, in bytes, and what each open one reserves of the memory for arriving requests; /v1/ws/large takes up to maxBodyBytes.',
  ),
  maxResponseBytes: integer({ minimum: KIB, maximum: GIB }, 32 * MIB, 'Largest whole (not streamed) answer, in bytes.'),
  maxReaderLagBytes: integer(
    { minimum: 16 * KIB, maximum: GIB },
    MIB,
    'A stream is cut when its reader lags behind by more than this, in bytes.',
  ),
  readerStallMs: integer(
    { minimum: 100, maximum: MAX_IDLE_MS },
    30_000,
    'A reader that takes nothing for this long is cut, in ms.',
  ),
  keepaliveMs: integer(
    { minimum: 100, maximum: 300_000 },
    15_000,
    'Silence after which a stream gets a keepalive, in ms.',
  ),
  // Below the 30 s that Kubernetes gives by default: the last words come before its SIGKILL.
  drainMs: integer({ minimum: 0, maximum: HOUR_MS }, 25_000, 'How long open streams may go on after SIGTERM, in ms.'),
  // What taking a node out of a load balancer or of a Kubernetes service needs to be known everywhere.
  drainGraceMs: integer(
    { minimum: 0, maximum: HOUR_MS },
    2000,
    'The first part of drainMs, in which new requests are still served, in ms.',
  ),
  maxChatsPerSocket: integer({ minimum: 1, maximum: 10_000 }, 128, 'Chats open at once on one WebSocket.'),
  maintenance: Type.Union([Type.Boolean(), Type.String({ minLength: 1, maxLength: 500 })], {
    default: false,
    description: 'Refuse new requests with 503, and let open ones end; a text is what clients are shown as the reason.',
  }),
  endRequestsOfRemovedKeys: Type.Boolean({
    default: false,
    description: 'When a reload removes a gateway key, end its open requests too, not only refuse new ones.',
  }),
  tls: nullable(
    section('Certificate of the listener.', {
      certFile: Type.String({ minLength: 1, description: 'PEM file with the certificate chain.' }),
      keyFile: Type.String({ minLength: 1, description: 'PEM file with the private key.' }),
      passphrase: nullable(Type.String({ minLength: 1 }), 'Passphrase of the private key.'),
    }),
    'TLS on the listener; null listens in clear.',
  ),
  trustedProxies: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
    default: [],
    description:
      'Addresses or networks (CIDR) of proxies in front, whose X-Forwarded-For or Forwarded header is believed.',
  }),
  cors: section('Browsers that may call from other origins.', {
    origins: Type.Array(Type.String({ pattern: '^(\\*|https?://[^/\\s]+)$' }), {
      default: [],
      description: 'Allowed origins, such as https://app.example.com; "*" allows all.',
    }),
  }),
})

const Offload = section('The pool of worker threads for large bodies.', {
  minBytes: integer(
    { minimum: 0, maximum: GIB },
    262_144,
    'Bodies of this size and more go to the pool, in bytes; 0 sends all. Smaller ones from 64 KiB on follow where many come at once. By measurement: bench/README.md.',
  ),
  workers: Type.Union([Type.Literal('auto'), Type.Integer({ minimum: 1, maximum: MAX_THREADS })], {
    default: 'auto',
    description: 'Worker threads; auto is one less than the cores, at least 1.',
  }),
  maxQueue: integer({ minimum: 1, maximum: 1_000_000 }, 1024, 'Tasks that may wait for a worker; more is 503.'),
  taskTimeoutMs: integer({ minimum: 100, maximum: 10 * MINUTE_MS }, 10_000, 'Longest run of one task, in ms.'),
})

const LimitFields = {
  requestsPerMinute: perMinute('Requests a minute; null for no limit.'),
  tokensPerMinute: perMinute('Input and output tokens a minute; null for no limit.'),
}

function concurrency(fallback: number | null, description: string) {
  return Type.Union([Type.Integer({ minimum: 1, maximum: MAX_CONCURRENCY }), Type.Null()], {
    default: fallback,
    description,
  })
}

const Key = section('One gateway key.', {
  name: Type.String({ pattern: NAME_PATTERN, description: 'Name in log and limits, never the key.' }),
  key: Type.Optional(Type.String({ minLength: 1, maxLength: 4096, description: 'The key itself; or give keySha256.' })),
  keySha256: Type.Optional(
    Type.String({
      pattern: '^[0-9a-fA-F]{64}$',
      expects: '64 hex digits',
      description: 'SHA-256 of the key, 64 hex digits.',
    }),
  ),
  models: Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
    default: ['*'],
    minItems: 1,
    description: 'Models this key may use; * is a wildcard.',
  }),
  limits: section('Limits of this key.', {
    ...LimitFields,
    requestWindowSeconds: integer(
      { minimum: 1, maximum: DAY_MS / 1000 },
      60,
      'Window of requestsPerMinute, where it is not a minute, in seconds.',
    ),
    concurrency: concurrency(null, 'Requests at once; null for no limit.'),
  }),
})

const GatewayLimits = section('Limits of the whole gateway.', {
  ...LimitFields,
  concurrency: concurrency(1000, 'Requests at once; null for no limit.'),
  failedKeysPerMinute: Type.Union([Type.Integer({ minimum: 1, maximum: MAX_CONCURRENCY }), Type.Null()], {
    default: 60,
    description: 'Unknown keys from one public address, before it is refused; null for no limit.',
  }),
  queue: section('Requests that wait for a free place.', {
    max: integer({ minimum: 0, maximum: 100_000 }, 100, 'Requests that may wait; 0 refuses at once.'),
    timeoutMs: integer({ minimum: 0, maximum: 10 * MINUTE_MS }, 10_000, 'Longest wait, in ms.'),
  }),
  shed: section('Refusing new requests early when an event loop cannot keep up.', {
    lagMs: Type.Union([Type.Integer({ minimum: 5, maximum: 10_000 }), Type.Null()], {
      default: 25,
      description:
        'Turns of a busy event loop longer than this let in fewer new requests, the rest is 503, in ms; null: none.',
    }),
  }),
  onRedisDown: Type.Enum(['local', 'closed'], {
    default: 'local',
    description: 'Without Redis: each node limits by itself, or refuses all.',
  }),
})

const Routing = section('What happens when providers fail.', {
  retries: section('Tries the same targets again, before the first byte only.', {
    max: integer({ minimum: 0, maximum: 10 }, 2, 'Further rounds over the targets of a model; 0 for none.'),
    baseDelayMs: integer(
      { minimum: 1, maximum: MINUTE_MS },
      200,
      'Longest pause before the first round, doubled for each further one, in ms.',
    ),
    maxDelayMs: integer({ minimum: 1, maximum: 10 * MINUTE_MS }, 5000, 'Longest pause of our own choice, in ms.'),
    maxWaitMs: integer(
      { minimum: 0, maximum: HOUR_MS },
      10_000,
      'All pauses of a request, those that a provider asks for included, in ms.',
    ),
    budget: Type.Number({
      default: 0.2,
      minimum: 0,
      maximum: 1,
      description: 'Further rounds as a share of all requests.',
    }),
  }),
  breaker: section('Takes a target out that keeps failing.', {
    enabled: Type.Boolean({ default: true, description: 'Keep requests away from targets that fail.' }),
    consecutiveFailures: integer({ minimum: 1, maximum: 10_000 }, 5, 'Failures in a row that open it.'),
    errorRate: Type.Number({
      default: 0.5,
      minimum: 0.01,
      maximum: 1,
      description: 'Share of failed attempts in the window that opens it.',
    }),
    minRequests: integer({ minimum: 1, maximum: 1_000_000 }, 20, 'Attempts in the window before the share counts.'),
    windowMs: integer({ minimum: 1000, maximum: HOUR_MS }, 30_000, 'Length of the window, in ms.'),
    openMs: integer({ minimum: 100, maximum: HOUR_MS }, 10_000, 'How long it stays open before a probe, in ms.'),
    probes: integer({ minimum: 1, maximum: 1000 }, 1, 'Requests at once that probe a target.'),
  }),
})

/** Any part of the quirks; profiles use it as well. */
export const QuirkOverrides = section('What this server does otherwise than its profile says.', {
  maxTokensField: Type.Optional(
    Type.Enum(['max_tokens', 'max_completion_tokens'], { description: 'Name of the output cap.' }),
  ),
  streamOptions: Type.Optional(Type.Boolean({ description: 'Takes stream_options.include_usage.' })),
  developerRole: Type.Optional(Type.Boolean({ description: 'Takes the role developer.' })),
  imageUrls: Type.Optional(Type.Boolean({ description: 'Takes images and documents by URL.' })),
  documents: Type.Optional(Type.Boolean({ description: 'Takes PDF documents.' })),
  jsonSchema: Type.Optional(
    Type.Enum(['json-schema', 'tool', 'json-object', 'none'], { description: 'How JSON-schema output is asked for.' }),
  ),
  reasoningRequest: Type.Optional(
    Type.Enum(['reasoning_effort', 'reasoning', 'none'], { description: 'Request field that turns reasoning on.' }),
  ),
  reasoningField: Type.Optional(
    Type.Enum(['reasoning_content', 'reasoning'], { description: 'Answer field with reasoning text.' }),
  ),
  refusedFields: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), { description: 'Request fields left out for this server.' }),
  ),
  doneMarker: Type.Optional(Type.Boolean({ description: 'Streams end with an end marker.' })),
  maxTemperature: Type.Optional(Type.Number({ minimum: 0, maximum: 10, description: 'Largest temperature.' })),
  defaultMaxTokens: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 10_000_000, description: 'Output cap where the wire demands one, in tokens.' }),
  ),
  deploymentApiVersion: Type.Optional(nullable(Type.String({ minLength: 1 }), 'Dated api-version; null for none.')),
})

const ExtraBody = Type.Record(Type.String({ pattern: '^.+$' }), Type.Unknown(), {
  default: {},
  description: 'Fields set on every request body sent there.',
})

/** One entry of `providers`. */
export const ProviderEntry = section('One upstream.', {
  profile: Type.Optional(Type.String({ description: 'Vendor profile; the name of the entry if that is a profile.' })),
  protocol: Type.Optional(Type.String({ description: 'Wire API, for a server without a profile.' })),
  baseUrl: Type.Optional(Type.String({ description: 'Address, with or without the version segment.' })),
  versionSegment: Type.Optional(
    Type.String({ pattern: '^(/[A-Za-z0-9._~-]+)*$', description: 'Version part of the path; "" for none.' }),
  ),
  apiKey: Type.Optional(Type.String({ maxLength: 16_384, description: 'Key of the provider.' })),
  headers: Type.Record(
    Type.String({ pattern: HEADER_NAME_PATTERN }),
    Type.String({ pattern: HEADER_VALUE_PATTERN, maxLength: 8192 }),
    { default: {}, description: 'Further fixed request headers, lower-case names.' },
  ),
  limits: section('Limits of this provider.', {
    concurrency: concurrency(null, 'Requests at once; null for no limit.'),
  }),
  timeouts: section('Timeouts of one attempt.', {
    connectMs: integer({ minimum: 10, maximum: MAX_WAIT_MS }, 5000, 'To connect, in ms.'),
    firstTokenMs: integer({ minimum: 10, maximum: MAX_WAIT_MS }, 60_000, 'To the first token, in ms.'),
    betweenTokensMs: integer({ minimum: 10, maximum: MAX_WAIT_MS }, 60_000, 'Between two tokens, in ms.'),
    totalMs: integer({ minimum: 10, maximum: MAX_WAIT_MS }, 600_000, 'For the whole answer, in ms.'),
    wholeMs: nullable(
      Type.Integer({ minimum: 10, maximum: MAX_WAIT_MS }),
      'For an answer that does not stream, in ms; null for totalMs.',
    ),
  }),
  models: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { description: 'Models it is known to serve.' }),
  ),
  extraBody: ExtraBody,
  quirks: QuirkOverrides,
  maxConnections: concurrency(null, 'Connections per event loop; null for no limit.'),
  maxIdleConnections: nullable(
    Type.Integer({ minimum: 0, maximum: MAX_CONCURRENCY }),
    'Connections per event loop that are kept when idle; null for no limit.',
  ),
  keepAliveMs: integer({ minimum: 1000, maximum: 10 * MINUTE_MS }, 60_000, 'Idle connections close after this, in ms.'),
  proxy: Type.Optional(
    Type.String({
      maxLength: 2048,
      pattern: PROXY_PATTERN,
      description:
        'Proxy it is reached through, as http://user:password@host:port; none: directly. Without it, by the environment.',
    }),
  ),
  tls: section('TLS to this provider.', {
    caFile: Type.Optional(
      Type.String({ minLength: 1, description: 'PEM file with the authorities to trust, in place of the usual ones.' }),
    ),
    certFile: Type.Optional(Type.String({ minLength: 1, description: 'PEM file with the certificate to show.' })),
    keyFile: Type.Optional(Type.String({ minLength: 1, description: 'PEM file with its private key.' })),
    serverName: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9]([A-Za-z0-9._-]{0,252})$',
        description: 'Name to ask for and to find in its certificate, where the address has another.',
      }),
    ),
  }),
  isolation: Type.Enum(['none', 'key', 'request'], {
    default: 'none',
    description: 'Requests that may share a connection: all (none), those of one gateway key (key), no two (request).',
  }),
})

function optionalMs(description: string) {
  return Type.Optional(Type.Integer({ minimum: 10, maximum: MAX_WAIT_MS, description }))
}

const Target = Type.Union(
  [
    Type.String({ minLength: 3, description: 'provider/model' }),
    section('One place that serves the model.', {
      provider: Type.String({ minLength: 1, description: 'Name of a provider.' }),
      model: Type.String({ minLength: 1, maxLength: 256, description: 'Name of the model there.' }),
      weight: Type.Number({ default: 1, minimum: 0, maximum: 1000, description: 'Share of the traffic.' }),
      concurrency: concurrency(null, 'Requests at once to this target; null for no limit.'),
      extraBody: ExtraBody,
      thinking: nullable(Type.Boolean(), 'Its model takes requests to think; null for what its name says.'),
    }),
  ],
  { description: 'A target: provider/model, or an object.' },
)

const Model = Type.Union(
  [
    Type.String({ minLength: 3, description: 'provider/model' }),
    section('One model name that clients may use.', {
      targets: Type.Array(Target, { minItems: 1, description: 'Where it is served.' }),
      fallbacks: Type.Array(Type.String({ minLength: 1 }), {
        default: [],
        description: 'Configured model names tried when all targets fail.',
      }),
      contextFallbacks: Type.Array(Type.String({ minLength: 1 }), {
        default: [],
        description: 'Configured model names tried when the request is too long for a target.',
      }),
      timeouts: section("Timeouts of this model, in place of its providers'.", {
        firstTokenMs: optionalMs('To the first token, in ms.'),
        betweenTokensMs: optionalMs('Between two tokens, in ms.'),
        totalMs: optionalMs('For the whole answer, in ms.'),
      }),
      hedge: nullable(
        section('Ask a second target when the first token of a stream is late.', {
          afterMs: optionalMs('How late, in ms; until the percentile is known, if there is one.'),
          percentile: Type.Optional(
            Type.Number({ minimum: 50, maximum: 100, description: 'Later than this percentile of the recent ones.' }),
          ),
          maxExtra: Type.Number({
            default: 0.05,
            minimum: 0,
            maximum: 1,
            description: 'Second requests as a share of all streams of the model.',
          }),
        }),
        'A second target for streams that begin late; null for none.',
      ),
      affinity: Type.Enum(['none', 'prefix'], {
        default: 'none',
        description: 'Keep requests of a key that begin alike on one target, for its prompt cache: prefix.',
      }),
    }),
  ],
  { description: 'A model: provider/model, or an object.' },
)

/** Shorter secrets can be guessed; an empty one lets anybody forge a call (new-api CVE-2026-41432). */
function webhookSecret(description: string) {
  const expects = 'a secret of 16 characters or more, or whsec_ with 16 bytes or more in base64'
  return nullable(Type.String({ pattern: WEBHOOK_SECRET_PATTERN, expects }), description)
}

const Jobs = section('Asynchronous jobs: accepted now, run soon, kept until they have ended.', {
  store: Type.Enum(['sqlite', 'redis'], { default: 'sqlite', description: 'Where jobs are kept.' }),
  path: text('./data/jobs.db', 'Database file of the sqlite store, made with the first job.'),
  concurrency: integer({ minimum: 1, maximum: 10_000 }, 2, 'Jobs run at once.'),
  retentionMs: integer({ minimum: 1000, maximum: 365 * DAY_MS }, HOUR_MS, 'How long a finished job is kept, in ms.'),
  attempts: integer({ minimum: 1, maximum: 100 }, 3, 'Attempts before a job has failed.'),
  timeoutMs: integer(
    { minimum: 100, maximum: DAY_MS },
    10 * MINUTE_MS,
    'Running time of a job, all its attempts together, in ms.',
  ),
  leaseMs: integer(
    { minimum: 1000, maximum: HOUR_MS },
    30_000,
    'A gateway that gives no sign for so long loses its jobs to the others on its Redis, in ms.',
  ),
  maxPendingPerKey: integer(
    { minimum: 1, maximum: 10_000_000 },
    10_000,
    'Jobs of one gateway key that may wait; more are refused with 429.',
  ),
  maxPending: integer({ minimum: 1, maximum: 10_000_000 }, 100_000, 'Jobs that may wait; more are refused with 503.'),
  maxStoredBytesPerKey: integer(
    { minimum: KIB, maximum: MAX_BUDGET_BYTES },
    256 * MIB,
    'Requests and answers of the jobs of one gateway key and its answers kept by Idempotency-Key, in bytes; a job beyond it is 429.',
  ),
  maxStoredBytes: integer(
    { minimum: KIB, maximum: MAX_BUDGET_BYTES },
    GIB,
    'The same of all keys; a job beyond it is 507.',
  ),
  maxAnswerBytes: integer(
    { minimum: 0, maximum: GIB },
    MIB,
    'Largest answer kept by Idempotency-Key, in bytes; a larger one frees its key, so a repetition runs again.',
  ),
  webhook: section('Calls made when a job ends.', {
    secret: webhookSecret(
      'Secret that signs webhooks: 16 characters or more, or whsec_ and base64; null signs nothing.',
    ),
    previousSecret: webhookSecret('Secret that signs as well while receivers change over to the other.'),
    allowInsecure: Type.Boolean({ default: false, description: 'Call http:// as well as https:// addresses.' }),
    allowPrivateNetworks: Type.Boolean({
      default: false,
      description: 'Call addresses of this machine and of private networks.',
    }),
    timeoutMs: integer({ minimum: 100, maximum: MINUTE_MS }, 15_000, 'For one attempt in all, in ms.'),
  }),
})

const Content = section('Images and documents that clients send.', {
  fetch: section('Fetches those given by URL, for providers that take only bytes.', {
    enabled: Type.Boolean({ default: false, description: 'Fetch them; else such a request is refused.' }),
    maxBytes: integer({ minimum: 1024, maximum: 64 * MIB }, 5 * MIB, 'Largest one that is taken, in bytes.'),
    maxCount: integer({ minimum: 1, maximum: 100 }, 8, 'Most of one request; the newest come first.'),
    timeoutMs: integer({ minimum: 100, maximum: MINUTE_MS }, 5000, 'For each of them in all, in ms.'),
    allowInsecure: Type.Boolean({ default: false, description: 'Fetch http:// as well as https:// addresses.' }),
    allowPrivateNetworks: Type.Boolean({
      default: false,
      description: 'Fetch from addresses of this machine and of private networks.',
    }),
  }),
})

/** The whole file. */
export const ConfigFile = section('Sluice configuration.', {
  server: Server,
  offload: Offload,
  keys: Type.Array(Key, { default: [], description: 'Gateway keys; none means loopback only.' }),
  limits: GatewayLimits,
  routing: Routing,
  providers: Type.Record(Type.String({ pattern: NAME_PATTERN }), ProviderEntry, {
    default: {},
    description: 'Upstreams by name.',
  }),
  models: Type.Record(Type.String({ pattern: MODEL_NAME_PATTERN }), Model, {
    default: {},
    description: 'Model names of our own.',
  }),
  jobs: Jobs,
  redis: section('State that several nodes share: limits, and jobs with jobs.store redis.', {
    url: nullable(
      Type.String({ pattern: '^rediss?://', expects: 'a redis:// or rediss:// address' }),
      'redis:// or rediss:// address; null for none.',
    ),
  }),
  content: Content,
  prompts: section('The prompt library.', {
    dir: text(DEFAULT_PROMPTS_DIR, 'Directory with *.prompt files, in one folder for each language.'),
    defaultLanguage: Type.String({
      default: 'en',
      pattern: '^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})?$',
      description: 'Language used where another has no prompt.',
    }),
  }),
  metrics: section('Prometheus metrics.', {
    port: nullable(Type.Integer({ minimum: 0, maximum: MAX_PORT }), 'Port of a listener of its own, on loopback.'),
    token: nullable(
      Type.String({ minLength: 1 }),
      'The only bearer token that opens /metrics; null: every gateway key opens it.',
    ),
  }),
  log: section('The log.', {
    level: Type.Enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'], {
      default: 'info',
      description: 'Least level that is written.',
    }),
    file: nullable(Type.String({ minLength: 1 }), 'File to write to; null for standard output.'),
    format: Type.Enum(['json', 'pretty'], { default: 'json', description: 'One JSON object a line, or for people.' }),
  }),
  compat: section('Habits of the systems Sluice replaces.', {
    asyncByDefault: Type.Boolean({
      default: false,
      description: 'Answer chats that do not stream with 202 and a job.',
    }),
    healthStatus: Type.String({ default: 'ok', minLength: 1, description: 'Value of status in GET /health.' }),
    apiPrefix: Type.String({
      default: '/api',
      maxLength: 256,
      pattern: PATH_PATTERN,
      description: 'Path before the routes of the conversation API; not /v1.',
    }),
    defaultModel: nullable(
      Type.String({ minLength: 1, maxLength: 256 }),
      'Model of requests that may leave it out; null for the first one listed.',
    ),
    errorDetails: Type.Boolean({ default: false, description: 'Error answers carry details of what failed.' }),
    modelsConfig: nullable(Type.String({ minLength: 1 }), 'File models-config.json with models and their defaults.'),
  }),
})

/** A checked file, defaults filled in. */
export type ConfigFile = Static<typeof ConfigFile>
export type KeyEntry = ConfigFile['keys'][number]
export type ProviderEntry = Static<typeof ProviderEntry>
export type ModelEntry = ConfigFile['models'][string]
