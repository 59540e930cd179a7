// `sluice import litellm`: a configuration of the LiteLLM proxy as one of this gateway, and the list of what it could not carry.
// Secrets that stand in the file are not copied: the result names the variables in which they are expected.
import { parse, stringify } from 'yaml'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { readCatalog, readGiven, readImportNames } from '../read.js'
import { refusal } from '../validate/problem.js'
import { ImportReport } from './import-report.js'
import { type KnownVendors, type LitellmNames, LitellmProviders, plain, providerParams } from './litellm-providers.js'

export type Imported = {
  /** The text of a configuration file. */
  readonly yaml: string
  /** One line for each member that has no counterpart here, or needs attention. */
  readonly notes: readonly string[]
}

const MS_PER_SEC = 1000
const TOKENS_PER_PRICE = 1_000_000
const LINE_WIDTH = 120
/** Members of litellm_params that are defaults of requests. */
const REQUEST_DEFAULTS = ['temperature', 'max_tokens', 'top_p', 'seed', 'stop', 'presence_penalty', 'frequency_penalty']
/** Prices of tokens, by their names in both. */
const TOKEN_PRICES: Readonly<Record<string, string>> = {
  input_cost_per_token: 'input',
  output_cost_per_token: 'output',
  cache_read_input_token_cost: 'cacheRead',
  cache_creation_input_token_cost: 'cacheWrite',
  cache_creation_input_token_cost_above_1hr: 'longCacheWrite',
  output_cost_per_reasoning_token: 'reasoning',
  input_cost_per_audio_token: 'audioInput',
  output_cost_per_audio_token: 'audioOutput',
  input_cost_per_image_token: 'imageInput',
  output_cost_per_image_token: 'imageOutput',
}
const MODEL_PARAMS = [
  ...REQUEST_DEFAULTS,
  ...['weight', 'timeout', 'stream_timeout', 'max_parallel_requests', 'extra_body', 'drop_params'],
  ...Object.keys(TOKEN_PRICES),
]
const MODEL_FACTS: ReadonlySet<string> = new Set([
  ...['id', 'mode', 'base_model', 'max_input_tokens', 'max_tokens', 'max_output_tokens'],
  ...Object.keys(TOKEN_PRICES),
])
const ROUTER: ReadonlySet<string> = new Set([
  ...['routing_strategy', 'model_group_alias', 'num_retries', 'timeout', 'allowed_fails', 'cooldown_time'],
  ...['fallbacks', 'context_window_fallbacks', 'default_fallbacks'],
  ...['redis_url', 'redis_host', 'redis_port', 'redis_password'],
])
const LIBRARY: ReadonlySet<string> = new Set([
  ...['num_retries', 'request_timeout', 'fallbacks', 'context_window_fallbacks', 'default_fallbacks'],
  ...['cache', 'cache_params', 'drop_params', 'set_verbose', 'callbacks', 'success_callback', 'failure_callback'],
  ...['max_budget', 'budget_duration'],
])
const GENERAL: ReadonlySet<string> = new Set([
  ...['master_key', 'database_url', 'max_parallel_requests', 'global_max_parallel_requests'],
])
const SECTIONS: ReadonlySet<string> = new Set([
  ...['model_list', 'litellm_settings', 'router_settings', 'general_settings', 'environment_variables'],
])

/** Reads a file, with the vendors of this version. @throws misconfigured */
export function runImport(file: string): Imported {
  const { profiles, models } = readCatalog()
  return importLitellm(readGiven('import', file), readImportNames('litellm') as LitellmNames, {
    keyVariables: (name) => profiles.find((profile) => profile.name === name)?.keyVariables ?? [],
    // As for a request: well-known names first, then the patterns of the profiles.
    providerOf: (model) => {
      const listed = Object.entries(models).find(([, names]) => names.includes(model))?.[0]
      const matching = profiles.find(({ modelPatterns = [] }) =>
        modelPatterns.some((pattern) => model.startsWith(pattern.replace(/\*$/, ''))),
      )
      return listed ?? matching?.name ?? null
    },
  })
}

