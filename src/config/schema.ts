// The one declaration of the configuration file: every option with its unit, default, bounds and meaning, and from it the
// type of a checked file. Anything in the file that is not declared here is rejected. Validation itself is in validate.ts.
import { type Static, type TSchema, Type } from 'typebox'
import { ENDPOINT_IDS } from '../model/endpoint.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB
/** The largest budget that the counting cells can hold. */
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

/** The folder of the prompts that come with Sluice; a folder of that name in the working directory takes precedence. */
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

/** Credentials, host and port; the parser checks the rest. */
const PROXY_PATTERN = '^(?:none|https?://\\S+)$'

/** The form of Standard Webhooks with at least 16 bytes, or any other text of at least 16 characters. */
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

const Server = section('The listener and the bounds of one connection.', {
  host: text('127.0.0.1', 'Address to listen on; any other than loopback requires gateway keys.'),
  port: integer({ minimum: 0, maximum: MAX_PORT }, 3000, 'Port to listen on; 0 picks a free one.'),
  threads: integer(
    { minimum: 1, maximum: MAX_THREADS },
    1,
    'Number of event loops; each is a thread, and all listen on the same port.',
  ),
  maxBodyBytes: integer(
    { minimum: KIB, maximum: GIB },
    20 * MIB,
    'Largest request body, in bytes; a larger one gets 413.',
  ),
  maxReceivingBytes: integer(
    { minimum: MIB, maximum: MAX_BUDGET_BYTES },
    256 * MIB,
    'Memory for requests that are still arriving, in bytes, over the whole process; a request that exceeds it gets 503.',
  ),
  maxReceivingBytesPerKey: integer(
    { minimum: KIB, maximum: MAX_BUDGET_BYTES },
    64 * MIB,
    'The same for one gateway key, which may also hold no more than it leaves free for the others; a request that exceeds it gets 429.',
  ),
  maxMessageBytes: integer(
    { minimum: KIB, maximum: GIB },
    256 * KIB,
    'Largest message on /v1/ws, in bytes; each open socket reserves this much of the memory for arriving requests. /v1/ws/large accepts up to maxBodyBytes.',
  ),
  maxResponseBytes: integer(
    { minimum: KIB, maximum: GIB },
    32 * MIB,
    'Largest answer accepted from a provider that does not stream, in bytes.',
  ),
  maxReaderLagBytes: integer(
    { minimum: 16 * KIB, maximum: GIB },
    MIB,
    'How far the reader of a stream may lag behind before it is cut, in bytes.',
  ),
  readerStallMs: integer(
    { minimum: 100, maximum: MAX_IDLE_MS },
    30_000,
    'How long a reader may take nothing before it is cut, in ms.',
  ),
  keepaliveMs: integer(
    { minimum: 100, maximum: 300_000 },
    15_000,
    'Silence after which a keepalive is sent on a stream, in ms.',
  ),
  // Below the default grace period of Kubernetes, 30 s, so that the last frames are sent before its SIGKILL.
  drainMs: integer(
    { minimum: 0, maximum: HOUR_MS },
    25_000,
    'How long open streams may continue after SIGTERM, in ms.',
  ),
  // How long it takes until all load balancers, or a Kubernetes service, stop sending requests to a node.
  drainGraceMs: integer(
    { minimum: 0, maximum: HOUR_MS },
    2000,
    'First part of drainMs, during which new requests are still served, in ms.',
  ),
  maxChatsPerSocket: integer(
    { minimum: 1, maximum: 10_000 },
    128,
    'Maximum number of concurrent chats on one WebSocket.',
  ),
  maintenance: Type.Union([Type.Boolean(), Type.String({ minLength: 1, maxLength: 500 })], {
    default: false,
    description: 'Reject new requests with 503 while open ones finish; a string is the reason that clients see.',
  }),
  endRequestsOfRemovedKeys: Type.Boolean({
    default: false,
    description: 'When a reload removes a gateway key, end its open requests as well as rejecting new ones.',
  }),
  tls: nullable(
    section('Certificate of the listener.', {
      certFile: Type.String({ minLength: 1, description: 'PEM file with the certificate chain.' }),
      keyFile: Type.String({ minLength: 1, description: 'PEM file with the private key.' }),
      passphrase: nullable(Type.String({ minLength: 1 }), 'Passphrase of the private key.'),
    }),
    'TLS on the listener; null for plain HTTP.',
  ),
  trustedProxies: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
    default: [],
    description:
      'Addresses or networks (CIDR) of the proxies in front of Sluice whose X-Forwarded-For or Forwarded header is trusted.',
  }),
  cors: section('Cross-origin requests from browsers.', {
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
    'Bodies of at least this size that have to be read in full go to the pool, in bytes; 0 sends all bodies. Large requests that have to be translated, and those that arrive when many do, go there from 64 KiB on; requests that pass to their own API need not be read in full. bench/README.md has the measurements.',
  ),
  workers: Type.Union([Type.Literal('auto'), Type.Integer({ minimum: 1, maximum: MAX_THREADS })], {
    default: 'auto',
    description: 'Worker threads; auto is one fewer than the number of cores, at least 1.',
  }),
  maxQueue: integer(
    { minimum: 1, maximum: 1_000_000 },
    1024,
    'Maximum number of tasks that wait for a worker; a request that exceeds it gets 503.',
  ),
  taskTimeoutMs: integer({ minimum: 100, maximum: 10 * MINUTE_MS }, 10_000, 'Longest run time of one task, in ms.'),
})

