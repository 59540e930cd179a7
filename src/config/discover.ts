// Providers that become known only at start: model servers found on this machine, and the built-in simulator. Profiles name
// the loopback ports and paths to probe; configured providers are left alone. The request function is passed in.
import { isJsonObject } from '../model/json.js'
import { type Catalog, type VendorProfile } from './catalog.js'
import { freeze } from './load.js'
import { isBuiltIn } from './resolve/built-in.js'
import { profileProvider, SIMULATOR, simulatorProvider } from './resolve/providers.js'
import { type ProviderEntry } from './schema/provider.js'
import { type Config, type ProviderConfig } from './types.js'

/** The body of a 200 answer, null for anything else; never rejects. */
export type LocalGet = (url: string, timeoutMs: number) => Promise<string | null>

/** A server on loopback answers within milliseconds; start-up waits no longer than this. */
const TIMEOUT_MS = 300

export type BuiltInFacts = {
  readonly catalog: Catalog
  /** Where the simulator listens, without a path. */
  readonly origin: string
  readonly providerDefaults: ProviderEntry
}

/** Probes all ports concurrently and returns the servers found, in the order of the profiles. */
export async function discoverLocal(
  catalog: Catalog,
  loaded: { readonly config: Config; readonly providerDefaults: ProviderEntry },
  getLocal: LocalGet,
): Promise<ProviderConfig[]> {
  const candidates = catalog.profiles.filter((profile) => !isConfigured(profile, loaded.config))
  const found = await Promise.all(candidates.map((profile) => ask(profile, getLocal)))
  return found.flatMap((models, index) => {
    const profile = candidates[index]
    if (models === null || profile === undefined) return []
    return [profileProvider(catalog, profile.name, { ...loaded.providerDefaults, models })]
  })
}

/**
 * The same configuration with the found providers after the configured ones; frozen like the first. The simulator no longer
 * serves as a substitute once there is any other provider.
 */
export function withProviders(config: Config, added: readonly ProviderConfig[]): Config {
  const providers = [...config.providers, ...added]
  const isAlone = config.simulator !== 'stand-in' || added.every(isSimulator)
  return freeze({ ...config, providers, simulator: isAlone ? config.simulator : null })
}

/** The same configuration, frozen, with the simulator in its configured place or, as a substitute, as the last provider. */
export function withSimulator(config: Config, { catalog, origin, providerDefaults }: BuiltInFacts): Config {
  const simulator = simulatorProvider(catalog, origin, providerDefaults)
  if (config.simulator === 'stand-in') return withProviders(config, [simulator])
  const providers = config.providers.map((provider) =>
    isBuiltIn(provider) ? { ...provider, baseUrl: simulator.baseUrl } : provider,
  )
  return freeze({ ...config, providers })
}

function isSimulator(provider: ProviderConfig): boolean {
  return provider.profile === SIMULATOR
}

function isConfigured(profile: VendorProfile, config: Config): boolean {
  const origin = profile.discover?.url
  if (origin === undefined) return true
  return config.providers.some(
    (provider) =>
      provider.name === profile.name || provider.profile === profile.name || originOf(provider.baseUrl) === origin,
  )
}

/** `localhost` is as common as its address. */
function originOf(baseUrl: string): string {
  const url = new URL(baseUrl)
  return `${url.protocol}//${url.hostname === 'localhost' || url.hostname === '[::1]' ? '127.0.0.1' : url.hostname}:${url.port}`
}

/** The names of the models there; null if nothing answers, or something other than a model server. */
async function ask(profile: VendorProfile, getLocal: LocalGet): Promise<string[] | null> {
  if (profile.discover === undefined) return null
  const { url, path, ownedBy } = profile.discover
  const body = await getLocal(`${url}${path}`, TIMEOUT_MS)
  return body === null ? null : readModelList(body, ownedBy ?? null)
}

/** `{"data":[{"id","owned_by"}]}`; a server without models has an empty list or null. */
function readModelList(body: string, ownedBy: string | null): string[] | null {
  const list = parseJson(body)
  if (!isJsonObject(list) || !('data' in list)) return null
  const models = Array.isArray(list.data) ? list.data.filter(isJsonObject) : []
  if (ownedBy !== null && !models.some((model) => model.owned_by === ownedBy)) return null
  return models.flatMap((model) => (typeof model.id === 'string' && model.id !== '' ? [model.id] : []))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
