// Vendors that a caller may use with its own key although the operator has configured none. Their base URL comes from the
// entry, the environment or the profile, never from the caller; vendors without a base URL are not included.
import { type Catalog, type VendorProfile } from '../catalog.js'
import { type ProviderEntry } from '../schema/provider.js'
import { type WellKnownProvider } from '../types.js'
import { isPlaceholder } from '../validate/placeholder.js'
import { ProblemList } from '../validate/problem.js'
import { addressFrom } from './cloud/address.js'
import { type ProviderContext, resolveProvider, SIMULATOR, type Surroundings } from './providers.js'

export type WellKnownContext = Surroundings & {
  readonly catalog: Catalog
  /** A provider entry with nothing but defaults. */
  readonly providerDefaults: ProviderEntry
  /** All entries of the configuration, usable or left out. */
  readonly entries: Readonly<Record<string, ProviderEntry>>
  /** Names of the providers that can be used. */
  readonly usable: ReadonlySet<string>
}

/** All of them, in the order of the profiles; entries that were left out because of a missing key come first. */
export function resolveWellKnown(context: WellKnownContext): WellKnownProvider[] {
  const { catalog, entries, usable } = context
  const leftOut = Object.keys(entries).filter((name) => !usable.has(name))
  const unnamed = catalog.profiles.filter(({ name }) => name !== SIMULATOR && !Object.hasOwn(entries, name))
  return [
    ...leftOut.flatMap((name) => resolve(name, entries[name] ?? context.providerDefaults, context)),
    ...unnamed.flatMap((profile) => resolve(profile.name, entryOf(profile, context), context)),
  ]
}

/** What the environment sets for a vendor, except its key. */
function entryOf(profile: VendorProfile, { variables, providerDefaults }: WellKnownContext): ProviderEntry {
  const urlVariable = profile.baseUrlVariables.find((name) => isAddress(variables[name] ?? ''))
  const baseUrl = urlVariable === undefined ? undefined : variables[urlVariable]
  const headers: Record<string, string> = {}
  for (const [variable, header] of Object.entries(profile.headerVariables ?? {})) {
    const value = variables[variable]
    if (value !== undefined && value !== '') headers[header] = value
  }
  const parts = addressFrom(profile, variables).map(({ part, value }) => [part, value])
  const address = { ...providerDefaults.address, ...Object.fromEntries(parts) }
  return { ...providerDefaults, headers, address, ...(baseUrl === undefined ? {} : { baseUrl }) }
}

/** A placeholder counts as not set, as for configured vendors. */
function isAddress(value: string): boolean {
  return value !== '' && !isPlaceholder(value)
}

/** Empty if it has no valid base URL; the check of its entry reports an invalid one. */
function resolve(name: string, entry: ProviderEntry, surroundings: WellKnownContext): WellKnownProvider[] {
  const { catalog } = surroundings
  const problems = new ProblemList(() => ({ line: null, origin: null }))
  const warnings: string[] = []
  const context: ProviderContext = {
    catalog,
    problems,
    warnings,
    missingKeys: new Map(),
    surroundings,
    isKeyOptional: true,
  }
  const { apiKey: _, ...keyless } = entry
  const provider = resolveProvider(name, keyless, context)
  if (provider === null || problems.length > 0) return []
  const profile = catalog.profiles.find((candidate) => candidate.name === provider.profile)
  return [{ provider, isKeyless: profile?.keyless === true }]
}
