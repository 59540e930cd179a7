// Parses the command line into a command with its options. Pure: main.ts runs the command and prints.
import { type Overrides } from './load.js'
import { ADMIN_COMMANDS, type AdminCommand, parseAdminCommand } from './sources/admin-commands.js'
import { given, MAX_PORT, type Options, readNumber, readOptions, text } from './sources/shell-options.js'
import { nearestName, refusal } from './validate/problem.js'

export type SimulateOptions = {
  /** Null: the simulator's own default. */
  readonly port: number | null
  readonly protocol: string | null
  readonly tokensPerSecond: number | null
  readonly isUneven: boolean
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

export type Command =
  | { readonly kind: 'start'; readonly overrides: Overrides }
  | { readonly kind: 'check'; readonly overrides: Overrides }
  | { readonly kind: 'simulate'; readonly options: SimulateOptions }
  | { readonly kind: 'webhook-verify'; readonly options: VerifyOptions }
  | AdminCommand
  | { readonly kind: 'import'; readonly file: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }

const COMMANDS = ['start', 'check', 'simulate', ...ADMIN_COMMANDS, 'import', 'webhook']

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
  uneven: { type: 'boolean' },
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
  const adminCommand = ADMIN_COMMANDS.find((each) => each === command)
  if (adminCommand !== undefined) return parseAdminCommand(adminCommand, rest)
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
    isUneven: values.uneven === true,
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

function required(option: string, value: string | boolean | undefined): string {
  const written = text(value)
  if (written === undefined) throw refusal(`option ${option} is needed`)
  return written
}