const LimitFields = {
  requestsPerMinute: perMinute('Requests per minute; null for no limit.'),
  tokensPerMinute: perMinute('Input and output tokens per minute; null for no limit.'),
}

function concurrency(fallback: number | null, description: string) {
  return Type.Union([Type.Integer({ minimum: 1, maximum: MAX_CONCURRENCY }), Type.Null()], {
    default: fallback,
    description,
  })
}

const Key = section('One gateway key.', {
  name: Type.String({
    pattern: NAME_PATTERN,
    description: 'Name of the key in the log and in metrics; not the key itself.',
  }),
  key: Type.Optional(
    Type.String({ minLength: 1, maxLength: 4096, description: 'The key itself; alternatively keySha256.' }),
  ),
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
    description: 'Models that this key may use; * is a wildcard.',
  }),
  limits: section('Limits of this key.', {
    ...LimitFields,
    requestWindowSeconds: integer(
      { minimum: 1, maximum: DAY_MS / 1000 },
      60,
      'Window of requestsPerMinute when it is not one minute, in seconds.',
    ),
    concurrency: concurrency(null, 'Maximum number of concurrent requests; null for no limit.'),
  }),
})

const GatewayLimits = section('Limits of the whole gateway.', {
  ...LimitFields,
  concurrency: concurrency(1000, 'Maximum number of concurrent requests; null for no limit.'),
  failedKeysPerMinute: Type.Union([Type.Integer({ minimum: 1, maximum: MAX_CONCURRENCY }), Type.Null()], {
    default: 60,
    description: 'Requests with an unknown key per minute before their public address is refused; null for no limit.',
  }),
  queue: section('The queue of requests that wait for a free slot.', {
    max: integer(
      { minimum: 0, maximum: 100_000 },
      100,
      'Maximum number of waiting requests on each event loop; 0 rejects immediately.',
    ),
    timeoutMs: integer({ minimum: 0, maximum: 10 * MINUTE_MS }, 10_000, 'Longest time in the queue, in ms.'),
  }),
  shed: section('Load shedding: rejects new requests early when an event loop cannot keep up.', {
    lagMs: Type.Union([Type.Integer({ minimum: 5, maximum: 10_000 }), Type.Null()], {
      default: 25,
      description:
        'Target length of a turn of an overloaded event loop, in ms. A loop whose turns take eight times as long is overloaded: it admits what fits and rejects the rest with 503. null sheds nothing.',
    }),
  }),
  onRedisDown: Type.Enum(['local', 'closed'], {
    default: 'local',
    description: 'While Redis is unavailable: local limits each node by itself, closed rejects every request.',
  }),
})

