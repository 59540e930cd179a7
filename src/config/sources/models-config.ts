// models-config.json, the model file of a system that Sluice replaces, laid under the raw configuration before it is checked.
// Two shapes, which may be mixed:
//   {provider: {model: {default options}}}
//   {group: {model: {api_host, api_token, api_type, input_size, model_path}}, "active_models": {group: [model]}}
// Pure: it is given the text. The configuration file takes precedence for the same name.
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue, mergeUnder } from '../../model/json.js'
import { type Catalog, type VendorProfile } from '../catalog.js'
import { NAME_PATTERN } from '../schema/parts.js'
import { misconfigured, nearestName, type Path, ProblemList } from '../validate/problem.js'
import { type Draft } from './draft.js'
import { parseConfigText } from './file.js'
import { substitute, type Variables } from './substitute.js'

export type ModelsConfigText = {
  /** The name of the file, for messages. */
  readonly name: string
  readonly text: string
  readonly variables: Variables
  readonly catalog: Catalog
}

const ACTIVE = 'active_models'
/** Member of a group with default options for its models. */
const GROUP_DEFAULTS = 'default_options'
/** Of a model: the same as its other members; later ones win. */
const NESTED_OPTIONS = [GROUP_DEFAULTS, 'overrides']
const CONNECTION = ['api_host', 'api_token', 'api_type']
/** Members for the connection of a model; all others are options of its requests. */
const PLACE = [...CONNECTION, 'model_path', 'input_size']

/** One group being read. */
type Group = {
  readonly name: string
  readonly file: ModelsConfigText
  readonly draft: Draft
  readonly problems: ProblemList
  readonly defaults: JsonObject
  /** Connection members that hold for all of its models. */
  readonly shared: JsonObject
  /** Provider name of each distinct connection. */
  readonly providers: Map<string, string>
  originOf(path: Path): string
}

/**
 * Writes the file's providers and models into the draft; returns warnings, one line each.
 * @throws misconfigured with file, path, reason and line of each problem
 */
export function applyModelsConfig(draft: Draft, file: ModelsConfigText): string[] {
  const text = parseConfigText(file.text)
  const originOf = (path: Path): string => `${file.name} line ${text.lineOf(path) ?? 1}`
  const problems = new ProblemList((path) => ({ line: null, origin: originOf(path) }))
  if (text.problems.length > 0) {
    const located = text.problems.map((problem) => ({
      ...problem,
      line: null,
      origin: `${file.name} line ${problem.line}`,
    }))
    throw misconfigured(located)
  }
  const { tree } = substitute(text.tree, file.variables, problems)
  if (!isJsonObject(tree)) problems.add([], 'must be an object of providers')
  const groups = isJsonObject(tree) ? tree : {}
  const named = new Set(draft.names(['models']))
  const skipped = new Set<string>()
  for (const [name, members] of Object.entries(groups)) {
    if (name === ACTIVE) continue
    const active = activeModels(groups, name, problems)
    if (!isJsonObject(members)) problems.add([name], 'must be an object of models')
    else applyGroup(readGroup(name, members, { file, draft, problems, originOf }), { members, active, named, skipped })
  }
  checkActiveGroups(groups, problems)
  problems.throwIfAny()
  return [...skipped].map(
    (model) => `${file.name}: ${model} is ignored: the configuration already has a model of that name`,
  )
}

/** Active models of a group; null for all, if the file does not list them. */
function activeModels(groups: JsonObject, group: string, problems: ProblemList): ReadonlySet<string> | null {
  const active = groups[ACTIVE]
  if (active === undefined || active === null) return null
  const list = isJsonObject(active) ? (active[group] ?? []) : []
  const models = groups[group]
  if (!isJsonArray(list)) {
    problems.add([ACTIVE, group], 'must be a list of model names')
    return new Set()
  }
  const known = isJsonObject(models) ? Object.keys(models) : []
  list.forEach((model, index) => {
    if (typeof model === 'string' && known.includes(model)) return
    problems.add([ACTIVE, group, index], `is not a model of ${group}`, nearestName(String(model), known))
  })
  return new Set(list.map(String))
}

function checkActiveGroups(groups: JsonObject, problems: ProblemList): void {
  const active = groups[ACTIVE] ?? {}
  if (!isJsonObject(active)) {
    problems.add([ACTIVE], 'must be an object of lists')
    return
  }
  const known = Object.keys(groups).filter((name) => name !== ACTIVE)
  for (const name of Object.keys(active)) {
    if (!known.includes(name)) problems.add([ACTIVE, name], 'is not a group in this file', nearestName(name, known))
  }
}

type GroupParts = Pick<Group, 'file' | 'draft' | 'problems' | 'originOf'>

function readGroup(name: string, members: JsonObject, parts: GroupParts): Group {
  const { problems } = parts
  if (!new RegExp(NAME_PATTERN).test(name)) problems.add([name], `must be a name matching ${NAME_PATTERN}`)
  const defaults = members[GROUP_DEFAULTS] ?? {}
  if (!isJsonObject(defaults)) problems.add([name, GROUP_DEFAULTS], 'must be an object')
  const shared = Object.fromEntries(Object.entries(members).filter(([member]) => CONNECTION.includes(member)))
  return { ...parts, name, shared, defaults: isJsonObject(defaults) ? defaults : {}, providers: new Map() }
}

