// Parses the command line into a command with its options. Pure: main.ts runs the command and prints.
import { type Overrides } from './load.js'
import {
  given,
  MAX_PORT,
  type Options,
  readBudgets,
  readList,
  readNumber,
  readOptions,
  text,
  type Values,
} from './sources/shell-options.js'
import { nearestName, refusal } from './validate/problem.js'

export type SimulateOptions = {
  /** Null: the simulator's own default. */
  readonly port: number | null
  readonly protocol: string | null
  readonly tokensPerSecond: number | null
  /** File with scripted faults. */
  readonly faultsFile: string | null
}

/** A received webhook whose signature is to be verified. */
export type VerifyOptions = {
  /** The headers `webhook-id`, `webhook-timestamp` and `webhook-signature`. */
  readonly id: string
  readonly timestamp: string
  readonly signature: string
  /** Null: from the environment. */
  readonly secret: string | null
  /** Null: standard input. */
  readonly bodyFile: string | null
}

/** A call of the admin API about gateway keys. */
export type KeysOptions = {
  readonly verb: KeysVerb
  /** Null: of all keys. */
  readonly name: string | null
  /** Members of a new key, as the API takes them. */
  readonly fields: Readonly<Record<string, unknown>>
  /** How long the secret before a rotation stays valid; null for the API's default. */
  readonly overlapMs: number | null
  readonly team: string | null
  readonly isJson: boolean
  /** Of the admin API; null for that of the configuration. */
  readonly url: string | null
  readonly overrides: Overrides
}

export type KeysVerb = 'create' | 'list' | 'show' | 'rotate' | 'revoke'

/** A call of the admin API about teams. */
export type TeamsOptions = Pick<KeysOptions, 'name' | 'fields' | 'isJson' | 'url' | 'overrides'> & {
  readonly verb: TeamsVerb
}

export type TeamsVerb = 'create' | 'list' | 'show' | 'delete'

/** A report of the admin API about what was spent. */
export type SpendOptions = {
  /** Parameters of the report, as the API takes them. */
  readonly query: Readonly<Record<string, string>>
  readonly format: 'table' | 'json' | 'csv'
  /** Of the admin API; null for that of the configuration. */
  readonly url: string | null
  readonly overrides: Overrides
}

export type Command =
  | { readonly kind: 'start'; readonly overrides: Overrides }
  | { readonly kind: 'check'; readonly overrides: Overrides }
  | { readonly kind: 'simulate'; readonly options: SimulateOptions }
  | { readonly kind: 'webhook-verify'; readonly options: VerifyOptions }
  | { readonly kind: 'keys'; readonly options: KeysOptions }
  | { readonly kind: 'teams'; readonly options: TeamsOptions }
  | { readonly kind: 'spend'; readonly options: SpendOptions }
  | { readonly kind: 'import'; readonly file: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }

const COMMANDS = ['start', 'check', 'simulate', 'keys', 'teams', 'spend', 'import', 'webhook']
const KEYS_VERBS: readonly KeysVerb[] = ['create', 'list', 'show', 'rotate', 'revoke']
const TEAMS_VERBS: readonly TeamsVerb[] = ['create', 'list', 'show', 'delete']

const SHARED_OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const satisfies Options
const GATEWAY_OPTIONS = {
  ...SHARED_OPTIONS,
  config: { type: 'string', short: 'c' },
  host: { type: 'string' },
  port: { type: 'string' },
  threads: { type: 'string' },
  'log-level': { type: 'string' },
} as const satisfies Options
const SIMULATE_OPTIONS = {
  ...SHARED_OPTIONS,
  port: { type: 'string' },
  protocol: { type: 'string' },
  'tokens-per-second': { type: 'string' },
  faults: { type: 'string' },
} as const satisfies Options
const VERIFY_OPTIONS = {
  ...SHARED_OPTIONS,
  id: { type: 'string' },
  timestamp: { type: 'string' },
  signature: { type: 'string' },
  body: { type: 'string' },
  secret: { type: 'string' },
} as const satisfies Options