const Routing = section('What Sluice does when providers fail.', {
  retries: section('Further tries at the same targets, only before the first content.', {
    max: integer({ minimum: 0, maximum: 10 }, 2, 'Further rounds over the targets of a model; 0 for none.'),
    baseDelayMs: integer(
      { minimum: 1, maximum: MINUTE_MS },
      200,
      'Longest pause before the first further round, in ms; it doubles with each round.',
    ),
    maxDelayMs: integer(
      { minimum: 1, maximum: 10 * MINUTE_MS },
      5000,
      "Upper bound of that pause, in ms; a provider's Retry-After comes on top.",
    ),
    maxWaitMs: integer(
      { minimum: 0, maximum: HOUR_MS },
      10_000,
      'Total of all pauses of a request, including those that a provider asks for, in ms.',
    ),
    budget: Type.Number({
      default: 0.2,
      minimum: 0,
      maximum: 1,
      description: 'Further rounds as a fraction of all requests.',
    }),
  }),
  breaker: section('The circuit breaker: takes a target out while it keeps failing.', {
    enabled: Type.Boolean({ default: true, description: 'Whether failing targets are taken out.' }),
    consecutiveFailures: integer({ minimum: 1, maximum: 10_000 }, 5, 'Consecutive failures that open the breaker.'),
    errorRate: Type.Number({
      default: 0.5,
      minimum: 0.01,
      maximum: 1,
      description: 'Fraction of failed attempts in the window that opens the breaker.',
    }),
    minRequests: integer(
      { minimum: 1, maximum: 1_000_000 },
      20,
      'Attempts in the window below which errorRate is ignored.',
    ),
    windowMs: integer({ minimum: 1000, maximum: HOUR_MS }, 30_000, 'Length of the window, in ms.'),
    openMs: integer(
      { minimum: 100, maximum: HOUR_MS },
      10_000,
      'How long the breaker stays open before it admits a probe, in ms.',
    ),
    probes: integer({ minimum: 1, maximum: 1000 }, 1, 'Maximum number of concurrent probes of one target.'),
  }),
})

/** Any part of the quirks; profiles use it as well. */
/** What a provider may offer besides chats. */
export const EndpointName = Type.Enum([...ENDPOINT_IDS])

export const QuirkOverrides = section('Where this server differs from its profile.', {
  maxTokensField: Type.Optional(
    Type.Enum(['max_tokens', 'max_completion_tokens'], { description: 'Name of the field that caps the output.' }),
  ),
  streamOptions: Type.Optional(Type.Boolean({ description: 'Whether it accepts stream_options.include_usage.' })),
  developerRole: Type.Optional(Type.Boolean({ description: 'Whether it accepts the role developer.' })),
  imageUrls: Type.Optional(Type.Boolean({ description: 'Whether it accepts images and documents by URL.' })),
  documents: Type.Optional(Type.Boolean({ description: 'Whether it accepts PDF documents.' })),
  jsonSchema: Type.Optional(
    Type.Enum(['json-schema', 'tool', 'json-object', 'none'], {
      description: 'How output by a JSON schema is requested.',
    }),
  ),
  reasoningRequest: Type.Optional(
    Type.Enum(['reasoning_effort', 'reasoning', 'none'], { description: 'Request field that enables reasoning.' }),
  ),
  reasoningField: Type.Optional(
    Type.Enum(['reasoning_content', 'reasoning'], { description: 'Response field that holds the reasoning text.' }),
  ),
  refusedFields: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      description: 'Request fields that this server rejects; they are left out.',
    }),
  ),
  doneMarker: Type.Optional(Type.Boolean({ description: 'Whether its streams end with an end marker.' })),
  maxTemperature: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 10,
      description: 'Highest temperature it accepts; higher ones are lowered to it.',
    }),
  ),
  defaultMaxTokens: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      description: 'Output cap to send where the API requires one and the request has none, in tokens.',
    }),
  ),
  deploymentApiVersion: Type.Optional(
    nullable(Type.String({ minLength: 1 }), 'Date for the api-version query parameter; null for none.'),
  ),
  // Without a default, which would replace what the profile says.
  rawPredictVersion: Type.Optional(
    Type.Union([Type.String({ minLength: 1 }), Type.Null()], {
      description: 'Version for the body of a server that has the model in the path, as :rawPredict; null for others.',
    }),
  ),
})

function credential(description: string) {
  return Type.Optional(Type.String({ minLength: 1, maxLength: 16_384, description }))
}

function addressPart(pattern: string, description: string) {
  return Type.Optional(Type.String({ pattern, description }))
}

const ExtraBody = Type.Record(Type.String({ pattern: '^.+$' }), Type.Unknown(), {
  default: {},
  description: 'Default fields for the request bodies sent there; a field of the request itself wins.',
})

