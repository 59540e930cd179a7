// Resolves the configured models: expands short forms and checks that every target and fallback exists. A provider that only
// lacks its key is left out with a warning; one that is not configured at all is a problem.
import { mergeUnder } from '../../model/json.js'
import { type Catalog } from '../catalog.js'
import { type ModelEntry } from '../schema/model.js'
import { type LeftOut } from '../sources/environment.js'
import { type HedgeConfig, type ModelConfig, type ProviderConfig, type TargetConfig } from '../types.js'
import { nearestName, type Path, type ProblemList } from '../validate/problem.js'
import { toJsonObject } from './providers.js'

export type ModelContext = {
  readonly catalog: Catalog
  readonly problems: ProblemList
  readonly warnings: string[]
  /** Providers that can be used. */
  readonly usable: ReadonlyMap<string, ProviderConfig>
  /** Providers that have an entry, whether usable or left out. */
  readonly named: ReadonlySet<string>
  /** Collects the targets that are left out, with the reason. */
  readonly leftOut?: LeftOut[]
}

type TargetEntry = Exclude<ModelEntry, string>['targets'][number]
type HedgeEntry = Exclude<ModelEntry, string>['hedge']

/** Members of a model that name other models. */
const LINKS = ['fallbacks', 'contextFallbacks'] as const

/** All models that have a target left, in the order of the entries. */
export function resolveModels(entries: Readonly<Record<string, ModelEntry>>, context: ModelContext): ModelConfig[] {
  const models = Object.entries(entries).map(([name, entry]): ModelConfig => {
    const targets = resolveTargets(name, entry, context)
    const { fallbacks, contextFallbacks, affinity, timeouts, hedge, coalesce, cache } =
      typeof entry === 'string' ? PLAIN : entry
    if (targets.length === 0) context.warnings.push(`model ${name} is ignored: none of its targets is usable`)
    const links = { fallbacks, contextFallbacks, affinity }
    return { name, targets, ...links, timeouts, hedge: resolveHedge(name, hedge, context), coalesce, cache }
  })
  const served = models.filter(({ targets }) => targets.length > 0)
  const names = { served: new Set(served.map(({ name }) => name)), known: new Set(Object.keys(entries)), context }
  // Those that are left out are checked too, so that one run reports all that is wrong.
  const linked = models.map((model): ModelConfig => {
    const [fallbacks = [], contextFallbacks = []] = LINKS.map((link) => resolveLink(model, link, names))
    return { ...model, fallbacks, contextFallbacks }
  })
  return linked.filter(({ targets }) => targets.length > 0)
}

/** The members of a model in short form. */
const PLAIN = {
  fallbacks: [],
  contextFallbacks: [],
  affinity: 'none',
  timeouts: {},
  hedge: null,
  coalesce: false,
  cache: null,
} as const

type Names = {
  readonly served: ReadonlySet<string>
  readonly known: ReadonlySet<string>
  readonly context: ModelContext
}

/** The models that one member names, without those that were left out. */
function resolveLink(model: ModelConfig, link: (typeof LINKS)[number], names: Names): string[] {
  const { served, known, context } = names
  return model[link].filter((other, index) => {
    const at: Path = ['models', model.name, link, index]
    if (other === model.name) context.problems.add(at, 'must not name the model itself')
    else if (!known.has(other)) context.problems.add(at, 'is not a configured model', nearestName(other, [...known]))
    return served.has(other)
  })
}

function resolveHedge(name: string, entry: HedgeEntry, { problems }: ModelContext): HedgeConfig | null {
  if (entry === null) return null
  const { afterMs = null, percentile = null, maxExtra } = entry
  if (afterMs === null && percentile === null) {
    problems.add(['models', name, 'hedge'], 'requires afterMs or percentile')
  }
  return { afterMs, percentile, maxExtra }
}

/** Providers that targets name, for those that need no entry of their own. */
export function providersNamedIn(entries: Readonly<Record<string, ModelEntry>>): string[] {
  return Object.values(entries).flatMap((entry) =>
    (typeof entry === 'string' ? [entry] : entry.targets).map((target) =>
      typeof target === 'string' ? (target.split('/')[0] ?? '') : target.provider,
    ),
  )
}

function resolveTargets(name: string, entry: ModelEntry, context: ModelContext): TargetConfig[] {
  if (typeof entry === 'string') return resolveTarget(entry, ['models', name], context)
  const targets = entry.targets.flatMap((target, index) =>
    resolveTarget(target, ['models', name, 'targets', index], context),
  )
  if (targets.length > 0 && targets.every((target) => target.weight === 0)) {
    context.problems.add(['models', name, 'targets'], 'must include at least one weight above 0')
  }
  return targets
}

/** One target, or none. */
function resolveTarget(entry: TargetEntry, at: Path, context: ModelContext): TargetConfig[] {
  const target = typeof entry === 'string' ? spellOut(entry) : entry
  if (target === null) {
    context.problems.add(at, 'must be provider/model')
    return []
  }
  const { provider, model, weight, concurrency, thinking, contextTokens, maxOutputTokens } = target
  const usable = context.usable.get(provider)
  const own = toJsonObject(target.extraBody)
  // Merged here, at every depth, so that a later shallow merge cannot lose members of a nested object.
  if (usable !== undefined) {
    const extraBody = mergeUnder(usable.extraBody, own)
    return [{ provider, model, weight, concurrency, extraBody, thinking, contextTokens, maxOutputTokens }]
  }
  const vendor = context.catalog.profiles.find((profile) => profile.name === provider)
  if (context.named.has(provider) || vendor !== undefined) {
    const hint = context.named.has(provider) ? undefined : vendor?.keyVariables[0]
    const reason = `provider ${provider} has no key${hint === undefined ? '' : `, and ${hint} is not set`}`
    context.warnings.push(`${at.join('.')} is ignored: ${reason}`)
    context.leftOut?.push({ name: at.join('.'), reason })
  } else {
    const place = typeof entry === 'string' ? at : [...at, 'provider']
    context.problems.add(place, 'names a provider that is not configured', nearestName(provider, [...context.named]))
  }
  return []
}

function spellOut(text: string): Exclude<TargetEntry, string> | null {
  const slash = text.indexOf('/')
  if (slash < 1 || slash === text.length - 1) return null
  const [provider, model] = [text.slice(0, slash), text.slice(slash + 1)]
  const unknown = { thinking: null, contextTokens: null, maxOutputTokens: null }
  return { provider, model, weight: 1, concurrency: null, extraBody: {}, ...unknown }
}
