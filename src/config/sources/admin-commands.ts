// Parses the commands that are calls of the admin API of a running gateway. Pure: src/admin/command makes the calls.

import { refusal } from '../validate/problem.js'
import {
  given,
  type Options,
  readAmount,
  readBudgets,
  readList,
  readNumber,
  readOptions,
  text,
  type Values,
} from './shell-options.js'

/** Where the gateway is found, and how its answer is printed. */
export type AdminOptions = {
  readonly isJson: boolean
  /** Of the admin API; null for that of the configuration. */
  readonly url: string | null
  readonly overrides: { readonly config?: string }
}

/** Members of a record as the API takes them; of one that is updated, those alone that were given. */
export type Fields = Readonly<Record<string, unknown>>

type Named<Verb> = AdminOptions & {
  readonly verb: Verb
  /** Null: of all of them. */
  readonly name: string | null
}

export type KeysVerb = 'create' | 'list' | 'show' | 'update' | 'rotate' | 'revoke'

/** A call about gateway keys. */
export type KeysOptions = Named<KeysVerb> & {
  readonly fields: Fields
  /** How long the secret before a rotation stays valid; null for the API's default. */
  readonly overlapMs: number | null
  readonly team: string | null
}

export type TeamsVerb = 'create' | 'list' | 'show' | 'update' | 'delete'

/** A call about teams. */
export type TeamsOptions = Named<TeamsVerb> & { readonly fields: Fields }

export type BudgetsVerb = 'create' | 'list' | 'show' | 'update' | 'adjust' | 'delete'

/** A call about budgets. */
export type BudgetsOptions = Named<BudgetsVerb> & {
  readonly fields: Fields
  /** The end user of whose part is asked. */
  readonly user: string | null
}

export type StreamsVerb = 'list' | 'cancel'

/** A call about open requests; its name is an id. `query`: which of them are listed. */
export type StreamsOptions = Named<StreamsVerb> & { readonly query: Readonly<Record<string, string>> }

export type ProvidersVerb = 'list' | 'pause' | 'resume'

/** A call about providers. */
export type ProvidersOptions = Named<ProvidersVerb>

/** A report about what was spent. */
export type SpendOptions = Omit<AdminOptions, 'isJson'> & {
  /** Parameters of the report, as the API takes them. */
  readonly query: Readonly<Record<string, string>>
  readonly format: 'table' | 'json' | 'csv'
}

export type AdminCommand =
  | { readonly kind: 'keys'; readonly options: KeysOptions }
  | { readonly kind: 'teams'; readonly options: TeamsOptions }
  | { readonly kind: 'budgets'; readonly options: BudgetsOptions }
  | { readonly kind: 'streams'; readonly options: StreamsOptions }
  | { readonly kind: 'providers'; readonly options: ProvidersOptions }
  | { readonly kind: 'spend'; readonly options: SpendOptions }

type Asking = { readonly kind: 'help' } | { readonly kind: 'version' }

export const ADMIN_COMMANDS = ['keys', 'teams', 'budgets', 'streams', 'providers', 'spend'] as const

const KEYS_VERBS: readonly KeysVerb[] = ['create', 'list', 'show', 'update', 'rotate', 'revoke']
const TEAMS_VERBS: readonly TeamsVerb[] = ['create', 'list', 'show', 'update', 'delete']
const BUDGETS_VERBS: readonly BudgetsVerb[] = ['create', 'list', 'show', 'update', 'adjust', 'delete']
const STREAMS_VERBS: readonly StreamsVerb[] = ['list', 'cancel']
const PROVIDERS_VERBS: readonly ProvidersVerb[] = ['list', 'pause', 'resume']

const PLACE_OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
  config: { type: 'string', short: 'c' },
  url: { type: 'string' },
} as const satisfies Options
const COMMON_OPTIONS = { ...PLACE_OPTIONS, json: { type: 'boolean' } } as const satisfies Options

const TEAMS_OPTIONS = {
  ...COMMON_OPTIONS,
  models: { type: 'string' },
  budget: { type: 'string' },
  'requests-per-minute': { type: 'string' },
  'tokens-per-minute': { type: 'string' },
  concurrency: { type: 'string' },
  disable: { type: 'boolean' },
  enable: { type: 'boolean' },
} as const satisfies Options

const KEYS_OPTIONS = {
  ...TEAMS_OPTIONS,
  team: { type: 'string' },
  tags: { type: 'string' },
  'expires-at': { type: 'string' },
  'overlap-ms': { type: 'string' },
} as const satisfies Options

const BUDGETS_OPTIONS = {
  ...COMMON_OPTIONS,
  scope: { type: 'string' },
  per: { type: 'string' },
  usd: { type: 'string' },
  tokens: { type: 'string' },
  reason: { type: 'string' },
  user: { type: 'string' },
} as const satisfies Options

const STREAMS_OPTIONS = {
  ...COMMON_OPTIONS,
  key: { type: 'string' },
  model: { type: 'string' },
} as const satisfies Options

const SPEND_OPTIONS = {
  ...COMMON_OPTIONS,
  by: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  csv: { type: 'boolean' },
} as const satisfies Options

/** Takes a member away. */
const NONE = 'none'

/**
 * Reads the arguments after the command.
 * @throws misconfigured saying which argument is wrong
 */
export function parseAdminCommand(kind: AdminCommand['kind'], args: readonly string[]): AdminCommand | Asking {
  return readCommand(kind, args) ?? { kind: 'help' }
}