/** One entry of `providers`. */
export const ProviderEntry = section('One provider.', {
  profile: Type.Optional(
    Type.String({ description: 'Vendor profile; by default the one with the name of this entry.' }),
  ),
  protocol: Type.Optional(Type.String({ description: 'API of a server without a profile.' })),
  baseUrl: Type.Optional(Type.String({ description: 'Base URL, with or without the version segment.' })),
  versionSegment: Type.Optional(
    Type.String({ pattern: '^(/[A-Za-z0-9._~-]+)*$', description: 'Version segment of the path; "" for none.' }),
  ),
  address: section('What the base URL of its profile leaves open.', {
    resource: addressPart('^[A-Za-z0-9][A-Za-z0-9-]{0,62}$', 'Name of the resource, which begins the host.'),
    region: addressPart('^[a-z]{2,}(?:-[a-z0-9]+)+$', 'Region, such as eu-central-1.'),
    project: addressPart('^[a-z0-9][a-z0-9.:-]{0,127}$', 'Id or number of the project.'),
    location: addressPart('^[a-z][a-z0-9-]{0,62}$', 'Location, such as europe-west1, eu or global.'),
    account: addressPart('^[A-Za-z0-9]{1,64}$', 'Id of the account.'),
  }),
  apiKey: Type.Optional(Type.String({ maxLength: 16_384, description: 'API key of the provider.' })),
  credentials: nullable(
    section('Credentials that expire, in place of an apiKey.', {
      kind: Type.Enum(['aws', 'gcp', 'entra'], {
        description:
          'aws signs each request; gcp and entra send bearer tokens. Each finds what is not set here by itself.',
      }),
      accessKeyId: credential('Access key of aws; the variables of the vendor set it, too.'),
      secretAccessKey: credential('Secret of the access key.'),
      sessionToken: credential('Session token of a temporary access key.'),
      roleArn: credential('Role that aws assumes by web identity.'),
      tokenFile: credential('File with the token for that role, which the platform renews.'),
      service: credential('Name of the service in signatures, where it is not that of the profile.'),
      file: credential('File with the service account of gcp, as JSON.'),
      json: credential('The service account itself, as JSON.'),
      tenant: credential('Tenant of entra.'),
      clientId: credential('Id of the application, or of the managed identity.'),
      clientSecret: credential('Secret of the application; without one the identity of the machine counts.'),
      scope: credential('Scope of the tokens.'),
      tokenUrl: credential('Address of the token endpoint.'),
      metadataUrl: credential('Address of the metadata server.'),
    }),
    'Credentials of a cloud; null for an apiKey.',
  ),
  headers: Type.Record(
    Type.String({ pattern: HEADER_NAME_PATTERN }),
    Type.String({ pattern: HEADER_VALUE_PATTERN, maxLength: 8192 }),
    { default: {}, description: 'Headers added to every request, with lower-case names.' },
  ),
  limits: section('Limits of this provider.', {
    concurrency: concurrency(null, 'Maximum number of concurrent requests; null for no limit.'),
  }),
  timeouts: section('Timeouts of one attempt.', {
    connectMs: integer({ minimum: 10, maximum: MAX_WAIT_MS }, 5000, 'Time to connect, in ms.'),
    firstTokenMs: integer({ minimum: 10, maximum: MAX_WAIT_MS }, 60_000, 'Time to the first token, in ms.'),
    betweenTokensMs: integer({ minimum: 10, maximum: MAX_WAIT_MS }, 60_000, 'Time between two tokens, in ms.'),
    totalMs: integer({ minimum: 10, maximum: MAX_WAIT_MS }, 600_000, 'Time for the whole answer, in ms.'),
    wholeMs: nullable(
      Type.Integer({ minimum: 10, maximum: MAX_WAIT_MS }),
      'Time for an answer that does not stream, in ms; null for totalMs.',
    ),
  }),
  models: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
      description: 'Models that it serves, for the list of models.',
    }),
  ),
  endpoints: Type.Optional(
    Type.Array(EndpointName, {
      uniqueItems: true,
      description:
        'What it offers besides chats; without it, what its profile names, else everything that its protocol has.',
    }),
  ),
  extraBody: ExtraBody,
  quirks: QuirkOverrides,
  maxConnections: concurrency(null, 'Maximum number of connections per event loop; null for no limit.'),
  maxIdleConnections: nullable(
    Type.Integer({ minimum: 0, maximum: MAX_CONCURRENCY }),
    'Maximum number of idle connections kept per event loop; null for no limit.',
  ),
  keepAliveMs: integer(
    { minimum: 1000, maximum: 10 * MINUTE_MS },
    60_000,
    'How long an idle connection is kept, in ms.',
  ),
  proxy: Type.Optional(
    Type.String({
      maxLength: 2048,
      pattern: PROXY_PATTERN,
      description:
        'Proxy, as http://user:password@host:port, or none to connect directly. By default HTTPS_PROXY, HTTP_PROXY and NO_PROXY decide.',
    }),
  ),
  tls: section('TLS to this provider.', {
    caFile: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'PEM file with the certificate authorities to trust, replacing the default ones.',
      }),
    ),
    certFile: Type.Optional(Type.String({ minLength: 1, description: 'PEM file with the client certificate.' })),
    keyFile: Type.Optional(
      Type.String({ minLength: 1, description: 'PEM file with the private key of the client certificate.' }),
    ),
    serverName: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9]([A-Za-z0-9._-]{0,252})$',
        description: 'Server name for SNI and certificate verification, where it differs from the host in baseUrl.',
      }),
    ),
  }),
  isolation: Type.Enum(['none', 'key', 'request'], {
    default: 'none',
    description:
      'Which requests may share a connection: none for all of them, key for those of one gateway key, request for no two.',
  }),
})

