// Turns a validated file into the effective configuration: resolves its parts, enforces rules that span sections and collects
// warnings. The last step of loading; pure except for reading certificate files and checking that folders exist.

import { dirname, resolve } from 'node:path'
import { type Catalog } from '../catalog.js'
import { type JobsConfig } from '../job-types.js'
import { type ProviderEntry } from '../schema/provider.js'
import { type ConfigFile, DEFAULT_PROMPTS_DIR } from '../schema/schema.js'
import { type LeftOut } from '../sources/environment.js'
import { type Variables } from '../sources/substitute.js'
import { type AccountsConfig, type ResponsesConfig } from '../store-types.js'
import {
  type CompatConfig,
  type Config,
  type ContentConfig,
  type ModelConfig,
  type ServerConfig,
  type StreamsConfig,
} from '../types.js'
import { type ProblemList } from '../validate/problem.js'
import { isLoopback, parseNetwork } from './addresses.js'
import { resolveAdmin } from './admin.js'
import { isBuiltIn, markBuiltIn } from './built-in.js'
import { needsKeys, resolveIdentityProviders, resolveKeys } from './gateway-keys.js'
import { providersNamedIn, resolveModels } from './models.js'
import { resolvePrices } from './prices.js'
import { resolveProviders, SIMULATOR } from './providers.js'
import { resolveTelemetry } from './telemetry.js'
import { resolveListenerTls } from './tls/listener-tls.js'
import { resolveWellKnown } from './well-known.js'

export type EffectiveContext = {
  readonly catalog: Catalog
  readonly problems: ProblemList
  readonly warnings: string[]
  readonly missingKeys: ReadonlyMap<string, string>
  /** Unusable providers that the environment names; those of the file are added here. */
  readonly leftOut: LeftOut[]
  /** The process's environment over `.env`. */
  readonly variables: Variables
  /** A provider entry with nothing but defaults. */
  readonly providerDefaults: ProviderEntry
  readonly cores: number
  /** Working directory, to which file names are relative. */
  readonly cwd: string
  /** Unix time at which the configuration is read. */
  readonly nowMs: number
  /** Directory of resources/. */
  readonly packageRoot: string
  isReadable(file: string): boolean
  /** Null if there is none. */
  readFile(file: string): string | null
}

/** The effective configuration, not yet frozen. Valid only if no problem was added. */
export function resolveConfig(file: ConfigFile, context: EffectiveContext): Config {
  const { problems, warnings } = context
  const keys = resolveKeys(file.keys, problems, warnings)
  const entries = markBuiltIn(withKeylessProviders(file, context))
  const providers = resolveProviders(entries, { ...context, surroundings: context })
  const usable = new Map(providers.map((provider) => [provider.name, provider]))
  const leftOutTargets: LeftOut[] = []
  const models = resolveModels(file.models, {
    ...context,
    leftOut: leftOutTargets,
    usable,
    named: new Set(Object.keys(entries)),
  })
  if (providers.length === 0) refuseNoneLeft(file, leftOutTargets, context)
  refuseOpenGateway(file, problems)
  refuseSharingOfAll(file, models, problems)
  if (file.server.maintenance !== false) warnings.push('server.maintenance: new requests are rejected')
  return {
    server: resolveServer(file.server, context),
    admin: resolveAdmin(file.admin, keys, { ...context, files: context }),
    offload: { ...file.offload, workers: workersOf(file.offload.workers, context.cores) },
    keys,
    accounts: resolveAccounts(file, context),
    budgets: file.budgets,
    auth: resolveIdentityProviders(file.auth.jwt, {
      ...context,
      hasKeys: needsKeys({ keys, accounts: file.accounts }),
    }),
    limits: file.limits,
    routing: file.routing,
    providers,
    wellKnown: resolveWellKnown({ ...context, entries, usable: new Set(usable.keys()) }),
    models,
    thinkingNames: context.catalog.thinking,
    jobs: resolveJobs(file, context),
    streams: resolveStreams(file, problems),
    responses: resolveResponses(file, context),
    redis: file.redis,
    metrics: file.metrics,
    content: resolveContent(file.content, problems),
    prices: resolvePrices(file, context),
    prompts: { ...file.prompts, dir: resolvePromptsDir(file.prompts.dir, context) },
    compat: resolveCompat(file.compat, problems),
    log: { ...file.log, file: resolveLogFile(file.log.file, context) },
    telemetry: resolveTelemetry(file, { ...context, providers: new Set(Object.keys(entries)) }),
    warnings,
    simulator: providers.length === 0 ? 'stand-in' : providers.some(isBuiltIn) ? 'asked' : null,
  }
}