/** @throws misconfigured if the text is no configuration of that proxy */
export function importLitellm(text: string, names: LitellmNames, vendors: KnownVendors): Imported {
  const source = readSource(text)
  const report = new ImportReport()
  report.noteRest('file', source, SECTIONS)
  const router = sectionOf(source, 'router_settings')
  const library = sectionOf(source, 'litellm_settings')
  const general = sectionOf(source, 'general_settings')
  report.noteRest('router_settings', router, ROUTER)
  report.noteRest('litellm_settings', library, LIBRARY)
  report.noteRest('general_settings', general, GENERAL)
  const providers = new LitellmProviders(names, vendors, report)
  const known: ReadonlySet<string> = new Set([...providerParams(names), ...MODEL_PARAMS])
  const { models, prices } = readModels(source, { providers, known, report })
  const settings = { ...library, ...router }
  addAliases(models, router, report)
  addFallbacks(models, settings, report)
  addTimeouts(models, settings)
  addCache(models, library, report)
  const config: JsonObject = {
    ...keysOf(general, providers, report),
    ...limitsOf(general),
    ...routingOf(settings, router, report),
    providers: providers.entries,
    models,
    ...redisOf(router, library, providers),
    ...(Object.keys(prices).length === 0 ? {} : { prices: { enabled: true, models: prices } }),
  }
  noteOutside(source, library, report)
  const notes = report.lines
  const head = [
    '# Imported from a configuration of LiteLLM.',
    ...(notes.length === 0 ? [] : ['# What needs attention:', ...notes.map((line) => `# - ${line}`)]),
  ]
  return { yaml: `${head.join('\n')}\n${stringify(config, { lineWidth: LINE_WIDTH })}`, notes }
}

function readSource(text: string): JsonObject {
  let value: unknown
  try {
    value = parse(text)
  } catch (thrown) {
    throw refusal(
      `The file is not YAML: ${thrown instanceof Error ? (thrown.message.split('\n')[0] ?? '') : 'unreadable'}`,
    )
  }
  if (!isJsonObject(value) || !isJsonArray(value.model_list)) {
    throw refusal('The file is no configuration of LiteLLM: it has no model_list.')
  }
  return value
}

type Models = Record<string, JsonObject>

type Reading = {
  readonly providers: LitellmProviders
  /** Members of litellm_params that are carried over. */
  readonly known: ReadonlySet<string>
  readonly report: ImportReport
}

function readModels(source: JsonObject, { providers, known, report }: Reading) {
  const models: Models = {}
  const prices: JsonObject = {}
  for (const [index, deployment] of listOf(source.model_list).entries()) {
    const path = `model_list[${index}]`
    const params = isJsonObject(deployment) ? sectionOf(deployment, 'litellm_params') : {}
    const facts = isJsonObject(deployment) ? sectionOf(deployment, 'model_info') : {}
    const name = isJsonObject(deployment) && typeof deployment.model_name === 'string' ? deployment.model_name : ''
    const place = providers.targetOf(params, `${path}.litellm_params`)
    if (place === null) continue
    report.noteRest(`${path}.litellm_params`, params, known)
    report.noteRest(`${path}.model_info`, facts, MODEL_FACTS)
    const price = priceOf({ ...facts, ...params })
    if (price !== null) prices[`${place.provider}/${place.model}`] = price
    if (place.model.includes('*') || name.includes('*')) {
      report.note(path, `no model of its own: clients reach any model of this provider as ${place.provider}/<model>`)
      continue
    }
    const model = models[name] ?? { targets: [] }
    models[name] = model
    listOf(model.targets).push(targetOf(place, params, facts))
    addTimeoutsOf(model, params)
  }
  return { models, prices }
}

function targetOf(place: { readonly provider: string; readonly model: string }, params: JsonObject, facts: JsonObject) {
  const target: JsonObject = { provider: place.provider, model: plain(place.model) }
  if (typeof params.weight === 'number') target.weight = params.weight
  if (typeof params.max_parallel_requests === 'number') target.concurrency = params.max_parallel_requests
  if (typeof facts.max_input_tokens === 'number') target.contextTokens = facts.max_input_tokens
  if (typeof facts.max_output_tokens === 'number') target.maxOutputTokens = facts.max_output_tokens
  const defaults = Object.entries(params).filter(([name]) => REQUEST_DEFAULTS.includes(name))
  const body = { ...Object.fromEntries(defaults), ...sectionOf(params, 'extra_body') }
  if (Object.keys(body).length > 0) target.extraBody = body
  return target
}