function optionalMs(description: string) {
  return Type.Optional(Type.Integer({ minimum: 10, maximum: MAX_WAIT_MS, description }))
}

const Target = Type.Union(
  [
    Type.String({ minLength: 3, description: 'provider/model' }),
    section('One provider that serves the model.', {
      provider: Type.String({ minLength: 1, description: 'Name of a provider.' }),
      model: Type.String({ minLength: 1, maxLength: 256, description: 'Name of the model at the provider.' }),
      weight: Type.Number({
        default: 1,
        minimum: 0,
        maximum: 1000,
        description: 'Weight of this target when traffic is split; 0 for use only when others fail.',
      }),
      concurrency: concurrency(null, 'Maximum number of concurrent requests to this target; null for no limit.'),
      extraBody: ExtraBody,
      thinking: nullable(Type.Boolean(), 'Whether its model accepts thinking parameters; null to judge by its name.'),
      contextTokens: nullable(
        Type.Integer({ minimum: 1, maximum: 10_000_000 }),
        'Size of the context of its model: an answer that reports more input is charged by estimate; null if unknown.',
      ),
    }),
  ],
  { description: 'A target: provider/model, or an object.' },
)

const Model = Type.Union(
  [
    Type.String({ minLength: 3, description: 'provider/model' }),
    section('One model name that clients may use.', {
      targets: Type.Array(Target, { minItems: 1, description: 'Targets that serve the model.' }),
      fallbacks: Type.Array(Type.String({ minLength: 1 }), {
        default: [],
        description: 'Configured models to try when all targets fail.',
      }),
      contextFallbacks: Type.Array(Type.String({ minLength: 1 }), {
        default: [],
        description: 'Configured models to try when the request is too long for a target.',
      }),
      timeouts: section('Timeouts of this model; they replace those of its providers.', {
        firstTokenMs: optionalMs('Time to the first token, in ms.'),
        betweenTokensMs: optionalMs('Time between two tokens, in ms.'),
        totalMs: optionalMs('Time for the whole answer, in ms.'),
      }),
      hedge: nullable(
        section('Starts a second request when the first token of a stream is late.', {
          afterMs: optionalMs(
            'Delay of the first token that counts as late, in ms; with percentile, only until enough streams were seen.',
          ),
          percentile: Type.Optional(
            Type.Number({
              minimum: 50,
              maximum: 100,
              description: "Percentile of the model's recent times to the first token, above which one is late.",
            }),
          ),
          maxExtra: Type.Number({
            default: 0.05,
            minimum: 0,
            maximum: 1,
            description: 'Second requests as a fraction of all streams of the model.',
          }),
        }),
        'A second request for streams that begin late; null for none.',
      ),
      affinity: Type.Enum(['none', 'prefix'], {
        default: 'none',
        description:
          'prefix sends requests of one key that begin alike to the same target, where its prompt cache is warm.',
      }),
      coalesce: Type.Boolean({
        default: false,
        description:
          'Whether a streaming request joins a stream of this process that already runs for the same request of the same key.',
      }),
      cache: nullable(
        section('Complete answers that are kept in memory for equal requests.', {
          ttlMs: integer({ minimum: 1000, maximum: DAY_MS }, MINUTE_MS, 'How long an answer is kept, in ms.'),
          scope: Type.Enum(['key', 'gateway'], {
            default: 'key',
            description:
              'Whose requests an answer serves: key for those of the same key, gateway for those of all keys, which shows each of them by header and timing what others have asked.',
          }),
        }),
        'An exact cache of complete answers; null for none.',
      ),
    }),
  ],
  { description: 'A model: provider/model, or an object.' },
)