type GroupModels = {
  readonly members: JsonObject
  readonly active: ReadonlySet<string> | null
  /** Models of the configuration file, which take precedence. */
  readonly named: ReadonlySet<string>
  readonly skipped: Set<string>
}

function applyGroup(group: Group, { members, active, named, skipped }: GroupModels): void {
  for (const [model, entry] of Object.entries(members)) {
    if (model === GROUP_DEFAULTS || CONNECTION.includes(model)) continue
    if (active?.has(model) === false) continue
    if (!isJsonObject(entry)) group.problems.add([group.name, model], 'must be an object of options')
    else if (named.has(model)) skipped.add(model)
    else applyModel(group, model, entry)
  }
}

/** The same name in two groups is one model with two targets. */
function applyModel(group: Group, model: string, entry: JsonObject): void {
  const at: Path = [group.name, model]
  const place: JsonObject = { ...group.shared, ...entry }
  for (const member of [...CONNECTION, 'model_path']) {
    const value = place[member] ?? ''
    if (typeof value !== 'string') group.problems.add([...at, member], 'must be a string')
  }
  const provider = providerOf(group, at, place)
  if (provider === null) return
  const target = { provider, model: textOf(place.model_path) || model, extraBody: optionsOf(group, at, entry) }
  const origin = group.originOf(at)
  if (group.draft.get(['models', model]) === undefined) group.draft.set(['models', model], { targets: [] }, origin)
  group.draft.push(['models', model, 'targets'], target, origin)
}

/** Defaults of the group, overridden by the model's own members, overridden by its nested ones. */
function optionsOf(group: Group, at: Path, entry: JsonObject): JsonObject {
  const isOption = ([member]: [string, unknown]): boolean => !PLACE.includes(member) && !NESTED_OPTIONS.includes(member)
  let options = mergeUnder(group.defaults, Object.fromEntries(Object.entries(entry).filter(isOption)))
  for (const member of NESTED_OPTIONS) {
    const nested = entry[member] ?? {}
    if (isJsonObject(nested)) options = mergeUnder(options, nested)
    else group.problems.add([...at, member], 'must be an object')
  }
  return options
}

/** Name of the provider that serves the model: a known one, or one made from its URL and key. */
function providerOf(group: Group, at: Path, place: JsonObject): string | null {
  const kind = kindOf(textOf(place.api_type) || group.name, group.file.catalog)
  const key = textOf(place.api_token)
  const address = textOf(place.api_host)
  // The vendor's own URL adds nothing; without it the vendor's key from the environment applies.
  const host = isSameOrigin(address, kind?.profile?.baseUrl ?? null) ? '' : address
  if (host === '' && key === '') {
    if (group.draft.names(['providers']).includes(group.name)) return group.name
    if (kind?.profile !== undefined) return kind.profile.name
  }
  if (kind === null || (host === '' && kind.profile === undefined)) return refusePlace(group, at, place)
  const entry: Record<string, string> =
    kind.profile === undefined ? { protocol: kind.protocol } : { profile: kind.profile.name }
  if (host !== '') entry.baseUrl = host
  if (key !== '') entry.apiKey = key
  return addProvider(group, at, entry)
}

type Kind =
  | { readonly profile: VendorProfile; readonly protocol?: never }
  | { readonly protocol: string; readonly profile?: never }

/** A vendor's profile or a wire API by its name, ignoring case and punctuation; null for neither. */
function kindOf(word: string, { profiles, protocols }: Catalog): Kind | null {
  const profile = profiles.find(({ name }) => bare(name) === bare(word))
  if (profile !== undefined) return { profile }
  const protocol = Object.keys(protocols).find((name) => bare(name) === bare(word))
  return protocol === undefined ? null : { protocol }
}

function bare(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '')
}

function refusePlace(group: Group, at: Path, place: JsonObject): null {
  const { profiles, protocols } = group.file.catalog
  const known = [...profiles.map(({ name }) => name), ...Object.keys(protocols)]
  const type = textOf(place.api_type)
  if (type !== '' && kindOf(type, group.file.catalog) === null) {
    group.problems.add([...at, 'api_type'], 'is neither a vendor profile nor a protocol', nearestName(type, known))
  } else if (type !== '') {
    group.problems.add([...at, 'api_host'], 'is required')
  } else {
    const names = [...group.draft.names(['providers']), ...known]
    const reason = 'is not a known provider; name one, or set api_type and api_host on its models'
    group.problems.add([group.name], reason, nearestName(group.name, names))
  }
  return null
}

/** Models of one address and key share a provider, which has the group's name if that is free. */
function addProvider(group: Group, at: Path, entry: Record<string, string>): string {
  const connection = JSON.stringify(entry)
  const known = group.providers.get(connection)
  if (known !== undefined) return known
  const taken = group.draft.names(['providers'])
  let name = group.name
  for (let count = 2; taken.includes(name); count++) name = `${group.name}-${count}`
  group.draft.set(['providers', name], entry, group.originOf(at))
  group.providers.set(connection, name)
  return name
}

function isSameOrigin(a: string, b: string | null): boolean {
  return b !== null && URL.canParse(a) && new URL(a).origin === new URL(b).origin
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value.trim() : ''
}
