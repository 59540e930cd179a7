// Configured model names: shorthands spelt out, every target and fallback checked to exist. What only lacks a key is left
// out with a warning; what was never configured at all is a problem.
import { mergeUnder } from '../model/json.js'
import { type Catalog } from './catalog.js'
import { nearestName, type Path, type ProblemList } from './problem.js'
import { toJsonObject } from './providers.js'
import { type ModelEntry } from './schema.js'
import { type ModelConfig, type ProviderConfig, type TargetConfig } from './types.js'

export type ModelContext = {
  readonly catalog: Catalog
  readonly problems: ProblemList
  readonly warnings: string[]
  /** Providers that can be used. */
  readonly usable: ReadonlyMap<string, ProviderConfig>
  /** Providers that have an entry, whether usable or left out. */
  readonly named: ReadonlySet<string>
}

type TargetEntry = Exclude<ModelEntry, string>['targets'][number]

/** All models that have a target left, in the order of the entries. */
export function resolveModels(entries: Readonly<Record<string, ModelEntry>>, context: ModelContext): ModelConfig[] {
  const models: { name: string; targets: TargetConfig[]; fallbacks: readonly string[] }[] = []
  for (const [name, entry] of Object.entries(entries)) {
    const targets = resolveTargets(name, entry, context)
    if (targets.length > 0) models.push({ name, targets, fallbacks: typeof entry === 'string' ? [] : entry.fallbacks })
    else context.warnings.push(`model ${name} is left out: none of its targets can be used`)
  }
  const served = new Set(models.map((model) => model.name))
  const known = Object.keys(entries)
  return models.map(({ name, targets, fallbacks }) => ({
    name,
    targets,
    fallbacks: fallbacks.filter((fallback, index) => {
      const at: Path = ['models', name, 'fallbacks', index]
      if (fallback === name) context.problems.add(at, 'is the model itself')
      else if (!known.includes(fallback))
        context.problems.add(at, 'is not a configured model', nearestName(fallback, known))
      return served.has(fallback)
    }),
  }))
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
    context.problems.add(['models', name, 'targets'], 'need at least one weight above 0')
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
  const { provider, model, weight } = target
  const usable = context.usable.get(provider)
  const own = toJsonObject(target.extraBody)
  // Merged here, at every depth: whoever lays one over the other later cannot lose members of a nested object.
  if (usable !== undefined) return [{ provider, model, weight, extraBody: mergeUnder(usable.extraBody, own) }]
  const isVendor = context.catalog.profiles.some((profile) => profile.name === provider)
  if (context.named.has(provider) || isVendor) {
    context.warnings.push(`${at.join('.')} is left out: provider ${provider} has no key`)
  } else {
    const place = typeof entry === 'string' ? at : [...at, 'provider']
    context.problems.add(place, 'names a provider that is not configured', nearestName(provider, [...context.named]))
  }
  return []
}

function spellOut(text: string): Exclude<TargetEntry, string> | null {
  const slash = text.indexOf('/')
  if (slash < 1 || slash === text.length - 1) return null
  return { provider: text.slice(0, slash), model: text.slice(slash + 1), weight: 1, extraBody: {} }
}