/**
 * A configuration that names providers expects one of them to answer. If none is usable, the simulator must not replace them: a
 * misspelt variable would put it into production, and every probe would find it healthy.
 */
function refuseNoneLeft(file: ConfigFile, targets: readonly LeftOut[], { leftOut, problems }: EffectiveContext): void {
  if (problems.length > 0) return
  const reasons = (list: readonly LeftOut[]): string => list.map(({ name, reason }) => `${name}: ${reason}`).join('; ')
  if (leftOut.length > 0) {
    problems.add(
      ['providers'],
      `none is usable (${reasons(leftOut)}); set what is missing, or add "${SIMULATOR}: {}" to use the built-in simulator`,
    )
  } else if (Object.keys(file.models).length > 0) {
    problems.add(
      ['models'],
      `none has a usable provider (${reasons(targets)}); set what is missing, or name a model of ${SIMULATOR} to use the built-in simulator`,
    )
  }
}

/** A target may name a keyless vendor without an entry, since there is nothing to configure. */
function withKeylessProviders(file: ConfigFile, context: EffectiveContext): Readonly<Record<string, ProviderEntry>> {
  const entries = { ...file.providers }
  for (const name of providersNamedIn(file.models)) {
    const profile = context.catalog.profiles.find((candidate) => candidate.name === name)
    const hasAddress = name === SIMULATOR || (profile?.baseUrl ?? null) !== null
    const isImplied = profile?.keyless === true && hasAddress && !Object.hasOwn(entries, name)
    if (isImplied) entries[name] = context.providerDefaults
  }
  return entries
}

/** A gateway without keys on a public address would lend the providers' keys to everyone. */
function refuseOpenGateway(file: ConfigFile, problems: ProblemList): void {
  if (needsKeys(file) || isLoopback(file.server.host)) return
  problems.add(
    ['server', 'host'],
    'must be a loopback address unless gateway keys are configured, because anyone could use your provider keys; set keys, accounts.store, API_KEYS, API_KEY or API_TOKEN',
  )
}

/** Without keys nothing tells one caller from another, so the answers of one are never given to another. */
function refuseSharingOfAll(file: ConfigFile, models: readonly ModelConfig[], problems: ProblemList): void {
  if (needsKeys(file)) return
  for (const { name, coalesce = false, cache = null } of models) {
    if (coalesce) problems.add(['models', name, 'coalesce'], NEEDS_KEYS)
    if (cache !== null) problems.add(['models', name, 'cache'], NEEDS_KEYS)
  }
}

const NEEDS_KEYS = 'requires gateway keys: without them answers are not shared'

function resolveServer(server: ConfigFile['server'], context: EffectiveContext): ServerConfig {
  for (const [i, network] of server.trustedProxies.entries()) {
    if (parseNetwork(network) === null) {
      context.problems.add(['server', 'trustedProxies', i], 'must be an IP address or a network such as 10.0.0.0/8')
    }
  }
  refuseTooSmallBudget(server, context.problems)
  return { ...server, tls: resolveListenerTls(['server', 'tls'], server.tls, { ...context, files: context }) }
}

/** A body larger than its budget would be rejected every time with an error that says to retry. */
function refuseTooSmallBudget(server: ConfigFile['server'], problems: ProblemList): void {
  for (const budget of ['maxReceivingBytes', 'maxReceivingBytesPerKey'] as const) {
    const { maxBodyBytes } = server
    if (server[budget] >= maxBodyBytes) continue
    problems.add(['server', budget], `must be at least server.maxBodyBytes (${maxBodyBytes})`)
  }
}

/** Memory is counted in such units. */
const KIB = 1024

/** For the same reason: each budget holds what one request may have fetched, in base64 and in the units that are counted. */
function resolveContent(content: ConfigFile['content'], problems: ProblemList): ContentConfig {
  const { enabled, maxBytes, maxCount } = content.fetch
  const needed = maxCount * Math.ceil((4 * Math.ceil(maxBytes / 3)) / KIB) * KIB
  for (const budget of ['maxHeldBytes', 'maxHeldBytesPerKey'] as const) {
    if (!enabled || content.fetch[budget] >= needed) continue
    problems.add(
      ['content', 'fetch', budget],
      `must be at least ${needed}: what one request may have fetched (maxCount × maxBytes), in base64`,
    )
  }
  return content
}

/** The paths of the client libraries; another API below them would shadow their routes. */
const VERSION_SEGMENT = 'v1'