const TEAMS_OPTIONS = {
  ...SHARED_OPTIONS,
  config: { type: 'string', short: 'c' },
  url: { type: 'string' },
  json: { type: 'boolean' },
  models: { type: 'string' },
  budget: { type: 'string' },
  'requests-per-minute': { type: 'string' },
  'tokens-per-minute': { type: 'string' },
  concurrency: { type: 'string' },
} as const satisfies Options

const KEYS_OPTIONS = {
  ...TEAMS_OPTIONS,
  team: { type: 'string' },
  tags: { type: 'string' },
  'expires-at': { type: 'string' },
  'overlap-ms': { type: 'string' },
} as const satisfies Options

const SPEND_OPTIONS = {
  ...SHARED_OPTIONS,
  config: { type: 'string', short: 'c' },
  url: { type: 'string' },
  by: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  json: { type: 'boolean' },
  csv: { type: 'boolean' },
} as const satisfies Options

/**
 * Reads the arguments after node and script.
 * @throws misconfigured saying which argument is wrong
 */
export function parseCommandLine(args: readonly string[]): Command {
  const [first] = args
  const isNamed = first !== undefined && !first.startsWith('-')
  const command = isNamed ? first : 'start'
  const rest = isNamed ? args.slice(1) : args
  if (command === 'help' || command === 'version') return { kind: command }
  if (!COMMANDS.includes(command)) {
    const nearest = nearestName(command, COMMANDS)
    throw refusal(
      `unknown command "${command}"${nearest === null ? '.' : `; did you mean "${nearest}"?`} See sluice --help.`,
    )
  }
  if (command === 'webhook') return readWebhook(rest)
  if (command === 'keys') return readKeys(rest)
  if (command === 'teams') return readTeams(rest)
  if (command === 'spend') return readSpend(rest)
  if (command === 'import') return readImport(rest)
  return command === 'simulate' ? readSimulate(rest) : readGateway(command === 'check' ? 'check' : 'start', rest)
}

function readGateway(kind: 'start' | 'check', args: readonly string[]): Command {
  const values = readOptions(args, GATEWAY_OPTIONS)
  if (values.help === true) return { kind: 'help' }
  if (values.version === true) return { kind: 'version' }
  const overrides = {
    ...given('config', values.config),
    ...given('host', values.host),
    ...given('port', values.port),
    ...given('threads', values.threads),
    ...given('logLevel', values['log-level']),
  }
  return { kind, overrides }
}

function readSimulate(args: readonly string[]): Command {
  const values = readOptions(args, SIMULATE_OPTIONS)
  if (values.help === true) return { kind: 'help' }
  if (values.version === true) return { kind: 'version' }
  const options = {
    port: readNumber('--port', values.port, MAX_PORT),
    protocol: text(values.protocol) ?? null,
    tokensPerSecond: readNumber('--tokens-per-second', values['tokens-per-second'], Number.MAX_SAFE_INTEGER),
    faultsFile: text(values.faults) ?? null,
  }
  return { kind: 'simulate', options }
}

function readWebhook(args: readonly string[]): Command {
  const [verb = ''] = args
  if (verb !== 'verify' && !verb.startsWith('-'))
    throw refusal('only "sluice webhook verify" is known. See sluice --help.')
  const values = readOptions(verb === 'verify' ? args.slice(1) : args, VERIFY_OPTIONS)
  if (values.help === true) return { kind: 'help' }
  if (values.version === true) return { kind: 'version' }
  const options = {
    id: required('--id', values.id),
    timestamp: required('--timestamp', values.timestamp),
    signature: required('--signature', values.signature),
    secret: text(values.secret) ?? null,
    bodyFile: text(values.body) ?? null,
  }
  return { kind: 'webhook-verify', options }
}

