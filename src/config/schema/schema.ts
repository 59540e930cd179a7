// The one declaration of the configuration file: every option with its unit, default, bounds and meaning, and from it the
// type of a checked file; the larger sections are in the files beside this one. Anything in the file that is not declared
// is rejected. Validation itself is in validate.ts.
import { type Static, Type } from 'typebox'
import { Jobs } from './jobs.js'
import { Accounts, Auth, Budgets, GatewayLimits, Key } from './limits.js'
import { Model } from './model.js'
import {
  flag,
  integer,
  MAX_BUDGET_BYTES,
  MAX_PORT,
  MIB,
  MINUTE_MS,
  NAME_PATTERN,
  nullable,
  ReachFields,
  section,
  text,
} from './parts.js'
import { Prices } from './prices.js'
import { ProviderEntry } from './provider.js'
import { Responses } from './responses.js'
import { Routing } from './routing.js'
import { Admin, Offload, Server } from './server.js'
import { Streams } from './streams.js'

/** The folder of the prompts that come with Sluice; a folder of that name in the working directory takes precedence. */
export const DEFAULT_PROMPTS_DIR = 'resources/prompts'

/** Names of models may look like the upstream's, slashes and colons included. */
const MODEL_NAME_PATTERN = '^[A-Za-z0-9@~][A-Za-z0-9@~._:/+-]{0,255}$'
/** A path of plain segments, with or without its first and last slash. */
const PATH_PATTERN = '^/?(?:[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*/?)?$'

const Content = section('Images and documents in requests.', {
  fetch: section('Fetching of images and documents given by URL, for providers that accept only bytes.', {
    enabled: flag(false, 'Whether they are fetched; otherwise they are content that the provider cannot take.'),
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
    ...ReachFields,
  }),
})

/** The whole file. */
export const ConfigFile = section('Sluice configuration.', {
  server: Server,
  admin: Admin,
  offload: Offload,
  keys: Type.Array(Key, {
    default: [],
    description: 'Gateway keys; without any, and without accounts.store, Sluice listens on loopback only.',
  }),
  accounts: Accounts,
  budgets: Budgets,
  auth: Auth,
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
    'State that several nodes share: limits, budgets where accounts.store is postgres, jobs where jobs.store is redis, kept streams where streams.store is, and cached answers where streams.cacheStore is.',
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
  prices: Prices,
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
  telemetry: section('Traces; OTEL_EXPORTER_OTLP_ENDPOINT turns them on.', {
    propagate: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      description: 'Providers that get traceparent and tracestate with each request, by name; no other does.',
    }),
  }),
  compat: section('Compatibility with the systems that Sluice replaces.', {
    asyncByDefault: flag(false, 'Answer requests that do not stream with 202 and run them as jobs.'),
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
    errorDetails: flag(false, 'Whether error responses include details of the failure.'),
    modelsConfig: nullable(
      Type.String({ minLength: 1 }),
      'Path of a models-config.json with models and their defaults.',
    ),
  }),
})

/** A checked file, defaults filled in. */
export type ConfigFile = Static<typeof ConfigFile>