/** Shorter secrets can be guessed; an empty one lets anyone forge a call (new-api CVE-2026-41432). */
function webhookSecret(description: string) {
  const expects = 'a secret of 16 characters or more, or whsec_ with 16 bytes or more in base64'
  return nullable(Type.String({ pattern: WEBHOOK_SECRET_PATTERN, expects }), description)
}

const Jobs = section('Asynchronous jobs.', {
  store: Type.Enum(['sqlite', 'redis'], { default: 'sqlite', description: 'Where jobs are stored.' }),
  path: text('./data/jobs.db', 'Database file of the sqlite store; created with the first job.'),
  concurrency: integer({ minimum: 1, maximum: 10_000 }, 2, 'Maximum number of jobs that this process runs at once.'),
  retentionMs: integer({ minimum: 1000, maximum: 365 * DAY_MS }, HOUR_MS, 'How long a finished job is kept, in ms.'),
  attempts: integer({ minimum: 1, maximum: 100 }, 3, 'Attempts after which a job fails.'),
  timeoutMs: integer(
    { minimum: 100, maximum: DAY_MS },
    10 * MINUTE_MS,
    'Longest running time of a job, over all of its attempts, in ms.',
  ),
  leaseMs: integer(
    { minimum: 1000, maximum: HOUR_MS },
    30_000,
    'How long a running job stays with a gateway that has stopped renewing its lease before another may run it, in ms.',
  ),
  maxPendingPerKey: integer(
    { minimum: 1, maximum: 10_000_000 },
    10_000,
    'Maximum number of waiting jobs of one gateway key; further ones get 429.',
  ),
  maxPending: integer(
    { minimum: 1, maximum: 10_000_000 },
    100_000,
    'Maximum number of waiting jobs; further ones get 503.',
  ),
  maxStoredBytesPerKey: integer(
    { minimum: KIB, maximum: MAX_BUDGET_BYTES },
    256 * MIB,
    'Storage for the jobs of one gateway key and its answers kept by Idempotency-Key, in bytes; a job that exceeds it gets 429.',
  ),
  maxStoredBytes: integer(
    { minimum: KIB, maximum: MAX_BUDGET_BYTES },
    GIB,
    'The same for all keys together; a job that exceeds it gets 507.',
  ),
  maxAnswerBytes: integer(
    { minimum: 0, maximum: GIB },
    MIB,
    'Largest answer kept by Idempotency-Key, in bytes; a larger one is not kept, and a repeated request runs again.',
  ),
  webhook: section('Webhooks, called when a job ends.', {
    secret: webhookSecret(
      'Secret that signs webhooks: at least 16 characters, or whsec_ and base64; null for unsigned webhooks.',
    ),
    previousSecret: webhookSecret('Previous secret, which also signs webhooks while receivers switch to the new one.'),
    allowInsecure: Type.Boolean({ default: false, description: 'Allow http:// as well as https:// URLs.' }),
    allowPrivateNetworks: Type.Boolean({
      default: false,
      description: 'Allow addresses of this machine and of private networks.',
    }),
    timeoutMs: integer({ minimum: 100, maximum: MINUTE_MS }, 15_000, 'Total time of one attempt, in ms.'),
  }),
})

