// Puts the effective configuration together. Pure: files, variables and core count come in as parameters (read.ts has the I/O).
//
//   defaults < file (${NAME} replaced) < environment (.env below the real one) < command line  > validate > resolve > freeze
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { Value } from 'typebox/value'
import { isJsonObject } from '../model/json.js'
import { type Catalog } from './catalog.js'
import { resolveConfig } from './resolve/resolve.js'
import { ConfigFile, ProviderEntry } from './schema.js'
import { Draft } from './sources/draft.js'
import { applyEnvironment, applyProviderEnvironment } from './sources/environment.js'
import { parseConfigText } from './sources/file.js'
import { applyModelsConfig } from './sources/models-config.js'
import { pathKey, substitute, type Variables } from './sources/substitute.js'
import { type Config } from './types.js'
import { misconfigured, type Path, ProblemList, refusal } from './validate/problem.js'
import { validate } from './validate/validate.js'

const DEFAULT_FILE = 'sluice.yaml'
/** Beside the working directory's other files; its variables stand below the real ones. */
export const ENV_FILE = '.env'

/** What the command line sets; each wins over everything else. */
export type Overrides = {
  /** `--config` */
  readonly config?: string
  readonly host?: string
  /** As written; checked like any other value. */
  readonly port?: string
  readonly threads?: string
  readonly logLevel?: string
}

export type ConfigSources = {
  readonly env: Variables
  readonly overrides: Overrides
  readonly cwd: string
  /** Where the package's own resources/ lies. */
  readonly packageRoot: string
  readonly catalog: Catalog
  readonly cores: number
  /** Unix time: certificates are held against it. */
  readonly nowMs: number
  /** The file's text; null if there is none. Throws if it is there but cannot be read. */
  readFile(file: string): string | null
  isReadable(file: string): boolean
  /** Hears which file is read, before it is; not of one that is not there. */
  onFile?(path: string): void
}

export type LoadedConfig = {
  readonly config: Config
  /** The file it came from, for watching; null if there is none. */
  readonly configFile: string | null
  /** The file is there and holds nothing: fine to start with, but hardly what somebody wants a running gateway to become. */
  readonly isBlank: boolean
  /** A provider entry with nothing but defaults and environment, for providers that are found later. */
  readonly providerDefaults: ProviderEntry
}

/**
 * Loads and checks everything; the result is frozen and survives structured clone.
 * @throws misconfigured with one line per problem
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const variables = readVariables(sources)
  const file = findFile(sources, variables)
  if (file.path !== null) sources.onFile?.(file.path)
  const text = parseConfigText(file.text)
  if (text.problems.length > 0) throw misconfigured(text.problems)
  const shared = new Draft({})
  applyProviderEnvironment(shared, variables, [])
  let draft = shared
  const problems = new ProblemList((path) => {
    const origin = draft.originOf(path) ?? shared.originOf(path)
    return { origin, line: origin === null ? text.lineOf(path) : null }
  })
  const substitution = substitute(text.tree ?? {}, variables, problems)
  if (!isJsonObject(substitution.tree)) throw refusal('the configuration must contain sections such as "server:"')
  draft = new Draft(substitution.tree)
  const warnings = applyModelsFile(draft, variables, sources)
  const environment = applyEnvironment(draft, variables, sources.catalog)
  warnings.push(...environment.warnings)
  const providerDefaults = checkShared(shared, problems)
  if (providerDefaults !== null) {
    for (const name of draft.names(['providers'])) applyProviderEnvironment(draft, variables, ['providers', name])
  }
  applyOverrides(draft, sources.overrides)
  const isText = (path: Path): boolean => draft.originOf(path) !== null || substitution.substituted.has(pathKey(path))
  const checked = validate(ConfigFile, draft.tree, { problems, isText })
  problems.throwIfAny()
  if (providerDefaults === null || !Value.Check(ConfigFile, checked)) throw refusal('the configuration does not fit')
  const missingKeys = new Map(substitution.missingKeys.map(({ path, variable }) => [String(path[1]), variable]))
  const leftOut = [...environment.leftOut]
  const context = { ...sources, variables, problems, warnings, missingKeys, leftOut, providerDefaults }
  const config = resolveConfig(checked, context)
  problems.throwIfAny()
  const isBlank = file.path !== null && file.text.trim() === ''
  return freeze(structuredClone({ config, configFile: file.path, isBlank, providerDefaults }))
}

/** The file of no options: every default. */
export function defaultConfigFile(): ConfigFile {
  const problems = new ProblemList(() => ({ line: null, origin: null }))
  const checked = validate(ConfigFile, {}, { problems, isText: () => false })
  if (!Value.Check(ConfigFile, checked)) throw new TypeError('the defaults do not fit the schema')
  return checked
}

/** Freezes plain values all the way down. */
export function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const member of Object.values(value)) freeze(member)
  return Object.freeze(value)
}

function readVariables(sources: ConfigSources): Variables {
  const text = sources.readFile(resolve(sources.cwd, ENV_FILE))
  return text === null ? sources.env : { ...parseEnv(text), ...sources.env }
}

/** A file that somebody named must be there; the usual one need not. */
function findFile(sources: ConfigSources, variables: Variables): { path: string | null; text: string } {
  const named = sources.overrides.config ?? (variables.SLUICE_CONFIG || undefined)
  const path = resolve(sources.cwd, named ?? DEFAULT_FILE)
  const text = sources.readFile(path)
  if (text !== null) return { path, text }
  if (named !== undefined) {
    throw refusal(
      `the configuration file ${named} does not exist (from ${sources.overrides.config === undefined ? 'SLUICE_CONFIG' : '--config'})`,
    )
  }
  return { path: null, text: '' }
}

/** The models file of another system, if one is named: by the file it must be there, by the environment it need not. */
function applyModelsFile(draft: Draft, variables: Variables, sources: ConfigSources): string[] {
  const fromEnvironment = variables.LLM_PROXY_API_MODELS_CONFIG || undefined
  const name = fromEnvironment ?? draft.get(['compat', 'modelsConfig'])
  if (typeof name !== 'string' || name === '') return []
  const text = sources.readFile(resolve(sources.cwd, name))
  if (text !== null) return applyModelsConfig(draft, { name, text, variables, catalog: sources.catalog })
  if (fromEnvironment === undefined) throw refusal(`compat.modelsConfig: the file ${name} does not exist`)
  return [`LLM_PROXY_API_MODELS_CONFIG: the file ${name} does not exist; no models are read from it`]
}

/** What the environment says of all providers, checked once; null if it is wrong. */
function checkShared(shared: Draft, problems: ProblemList): ProviderEntry | null {
  const before = problems.length
  const checked = validate(ProviderEntry, shared.tree, { problems, isText: () => true })
  return problems.length === before && Value.Check(ProviderEntry, checked) ? checked : null
}

function applyOverrides(draft: Draft, overrides: Overrides): void {
  const rows: readonly (readonly [string | undefined, Path, string])[] = [
    [overrides.host, ['server', 'host'], '--host'],
    [overrides.port, ['server', 'port'], '--port'],
    [overrides.threads, ['server', 'threads'], '--threads'],
    [overrides.logLevel, ['log', 'level'], '--log-level'],
  ]
  for (const [value, path, option] of rows) if (value !== undefined) draft.set(path, value, option)
}