function readImport(args: readonly string[]): Command {
  const [source = '', file = ''] = args
  if (source.startsWith('-') && readOptions(args, SHARED_OPTIONS).help === true) return { kind: 'help' }
  if (source !== 'litellm') throw refusal('only "sluice import litellm FILE" is known. See sluice --help.')
  if (file === '' || file.startsWith('-')) throw refusal('sluice import litellm needs the name of a file')
  if (readOptions(args.slice(2), SHARED_OPTIONS).help === true) return { kind: 'help' }
  return { kind: 'import', file }
}

function readKeys(args: readonly string[]): Command {
  const asked = readVerb('keys', { verbs: KEYS_VERBS, options: KEYS_OPTIONS }, args)
  if (asked === null) return { kind: 'help' }
  const { verb, name, values } = asked
  const fields = {
    ...{ team: text(values.team), ...sharedFields(values), tags: readList(values.tags) },
    expiresAt: text(values['expires-at']),
  }
  const options = {
    ...{ verb, name, fields: verb === 'create' ? members(fields) : {} },
    overlapMs: readNumber('--overlap-ms', values['overlap-ms'], Number.MAX_SAFE_INTEGER),
    team: text(values.team) ?? null,
    ...placeOf(values),
  }
  return { kind: 'keys', options }
}

function readTeams(args: readonly string[]): Command {
  const asked = readVerb('teams', { verbs: TEAMS_VERBS, options: TEAMS_OPTIONS }, args)
  if (asked === null) return { kind: 'help' }
  const { verb, name, values } = asked
  const fields = verb === 'create' ? members(sharedFields(values)) : {}
  return { kind: 'teams', options: { verb, name, fields, ...placeOf(values) } }
}

type Verbs<Verb> = { readonly verbs: readonly Verb[]; readonly options: Options }

/** A verb, the name that it is about, and options; null: help is asked for. */
function readVerb<Verb extends string>(noun: string, { verbs, options }: Verbs<Verb>, args: readonly string[]) {
  const [verb = '', name = ''] = args
  if (verb === '' || verb.startsWith('-')) {
    if (readOptions(args, options).help === true) return null
    throw refusal(`${noun} needs one of ${verbs.join(', ')}. See sluice --help.`)
  }
  const known = verbs.find((each) => each === verb)
  if (known === undefined) throw refusal(`only sluice ${noun} ${verbs.join(', ')} are known. See sluice --help.`)
  const isOfOne = known !== 'list'
  if (isOfOne && (name === '' || name.startsWith('-'))) {
    throw refusal(`sluice ${noun} ${known} needs the name of a ${noun.slice(0, -1)}`)
  }
  const values = readOptions(args.slice(isOfOne ? 2 : 1), options)
  return values.help === true ? null : { verb: known, name: isOfOne ? name : null, values }
}

function placeOf(values: Values) {
  return { isJson: values.json === true, url: text(values.url) ?? null, overrides: given('config', values.config) }
}

/** What keys and teams have alike. */
function sharedFields(values: Values) {
  const limit = (option: string): number | null => readNumber(`--${option}`, values[option], Number.MAX_SAFE_INTEGER)
  const limits = {
    requestsPerMinute: limit('requests-per-minute'),
    tokensPerMinute: limit('tokens-per-minute'),
    concurrency: limit('concurrency'),
  }
  return { models: readList(values.models), limits, budgets: readBudgets('--budget', values.budget) }
}

/** Those that were given; the API checks them. */
function members(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

function readSpend(args: readonly string[]): Command {
  const values = readOptions(args, SPEND_OPTIONS)
  if (values.help === true) return { kind: 'help' }
  if (values.version === true) return { kind: 'version' }
  if (values.json === true && values.csv === true) throw refusal('option --json excludes --csv')
  const format = values.json === true ? 'json' : values.csv === true ? 'csv' : 'table'
  const query = { ...given('by', values.by), ...given('from', values.from), ...given('to', values.to) }
  const overrides = given('config', values.config)
  return { kind: 'spend', options: { query, format, url: text(values.url) ?? null, overrides } }
}

function required(option: string, value: string | boolean | undefined): string {
  const written = text(value)
  if (written === undefined) throw refusal(`option ${option} is needed`)
  return written
}
