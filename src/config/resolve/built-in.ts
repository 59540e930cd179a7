// How a configuration requests the built-in simulator: by an entry of its profile without a base URL. The simulator has a URL
// only once it listens, so until then such a provider has a provisional one.

import { type ProviderEntry } from '../schema/provider.js'
import { SIMULATOR } from './providers.js'

/** No server can have port 0. */
const PROVISIONAL_URL = 'http://127.0.0.1:0'

/** The same entries; those that request the built-in simulator get the provisional URL. */
export function markBuiltIn(entries: Readonly<Record<string, ProviderEntry>>): Readonly<Record<string, ProviderEntry>> {
  const marked = Object.entries(entries).map(([name, entry]) => {
    return [name, asksForSimulator(name, entry) ? { ...entry, baseUrl: PROVISIONAL_URL } : entry] as const
  })
  return Object.fromEntries(marked)
}

/** True for a provider that still needs the URL of the built-in simulator. */
export function isBuiltIn(provider: { readonly baseUrl: string }): boolean {
  return provider.baseUrl.startsWith(`${PROVISIONAL_URL}/`)
}

function asksForSimulator(name: string, entry: ProviderEntry): boolean {
  const profile = entry.profile ?? (entry.protocol === undefined ? name : null)
  return profile === SIMULATOR && !entry.baseUrl
}