const Streams = section('Streams that outlive the connection of their client.', {
  resume: Type.Enum(['never', 'ask', 'always'], {
    default: 'ask',
    description:
      'Which streams are kept so that a client may come back to them: none, those whose request has x-sluice-resume: 1, or all.',
  }),
  graceMs: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: HOUR_MS,
      description:
        'How long a kept stream goes on without a reader before its provider is cut off, in ms; by default 30000, and 5000 where resume is always.',
    }),
  ),
  keepMs: integer(
    { minimum: 0, maximum: DAY_MS },
    5 * MINUTE_MS,
    'How long a kept stream is held after its end, in ms.',
  ),
  drainMs: integer(
    { minimum: 0, maximum: DAY_MS },
    10 * MINUTE_MS,
    'How long a draining gateway goes on with kept streams whose readers have moved to another node, in ms; only where store is redis.',
  ),
  maxStreamBytes: integer(
    { minimum: 64 * KIB, maximum: GIB },
    4 * MIB,
    'Memory of one kept stream, in bytes, but at least server.maxReaderLagBytes; a longer one loses its beginning.',
  ),
  maxBytes: integer(
    { minimum: MIB, maximum: MAX_BUDGET_BYTES },
    256 * MIB,
    'Memory of all kept streams, in bytes, over the whole process; ended ones make room first, and without any a new stream is not kept.',
  ),
  maxBytesPerKey: integer(
    { minimum: KIB, maximum: MAX_BUDGET_BYTES },
    64 * MIB,
    'The same for one gateway key, which may also hold no more than it leaves free for the others.',
  ),
  maxCacheBytes: integer(
    { minimum: MIB, maximum: MAX_BUDGET_BYTES },
    64 * MIB,
    'Memory of cached answers (models.*.cache), in bytes, over the whole process; those used longest ago make room. Not used where cacheStore is redis.',
  ),
  cacheStore: Type.Enum(['memory', 'redis'], {
    default: 'memory',
    description:
      'Where answers are cached (models.*.cache): in the memory of each event loop, or in Redis, where all nodes find them.',
  }),
  store: Type.Enum(['memory', 'redis'], {
    default: 'memory',
    description: 'Where kept streams are held: in this process, or in Redis, from which any node serves them.',
  }),
  tokenSecret: nullable(
    Type.String({ minLength: 16, expects: 'a secret of 16 characters or more' }),
    'Secret that signs links to streams, at least 16 characters, the same on all nodes; null for a random one at each start.',
  ),
})

const Responses = section('Answers of the Responses API that clients may continue and retrieve by their ids.', {
  store: Type.Enum(['memory', 'off'], {
    default: 'memory',
    description:
      'Where answers are stored: in the memory of this process, or nowhere, so that every request has to bring its whole conversation.',
  }),
  retentionMs: integer({ minimum: 1000, maximum: 400 * DAY_MS }, DAY_MS, 'How long an answer is stored, in ms.'),
  maxBytes: integer(
    { minimum: MIB, maximum: MAX_BUDGET_BYTES },
    256 * MIB,
    'Size of all stored answers with their input, in bytes; the oldest make room.',
  ),
  maxBytesPerKey: integer(
    { minimum: KIB, maximum: MAX_BUDGET_BYTES },
    64 * MIB,
    'The same for one gateway key; an answer that alone is larger is not stored, as if the store were unavailable.',
  ),
  background: section('Answers that run without their client (background), on each event loop.', {
    concurrency: integer({ minimum: 1, maximum: MAX_CONCURRENCY }, 16, 'Maximum number that run at once.'),
    maxPending: integer(
      { minimum: 1, maximum: 1_000_000 },
      1000,
      'Maximum number that run or wait; a request that exceeds it gets 503.',
    ),
    maxPendingPerKey: integer(
      { minimum: 1, maximum: 1_000_000 },
      100,
      'The same for one gateway key; a request that exceeds it gets 429.',
    ),
  }),
  onStoreDown: Type.Enum(['fail', 'forward'], {
    default: 'fail',
    description:
      'What becomes of a complete answer that cannot be stored within a second: it ends with an error, or it is sent, with a line in the log, and cannot be continued.',
  }),
  webSocket: Type.Boolean({
    default: true,
    description:
      'WebSocket mode on /v1/responses. False: an upgrade there is answered with 426, and clients send POST.',
  }),
})

const Content = section('Images and documents in requests.', {
  fetch: section('Fetching of images and documents given by URL, for providers that accept only bytes.', {
    enabled: Type.Boolean({
      default: false,
      description: 'Whether they are fetched; otherwise they are content that the provider cannot take.',
    }),
    maxBytes: integer({ minimum: 1024, maximum: 64 * MIB }, 5 * MIB, 'Largest image or document, in bytes.'),
    maxCount: integer({ minimum: 1, maximum: 100 }, 8, 'Maximum number per request; the newest are fetched first.'),
    timeoutMs: integer({ minimum: 100, maximum: MINUTE_MS }, 5000, 'Total time for each, in ms.'),
    // At least room for the connections of `maxCount` fetches.
    maxHeldBytes: integer(
      { minimum: 8 * MIB, maximum: MAX_BUDGET_BYTES },
      256 * MIB,
      'Memory for what is being fetched, or is held in base64 until its answer begins, in bytes, for the whole process; exceeding it is 503.',
    ),
    maxHeldBytesPerKey: integer(
      { minimum: 8 * MIB, maximum: MAX_BUDGET_BYTES },
      64 * MIB,
      'The same for one gateway key, which may also hold no more than it leaves free for the others; exceeding it is 429.',
    ),
    allowInsecure: Type.Boolean({ default: false, description: 'Allow http:// as well as https:// URLs.' }),
    allowPrivateNetworks: Type.Boolean({
      default: false,
      description: 'Allow addresses of this machine and of private networks.',
    }),
  }),
})