/** Dollars a million tokens; null where the file has none. */
function priceOf(facts: JsonObject): JsonObject | null {
  if (typeof facts.input_cost_per_token !== 'number' || typeof facts.output_cost_per_token !== 'number') return null
  const price: JsonObject = {}
  for (const [theirs, ours] of Object.entries(TOKEN_PRICES)) {
    const cost = facts[theirs]
    if (typeof cost === 'number') price[ours] = aMillion(cost)
  }
  return price
}

/** Without the digits that a product of doubles adds. */
function aMillion(price: number): number {
  return Number((price * TOKENS_PER_PRICE).toPrecision(12))
}

function addTimeoutsOf(model: JsonObject, { timeout, stream_timeout: first }: JsonObject): void {
  const timeouts = sectionOf(model, 'timeouts')
  if (typeof timeout === 'number') timeouts.totalMs = timeout * MS_PER_SEC
  if (typeof first === 'number') timeouts.firstTokenMs = first * MS_PER_SEC
  if (Object.keys(timeouts).length > 0) model.timeouts = timeouts
}

/** For models without one of their own. */
function addTimeouts(models: Models, { timeout, request_timeout: other }: JsonObject): void {
  const seconds = timeout ?? other
  if (typeof seconds !== 'number') return
  for (const model of Object.values(models)) {
    model.timeouts = { totalMs: seconds * MS_PER_SEC, ...sectionOf(model, 'timeouts') }
  }
}

function addAliases(models: Models, { model_group_alias: aliases }: JsonObject, report: ImportReport): void {
  if (!isJsonObject(aliases)) return
  for (const [alias, value] of Object.entries(aliases)) {
    const group = isJsonObject(value) ? String(value.model ?? '') : String(value)
    const model = Object.hasOwn(models, group) ? models[group] : undefined
    if (model === undefined) report.note(`router_settings.model_group_alias.${alias}`, 'names no model of the list')
    else models[alias] = structuredClone(model)
  }
}

const FALLBACKS = [
  ['fallbacks', 'fallbacks'],
  ['context_window_fallbacks', 'contextFallbacks'],
] as const

function addFallbacks(models: Models, settings: JsonObject, report: ImportReport): void {
  for (const [theirs, ours] of FALLBACKS) {
    for (const entry of listOf(settings[theirs])) {
      if (!isJsonObject(entry)) continue
      for (const [name, others] of Object.entries(entry)) {
        const model = Object.hasOwn(models, name) ? models[name] : undefined
        const found = listOf(others).filter((other) => typeof other === 'string' && Object.hasOwn(models, other))
        if (model === undefined || found.length < listOf(others).length) {
          report.note(`${theirs}.${name}`, 'names a model that the list does not have')
        }
        if (model !== undefined && found.length > 0) model[ours] = found
      }
    }
  }
  const all = listOf(settings.default_fallbacks).filter(
    (name) => typeof name === 'string' && Object.hasOwn(models, name),
  )
  if (all.length === 0) return
  for (const [name, model] of Object.entries(models)) {
    if (model.fallbacks === undefined && !all.includes(name)) model.fallbacks = all
  }
}

function addCache(models: Models, { cache, cache_params: params }: JsonObject, report: ImportReport): void {
  if (cache !== true) return
  const ttl = isJsonObject(params) && typeof params.ttl === 'number' ? params.ttl : 60
  for (const model of Object.values(models)) model.cache = { ttlMs: ttl * MS_PER_SEC, scope: 'key' }
  report.note(
    'litellm_settings.cache',
    'answers are shared among the requests of one key; scope: gateway shares them with all',
  )
}