function resolveCompat(compat: ConfigFile['compat'], problems: ProblemList): CompatConfig {
  const { healthStatus, defaultModel, errorDetails, asyncByDefault } = compat
  const apiPrefix = resolvePrefix(compat, 'apiPrefix', problems)
  const ollamaPrefix = resolvePrefix(compat, 'ollamaPrefix', problems)
  if (apiPrefix === ollamaPrefix + OWN_SEGMENT) {
    const both = `would put two APIs on ${apiPrefix}/chat; set compat.apiPrefix to another path, such as /conversation`
    problems.add(['compat', 'ollamaPrefix'], both)
  }
  return { healthStatus, apiPrefix, ollamaPrefix, defaultModel, errorDetails, asyncByDefault }
}

/** Behind the second prefix: where its API begins. */
const OWN_SEGMENT = '/api'

function resolvePrefix(compat: ConfigFile['compat'], name: PrefixOption, problems: ProblemList): string {
  const segments = compat[name].split('/').filter((segment) => segment !== '')
  if (segments[0] === VERSION_SEGMENT) {
    problems.add(['compat', name], `must not begin with /${VERSION_SEGMENT}, which is reserved for other APIs`)
  }
  return segments.map((segment) => `/${segment}`).join('')
}

type PrefixOption = 'apiPrefix' | 'ollamaPrefix'

/** The default folder is the package's unless the working directory has one; any other missing folder may be created later. */
function resolvePromptsDir(dir: string, { cwd, packageRoot, isReadable, warnings }: EffectiveContext): string {
  const named = resolve(cwd, dir)
  if (isReadable(named)) return named
  if (dir === DEFAULT_PROMPTS_DIR) return resolve(packageRoot, dir)
  warnings.push('prompts.dir: the folder does not exist; no prompts are available until it does')
  return named
}

/** Its folder is created with it, with a warning: a typo in the path would hide the log. */
function resolveLogFile(file: string | null, { cwd, isReadable, warnings }: EffectiveContext): string | null {
  if (file === null) return null
  const path = resolve(cwd, file)
  const folder = dirname(path)
  if (!isReadable(folder)) warnings.push(`log.file: the folder ${folder} does not exist; it is created at startup`)
  return path
}

/** One core stays for the event loop. */
function workersOf(workers: 'auto' | number, cores: number): number {
  return workers === 'auto' ? Math.max(1, cores - 1) : workers
}

function resolveAccounts({ accounts }: ConfigFile, { problems, cwd }: EffectiveContext): AccountsConfig {
  if (accounts.store === 'postgres' && accounts.url === null) {
    problems.add(['accounts', 'url'], 'is required where accounts.store is postgres')
  }
  const path = resolve(cwd, accounts.path)
  const beside = (given: string | null, suffix: string): string =>
    given === null ? path + suffix : resolve(cwd, given)
  const { journal, snapshot } = accounts
  return { ...accounts, path, journal: beside(journal, '.journal'), snapshot: beside(snapshot, '.snapshot') }
}

/** The folder need not exist: it is created with the file. */
function resolveJobs({ jobs, redis }: ConfigFile, { problems, cwd }: EffectiveContext): JobsConfig {
  if (jobs.store === 'redis' && redis.url === null) problems.add(['jobs', 'store'], 'requires redis.url (or REDIS_URL)')
  return { ...jobs, path: resolve(cwd, jobs.path) }
}

function resolveResponses({ responses, redis }: ConfigFile, { problems, cwd }: EffectiveContext): ResponsesConfig {
  if (responses.store === 'redis' && redis.url === null) {
    problems.add(['responses', 'store'], 'requires redis.url (or REDIS_URL)')
  }
  return { ...responses, path: resolve(cwd, responses.path) }
}

/** Where all streams are kept, most of them are of clients that will not come back. */
const GRACE_MS = { never: 0, ask: 30_000, always: 5000 } as const

function resolveStreams({ streams, redis }: ConfigFile, problems: ProblemList): StreamsConfig {
  const { maxStreamBytes } = streams
  for (const budget of ['maxBytes', 'maxBytesPerKey'] as const) {
    if (streams[budget] >= maxStreamBytes) continue
    problems.add(['streams', budget], `must be at least streams.maxStreamBytes (${maxStreamBytes})`)
  }
  for (const store of ['store', 'cacheStore'] as const) {
    if (streams[store] !== 'redis' || redis.url !== null) continue
    problems.add(['streams', store], 'requires redis.url (or REDIS_URL)')
  }
  if (streams.store === 'redis') {
    if (streams.tokenSecret === null) {
      problems.add(
        ['streams', 'tokenSecret'],
        'is required where streams.store is redis: each node has to accept the links that the others have made',
      )
    }
  }
  return { ...streams, graceMs: streams.graceMs ?? GRACE_MS[streams.resume] }
}