/** The whole file. */
export const ConfigFile = section('Sluice configuration.', {
  server: Server,
  offload: Offload,
  keys: Type.Array(Key, { default: [], description: 'Gateway keys; without any, Sluice listens on loopback only.' }),
  limits: GatewayLimits,
  routing: Routing,
  providers: Type.Record(Type.String({ pattern: NAME_PATTERN }), ProviderEntry, {
    default: {},
    description: 'Providers by name.',
  }),
  models: Type.Record(Type.String({ pattern: MODEL_NAME_PATTERN }), Model, {
    default: {},
    description: 'Models by the names that clients use.',
  }),
  jobs: Jobs,
  redis: section(
    'State that several nodes share: limits, jobs where jobs.store is redis, kept streams where streams.store is, and cached answers where streams.cacheStore is.',
    {
      url: nullable(
        Type.String({ pattern: '^rediss?://', expects: 'a redis:// or rediss:// address' }),
        'redis:// or rediss:// URL; null for none.',
      ),
    },
  ),
  streams: Streams,
  responses: Responses,
  content: Content,
  prompts: section('The prompt library.', {
    dir: text(DEFAULT_PROMPTS_DIR, 'Directory with one folder of *.prompt files per language.'),
    defaultLanguage: Type.String({
      default: 'en',
      pattern: '^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})?$',
      description: 'Language to use when a prompt is missing in the requested one.',
    }),
  }),
  metrics: section('Prometheus metrics.', {
    port: nullable(
      Type.Integer({ minimum: 0, maximum: MAX_PORT }),
      'Port of a separate listener for metrics on loopback; null for the main listener.',
    ),
    token: nullable(Type.String({ minLength: 1 }), 'Bearer token required for /metrics; null accepts any gateway key.'),
  }),
  log: section('The log.', {
    level: Type.Enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'], {
      default: 'info',
      description: 'Lowest level that is logged.',
    }),
    file: nullable(Type.String({ minLength: 1 }), 'Log file; null for standard output.'),
    format: Type.Enum(['json', 'pretty'], {
      default: 'json',
      description: 'json for one object per line, pretty for people.',
    }),
  }),
  compat: section('Compatibility with the systems that Sluice replaces.', {
    asyncByDefault: Type.Boolean({
      default: false,
      description: 'Answer requests that do not stream with 202 and run them as jobs.',
    }),
    healthStatus: Type.String({
      default: 'ok',
      minLength: 1,
      description: 'Value of status in the answer of GET /health.',
    }),
    apiPrefix: Type.String({
      default: '/api',
      maxLength: 256,
      pattern: PATH_PATTERN,
      description: 'Path prefix of the conversation API; not /v1.',
    }),
    ollamaPrefix: Type.String({
      default: '/ollama',
      maxLength: 256,
      pattern: PATH_PATTERN,
      description:
        'Path prefix of the API that this is named after, whose paths begin with /api; not /v1. Empty only with another apiPrefix than /api.',
    }),
    defaultModel: nullable(
      Type.String({ minLength: 1, maxLength: 256 }),
      'Model for requests without one, where the API allows that; null for the first one listed.',
    ),
    errorDetails: Type.Boolean({
      default: false,
      description: 'Whether error responses include details of the failure.',
    }),
    modelsConfig: nullable(
      Type.String({ minLength: 1 }),
      'Path of a models-config.json with models and their defaults.',
    ),
  }),
})

/** A checked file, defaults filled in. */
export type ConfigFile = Static<typeof ConfigFile>
export type KeyEntry = ConfigFile['keys'][number]
export type ProviderEntry = Static<typeof ProviderEntry>
export type ModelEntry = ConfigFile['models'][string]