function keysOf(general: JsonObject, providers: LitellmProviders, report: ImportReport): JsonObject {
  const key = providers.reference(general.master_key, 'LITELLM_MASTER_KEY', 'general_settings.master_key')
  if (general.database_url !== undefined) {
    report.note('general_settings.database_url', 'its keys, teams and budgets are not carried over; see accounts')
  }
  if (key === null) return {}
  report.note('general_settings.master_key', 'is a gateway key here; the admin API has a key of its own, ADMIN_KEY')
  return { keys: [{ name: 'master', key }] }
}

function limitsOf(general: JsonObject): JsonObject {
  const concurrency = general.global_max_parallel_requests ?? general.max_parallel_requests
  return typeof concurrency === 'number' ? { limits: { concurrency } } : {}
}

function routingOf(settings: JsonObject, router: JsonObject, report: ImportReport): JsonObject {
  const routing: JsonObject = {}
  if (typeof settings.num_retries === 'number') routing.retries = { max: Math.min(settings.num_retries, 10) }
  const breaker: JsonObject = {}
  // That many failures within a minute are allowed there; the next one takes the deployment out.
  if (typeof router.allowed_fails === 'number') breaker.consecutiveFailures = router.allowed_fails + 1
  if (typeof router.cooldown_time === 'number') breaker.openMs = router.cooldown_time * MS_PER_SEC
  if (Object.keys(breaker).length > 0) routing.breaker = breaker
  const { routing_strategy: strategy } = router
  if (strategy !== undefined && strategy !== 'simple-shuffle') {
    report.note(
      'router_settings.routing_strategy',
      'targets are chosen by weight, and by load where they have the same',
    )
  }
  return Object.keys(routing).length === 0 ? {} : { routing }
}

function redisOf(router: JsonObject, library: JsonObject, providers: LitellmProviders): JsonObject {
  const params = sectionOf(library, 'cache_params')
  const from =
    params.type === 'redis' ? { redis_host: params.host, redis_port: params.port, redis_password: params.password } : {}
  const all: Record<string, JsonValue | undefined> = { ...from, ...router }
  const url = providers.reference(all.redis_url, 'REDIS_URL', 'router_settings.redis_url')
  if (url !== null) return { redis: { url } }
  const host = placeOf(all.redis_host)
  if (host === null) return {}
  const password = providers.reference(all.redis_password, 'REDIS_PASSWORD', 'router_settings.redis_password')
  const port = placeOf(all.redis_port) ?? '6379'
  return { redis: { url: `redis://${password === null ? '' : `:${password}@`}${host}:${port}` } }
}

/** A host or a port, which is no secret. */
function placeOf(value: JsonValue | undefined): string | null {
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'string' || value === '') return null
  return value.startsWith('os.environ/') ? `\${${value.slice('os.environ/'.length)}}` : plain(value)
}

function noteOutside(source: JsonObject, library: JsonObject, report: ImportReport): void {
  for (const name of Object.keys(sectionOf(source, 'environment_variables'))) {
    report.note(`environment_variables.${name}`, 'set it in the environment, or in .env')
  }
  const called = [library.callbacks, library.success_callback, library.failure_callback].flatMap(listOf)
  for (const name of new Set(called.filter((each) => typeof each === 'string'))) {
    const note = CALLBACKS[name]
    report.note(`litellm_settings.callbacks.${name}`, note ?? 'not carried over; see the log, and traces (OTEL_*)')
  }
  if (library.max_budget !== undefined) {
    report.note(
      'litellm_settings.max_budget',
      'create a budget of the gateway by the admin API (docs/concepts/budgets.md)',
    )
  }
  if (library.drop_params !== undefined) {
    report.note(
      'litellm_settings.drop_params',
      'always so: what a provider lacks is left out and named in x-sluice-dropped',
    )
  }
}

const CALLBACKS: Readonly<Record<string, string>> = {
  prometheus: 'built in: GET /metrics',
  otel: 'built in: set OTEL_EXPORTER_OTLP_ENDPOINT',
}

function sectionOf(source: JsonObject, name: string): JsonObject {
  const value = source[name]
  return isJsonObject(value) ? value : {}
}

function listOf(value: JsonValue | undefined): JsonValue[] {
  if (isJsonArray(value)) return value as JsonValue[]
  return value === undefined || value === null ? [] : [value]
}
