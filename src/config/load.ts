// Puts the effective configuration together. Pure: files, variables and core count come in as parameters (read.ts has the I/O).
//
//   defaults < file (${NAME} replaced) < environment (.env below the real one) < command line  > validate > resolve > freeze
import { basename, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { Value } from 'typebox/value'
import { isJsonObject } from '../model/json.js'
import { type Catalog } from './catalog.js'
import { resolveConfig } from './resolve/resolve.js'
import { ProviderEntry } from './schema/provider.js'
import { ConfigFile } from './schema/schema.js'
import { Draft } from './sources/draft.js'
import { applyEnvironment, applyProviderEnvironment } from './sources/environment.js'
import { parseConfigText } from './sources/file.js'
import { applyModelsConfig } from './sources/models-config.js'
import { pathKey, substitute, type Variables } from './sources/substitute.js'
import { type Config } from './types.js'
import { misconfigured, type Path, ProblemList, refusal } from './validate/problem.js'
import { validate } from './validate/validate.js'

const DEFAULT_FILE = 'sluice.yaml'
/** In the working directory; the process's own variables override it. */
export const ENV_FILE = '.env'

/** Options of the command line; they override everything else. */
export type Overrides = {
  /** `--config` */
  readonly config?: string
  /** The text of the configuration, in place of any file: of a program that starts a gateway by itself. */
  readonly text?: string
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
  /** The directory that contains the package's resources/. */
  readonly packageRoot: string
  readonly catalog: Catalog
  readonly cores: number
  /** Unix time, to check the validity of certificates. */
  readonly nowMs: number
  /** The text of a file; null if it does not exist. Throws if it exists but cannot be read. */
  readFile(file: string): string | null
  isReadable(file: string): boolean
  /** Called with the configuration file before it is read; not for a missing one. */
  onFile?(path: string): void
}

export type LoadedConfig = {
  readonly config: Config
  /** The configuration file, for watching; null if there is none. */
  readonly configFile: string | null
  /** The file exists and is empty: acceptable at start, but a reload rejects it as a likely mistake. */
  readonly isBlank: boolean
  /** Where each value was set: option -> `sluice.yaml:3`, a variable or an option; what is not in it is a default. Empty without an admin API, which shows them. */
  readonly origins: Readonly<Record<string, string>>
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
  const name = file.path === null ? null : basename(file.path)
  // A large configuration takes a fifth longer with them.
  const isShown = config.admin.keys.length > 0
  const origins = !isShown ? {} : draft.origins((path) => `${name ?? 'file'}:${text.lineOf(path) ?? 1}`)
  return freeze(structuredClone({ config, configFile: file.path, isBlank, providerDefaults, origins }))
}

/** A file without options: every default. */
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

/** A file that was named must exist; the default one need not. */
function findFile(sources: ConfigSources, variables: Variables): { path: string | null; text: string } {
  if (sources.overrides.text !== undefined) return { path: null, text: sources.overrides.text }
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

/** The models file of another system. One named in the configuration file must exist; one named in the environment need not. */
function applyModelsFile(draft: Draft, variables: Variables, sources: ConfigSources): string[] {
  const fromEnvironment = variables.LLM_PROXY_API_MODELS_CONFIG || undefined
  const name = fromEnvironment ?? draft.get(['compat', 'modelsConfig'])
  if (typeof name !== 'string' || name === '') return []
  const text = sources.readFile(resolve(sources.cwd, name))
  if (text !== null) return applyModelsConfig(draft, { name, text, variables, catalog: sources.catalog })
  if (fromEnvironment === undefined) throw refusal(`compat.modelsConfig: the file ${name} does not exist`)
  return [`LLM_PROXY_API_MODELS_CONFIG: the file ${name} does not exist; no models are read from it`]
}

/** What the environment sets for all providers, checked once; null if it is invalid. */
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