/** Null: help is asked for. */
function readCommand(kind: AdminCommand['kind'], args: readonly string[]): AdminCommand | Asking | null {
  switch (kind) {
    case 'keys':
      return readKeys(args)
    case 'teams':
      return readTeams(args)
    case 'budgets':
      return readBudgetCall(args)
    case 'streams':
      return readStreams(args)
    case 'providers': {
      const asked = readVerb('providers', { verbs: PROVIDERS_VERBS, options: COMMON_OPTIONS }, args)
      return asked && { kind, options: asked.named }
    }
    case 'spend':
      return readSpend(args)
  }
}

function readKeys(args: readonly string[]): AdminCommand | null {
  const asked = readVerb('keys', { verbs: KEYS_VERBS, options: KEYS_OPTIONS }, args)
  if (asked === null) return null
  const { values, named } = asked
  const ofKey = (isPatch: boolean) => ({
    team: isCleared(values, 'team', isPatch) ? null : text(values.team),
    ...sharedFields(values, isPatch),
    tags: isCleared(values, 'tags', isPatch) ? [] : readList(values.tags),
    expiresAt: isCleared(values, 'expires-at', isPatch) ? null : text(values['expires-at']),
  })
  const options = {
    ...{ ...named, fields: fieldsOf('keys', named, ofKey) },
    overlapMs: readNumber('--overlap-ms', values['overlap-ms'], Number.MAX_SAFE_INTEGER),
    team: text(values.team) ?? null,
  }
  return { kind: 'keys', options }
}

function readTeams(args: readonly string[]): AdminCommand | null {
  const asked = readVerb('teams', { verbs: TEAMS_VERBS, options: TEAMS_OPTIONS }, args)
  if (asked === null) return null
  const { values, named } = asked
  const fields = fieldsOf('teams', named, (isPatch) => sharedFields(values, isPatch))
  return { kind: 'teams', options: { ...named, fields } }
}

function readBudgetCall(args: readonly string[]): AdminCommand | null {
  const asked = readVerb('budgets', { verbs: BUDGETS_VERBS, options: BUDGETS_OPTIONS }, args)
  if (asked === null) return null
  const { values, named } = asked
  const amount = { usd: readAmount('--usd', values.usd), tokens: readAmount('--tokens', values.tokens) }
  const user = text(values.user)
  const ofVerb = {
    ...{ create: { scope: text(values.scope), per: text(values.per), ...amount }, update: amount },
    ...{ adjust: { ...amount, reason: text(values.reason), user }, list: {}, show: {}, delete: {} },
  }
  return { kind: 'budgets', options: { ...named, fields: members(ofVerb[named.verb]), user: user ?? null } }
}

function readStreams(args: readonly string[]): AdminCommand | null {
  const asked = readVerb('streams', { verbs: STREAMS_VERBS, options: STREAMS_OPTIONS }, args)
  if (asked === null) return null
  const { values, named } = asked
  return {
    kind: 'streams',
    options: { ...named, query: { ...given('key', values.key), ...given('model', values.model) } },
  }
}

function readSpend(args: readonly string[]): AdminCommand | Asking | null {
  const values = readOptions(args, SPEND_OPTIONS)
  if (values.help === true) return null
  if (values.version === true) return { kind: 'version' }
  if (values.json === true && values.csv === true) throw refusal('option --json excludes --csv')
  const format = values.json === true ? 'json' : values.csv === true ? 'csv' : 'table'
  const query = { ...given('by', values.by), ...given('from', values.from), ...given('to', values.to) }
  const { url, overrides } = placeOf(values)
  return { kind: 'spend', options: { query, format, url, overrides } }
}

type Verbs<Verb> = { readonly verbs: readonly Verb[]; readonly options: Options }
type Asked<Verb> = { readonly named: Named<Verb>; readonly values: Values }

/** A verb, the name that it is about, and options; null: help is asked for. */
function readVerb<Verb extends string>(
  noun: string,
  { verbs, options }: Verbs<Verb>,
  args: readonly string[],
): Asked<Verb> | null {
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
  if (values.help === true) return null
  return { named: { verb: known, name: isOfOne ? name : null, ...placeOf(values) }, values }
}

function placeOf(values: Values): AdminOptions {
  return { isJson: values.json === true, url: text(values.url) ?? null, overrides: given('config', values.config) }
}

/** Of a key or team that is created or updated. @throws misconfigured for an update of nothing */
function fieldsOf(noun: string, { verb }: { readonly verb: string }, read: (isPatch: boolean) => Fields): Fields {
  if (verb === 'create') return members(read(false))
  if (verb !== 'update') return {}
  const fields = members(read(true))
  if (Object.keys(fields).length === 0) throw refusal(`sluice ${noun} update needs an option that changes something`)
  return fields
}

/** What keys and teams have in common. */
function sharedFields(values: Values, isPatch: boolean): Fields {
  if (values.enable === true && values.disable === true) throw refusal('option --enable excludes --disable')
  const limit = (option: string): number | null | undefined => {
    if (isCleared(values, option, isPatch)) return null
    const number = readNumber(`--${option}`, values[option], Number.MAX_SAFE_INTEGER)
    return isPatch ? (number ?? undefined) : number
  }
  const limits = members({
    requestsPerMinute: limit('requests-per-minute'),
    tokensPerMinute: limit('tokens-per-minute'),
    concurrency: limit('concurrency'),
  })
  return {
    models: readList(values.models),
    limits: Object.keys(limits).length === 0 ? undefined : limits,
    budgets: isCleared(values, 'budget', isPatch) ? [] : readBudgets('--budget', values.budget),
    disabled: values.disable === true ? true : values.enable === true ? false : undefined,
  }
}

function isCleared(values: Values, option: string, isPatch: boolean): boolean {
  return isPatch && values[option] === NONE
}

/** Those that were given; the API checks them. */
function members(fields: Fields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
