// Parses the command line into a command with its options. Pure: main.ts runs the command and prints.
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { type Overrides } from './load.js'
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
  | { readonly kind: 'spend'; readonly options: SpendOptions }
  | { readonly kind: 'import'; readonly file: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }

const COMMANDS = ['start', 'check', 'simulate', 'keys', 'spend', 'import', 'webhook']
const KEYS_VERBS: readonly KeysVerb[] = ['create', 'list', 'show', 'rotate', 'revoke']
const MAX_PORT = 65_535

type Options = NonNullable<ParseArgsConfig['options']>

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

const KEYS_OPTIONS = {
  ...SHARED_OPTIONS,
  config: { type: 'string', short: 'c' },
  url: { type: 'string' },
  json: { type: 'boolean' },
  team: { type: 'string' },
  models: { type: 'string' },
  tags: { type: 'string' },
  'requests-per-minute': { type: 'string' },
  'tokens-per-minute': { type: 'string' },
  concurrency: { type: 'string' },
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
  const [verb = '', name = ''] = args
  if (verb === '' || verb.startsWith('-')) {
    const asked = readOptions(args, KEYS_OPTIONS)
    if (asked.help === true) return { kind: 'help' }
    throw refusal(`keys needs one of ${KEYS_VERBS.join(', ')}. See sluice --help.`)
  }
  const known = KEYS_VERBS.find((each) => each === verb)
  if (known === undefined) throw refusal(`only sluice keys ${KEYS_VERBS.join(', ')} are known. See sluice --help.`)
  const isOfOne = known !== 'list'
  if (isOfOne && (name === '' || name.startsWith('-'))) throw refusal(`sluice keys ${known} needs the name of a key`)
  const values = readOptions(args.slice(isOfOne ? 2 : 1), KEYS_OPTIONS)
  if (values.help === true) return { kind: 'help' }
  const options = {
    verb: known,
    name: isOfOne ? name : null,
    fields: known === 'create' ? keyFields(values) : {},
    overlapMs: readNumber('--overlap-ms', values['overlap-ms'], Number.MAX_SAFE_INTEGER),
    team: text(values.team) ?? null,
    isJson: values.json === true,
    url: text(values.url) ?? null,
    overrides: given('config', values.config),
  }
  return { kind: 'keys', options }
}

/** The members that were given; the API checks them. */
function keyFields(values: Values): Record<string, unknown> {
  const list = (value: Values[string]): string[] | undefined =>
    text(value)
      ?.split(',')
      .map((item) => item.trim())
  const limit = (option: string): number | null => readNumber(`--${option}`, values[option], Number.MAX_SAFE_INTEGER)
  const limits = {
    requestsPerMinute: limit('requests-per-minute'),
    tokensPerMinute: limit('tokens-per-minute'),
    concurrency: limit('concurrency'),
  }
  const fields = {
    ...{ team: text(values.team), models: list(values.models), tags: list(values.tags), limits },
    expiresAt: text(values['expires-at']),
  }
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

type Values = Readonly<Record<string, string | boolean | undefined>>

/** @throws misconfigured for an unknown option, a missing value, or a value that the option does not take */
function readOptions(args: readonly string[], options: Options): Values {
  let values: Readonly<Record<string, Values[string] | readonly (string | boolean)[]>>
  try {
    values = parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values
  } catch (error) {
    throw refusal(faultOf(args, options) ?? (error instanceof Error ? error.message : String(error)))
  }
  for (const [name, value] of Object.entries(values)) if (value === '') throw refusal(`option --${name} needs a value`)
  return values as Values
}

/** Rewords the error of the strict parser: names the first argument that is wrong. */
function faultOf(args: readonly string[], options: Options): string | null {
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true })
  for (const token of tokens) {
    if (token.kind === 'positional') return `unexpected argument "${token.value}". See sluice --help.`
    if (token.kind !== 'option') continue
    const { name, rawName, value, inlineValue } = token
    const option = Object.hasOwn(options, name) ? options[name] : undefined
    if (option === undefined) {
      const nearest = nearestName(name, Object.keys(options))
      return `unknown option ${rawName}${nearest === null ? '.' : `; did you mean --${nearest}?`} See sluice --help.`
    }
    if (option.type === 'boolean' && value !== undefined) return `option ${rawName} takes no value`
    if (option.type !== 'string') continue
    if ((value ?? '') === '') return `option ${rawName} needs a value`
    if (inlineValue === false && value?.startsWith('-') === true)
      return `option ${rawName} needs a value; one that begins with "-" is written --${name}=VALUE`
  }
  return null
}

function text(value: string | boolean | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function given<K extends string>(name: K, value: string | boolean | undefined): Partial<Record<K, string>> {
  const written = text(value)
  const entry: Partial<Record<K, string>> = {}
  if (written !== undefined) entry[name] = written
  return entry
}

function readNumber(option: string, value: string | boolean | undefined, maximum: number): number | null {
  const written = text(value)
  if (written === undefined) return null
  const number = Number(written)
  if (!/^\d+(\.\d+)?$/.test(written) || number > maximum || (maximum === MAX_PORT && !Number.isInteger(number))) {
    throw refusal(`option ${option} must be a number from 0 to ${maximum}`)
  }
  return number
}
