// Resolves providers: joins entry, vendor profile and protocol defaults into one flat record. Knows no vendor by name. A
// provider without a key is left out; an invalid one is a problem.

import { type EndpointId, RESOURCE_IDS } from '../../model/endpoint.js'
import { isJsonObject, type JsonObject } from '../../model/json.js'
import { type Quirks } from '../../model/target.js'
import { type Catalog, type ProtocolDefaults, type VendorProfile } from '../catalog.js'
import { type CredentialsConfig } from '../credential-types.js'
import { type ProviderEntry } from '../schema/provider.js'
import { type LeftOut } from '../sources/environment.js'
import { type Variables } from '../sources/substitute.js'
import { type ProviderConfig } from '../types.js'
import { nearestName, type Path, ProblemList, refusal } from '../validate/problem.js'
import { normaliseBaseUrl, withoutVersion } from './base-url.js'
import { fillAddress } from './cloud/address.js'
import { resolveCredentials } from './cloud/credentials.js'
import { resolveProxy } from './proxies.js'
import { resolveProviderTls } from './tls/provider-tls.js'
import { type TlsFiles } from './tls/tls-files.js'

/** What fits into a header value without quoting; keys are sent in one. */
const HEADER_SAFE = /^[\x21-\x7e]+$/
/** Set by the HTTP client or the wire; a fixed value would break the framing or misdescribe the body. */
const FORBIDDEN_HEADERS = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'content-type',
  'accept-encoding',
  'te',
  'trailer',
  'upgrade',
  'keep-alive',
  'expect',
])
/** Name of the profile, and so of the provider, of the built-in simulator. */
export const SIMULATOR = 'sim'

export type Surroundings = TlsFiles & { readonly variables: Variables }

export type ProviderContext = {
  readonly catalog: Catalog
  readonly problems: ProblemList
  readonly warnings: string[]
  /** Provider name -> the unset variable that should hold its key. */
  readonly missingKeys: ReadonlyMap<string, string>
  /** Collects the providers that are left out, with the reason. */
  readonly leftOut?: LeftOut[]
  /** Variables and files that affect how a provider is reached; without them only its entry does. */
  readonly surroundings?: Surroundings
  /** A missing key is no reason to leave a provider out: callers bring their own. */
  readonly isKeyOptional?: true
}

/** All providers that can be used, in the order of the entries. */
export function resolveProviders(
  entries: Readonly<Record<string, ProviderEntry>>,
  context: ProviderContext,
): ProviderConfig[] {
  const resolved: ProviderConfig[] = []
  for (const [name, entry] of Object.entries(entries)) {
    const provider = resolveProvider(name, entry, context)
    if (provider !== null) resolved.push(provider)
  }
  return resolved
}

/** One provider; null if it is left out (a warning says why) or wrong (a problem says why). */
export function resolveProvider(name: string, entry: ProviderEntry, context: ProviderContext): ProviderConfig | null {
  const at: Path = ['providers', name]
  const profile = findProfile(name, entry, context)
  if (profile === undefined) return null
  const protocol = entry.protocol ?? profile?.protocol ?? ''
  const defaults = Object.hasOwn(context.catalog.protocols, protocol) ? context.catalog.protocols[protocol] : undefined
  if (defaults === undefined) {
    const known = Object.keys(context.catalog.protocols)
    context.problems.add([...at, 'protocol'], `must be one of ${known.join(', ')}`, nearestName(protocol, known))
    return null
  }
  // Over a wire that the vendor's profile does not describe, only the protocol's defaults apply.
  const fitting = profile === null ? null : throughDoor(profile, protocol)
  checkHeaders(entry, at, context)
  checkAddress(entry, profile, { at, problems: context.problems })
  const quirks = joinQuirks(defaults, fitting, entry)
  const baseUrl = resolveBaseUrl(entry, { at, defaults, fitting, quirks }, context)
  const apiKey = entry.apiKey || null
  if (apiKey !== null && !HEADER_SAFE.test(apiKey)) {
    context.problems.add([...at, 'apiKey'], 'must be printable ASCII without spaces')
  }
  const credentials = resolveOwnCredentials(name, entry, { profile, at }, context)
  const isEnough = context.isKeyOptional === true || entry.credentials !== null
  const reason = isEnough ? null : whyLeftOut(name, { entry, profile, apiKey }, context)
  if (reason !== null) {
    context.warnings.push(`provider ${name} is ignored: ${reason}`)
    context.leftOut?.push({ name, reason })
  }
  if (reason !== null || baseUrl === null) return null
  return {
    name,
    profile: profile?.name ?? null,
    priceList: profile?.prices ?? null,
    spanName: profile?.spanName ?? null,
    protocol,
    baseUrl,
    apiKey: credentials === null ? apiKey : null,
    credentials,
    auth: (fitting ?? defaults).auth,
    headers: { ...fitting?.headers, ...entry.headers },
    limits: entry.limits,
    timeouts: entry.timeouts,
    quirks,
    modelPatterns: profile?.modelPatterns ?? [],
    knownModels: entry.models ?? (profile === null ? [] : (context.catalog.models[profile.name] ?? [])),
    endpoints: entry.endpoints ?? fitting?.endpoints ?? null,
    resources: resourcesOf(entry, fitting),
    extraBody: toJsonObject(entry.extraBody),
    keepAliveMs: entry.keepAliveMs,
    maxConnections: entry.maxConnections,
    maxIdleConnections: entry.maxIdleConnections,
    isolation: entry.isolation,
    ...resolveConnection(name, entry, { baseUrl, at }, context),
  }
}

/**
 * At an address other than the vendor's there may be a proxy that adds a key of the operator's, whoever asks: what accounts hold is
 * offered there only if the entry says so.
 */
function resourcesOf({ endpoints, baseUrl }: ProviderEntry, fitting: VendorProfile | null): readonly EndpointId[] {
  const isVendors = !baseUrl || baseUrl === fitting?.baseUrl || fitting?.name === SIMULATOR
  const offered = endpoints ?? (isVendors ? fitting?.endpoints : undefined) ?? []
  return RESOURCE_IDS.filter((id) => offered.includes(id))
}

type Owner = { readonly profile: VendorProfile | null; readonly at: Path }

/** They take the place of the key, and of any header that would do so. */
function resolveOwnCredentials(
  name: string,
  entry: ProviderEntry,
  { profile, at }: Owner,
  { problems, warnings, surroundings = NO_SURROUNDINGS }: ProviderContext,
): CredentialsConfig | null {
  if (entry.credentials === null) return null
  if (entry.apiKey) warnings.push(`providers.${name}.apiKey is ignored: its credentials authorize the requests`)
  for (const header of ['authorization', 'x-amz-date', 'x-amz-security-token']) {
    if (header in entry.headers) problems.add([...at, 'headers', header], 'is set by the credentials of this provider')
  }
  const files = { files: surroundings, problems, warnings }
  return resolveCredentials(entry, { name, at, profile, files, variables: surroundings.variables })
}

/** For providers that are found on this machine or built in: no variable or file applies. */
const NO_SURROUNDINGS: Surroundings = Object.freeze({ variables: {}, cwd: '/', nowMs: 0, readFile: () => null })

function resolveConnection(
  name: string,
  entry: ProviderEntry,
  { baseUrl, at }: { readonly baseUrl: string; readonly at: Path },
  { problems, warnings, surroundings = NO_SURROUNDINGS }: ProviderContext,
): Pick<ProviderConfig, 'proxy' | 'tls' | 'http2'> {
  const { variables } = surroundings
  if (entry.http2 === 'on' && !baseUrl.startsWith('https:'))
    problems.add([...at, 'http2'], 'needs a baseUrl with https')
  if (entry.http2 === 'on' && entry.isolation !== 'none') problems.add([...at, 'http2'], 'needs isolation none')
  return {
    http2: entry.http2,
    proxy: resolveProxy({ name, baseUrl, proxy: entry.proxy, variables }, problems),
    tls: resolveProviderTls(entry, at, { files: surroundings, problems, warnings }),
  }
}

/**
 * The provider of the built-in simulator, which the caller has started at `baseUrl`.
 * @throws misconfigured if that is no base URL
 */
export function simulatorProvider(catalog: Catalog, baseUrl: string, entry: ProviderEntry): ProviderConfig {
  return profileProvider(catalog, SIMULATOR, { ...entry, baseUrl })
}

/**
 * A provider made from its profile alone, such as one found on this machine.
 * @throws misconfigured if there is no such keyless profile
 */
export function profileProvider(catalog: Catalog, name: string, entry: ProviderEntry): ProviderConfig {
  const problems = new ProblemList(() => ({ line: null, origin: null }))
  const provider = resolveProvider(name, entry, { catalog, problems, warnings: [], missingKeys: new Map() })
  problems.throwIfAny()
  if (provider === null) throw refusal(`the profile ${name} requires a key`)
  return provider
}

/** Unknown members were checked to be JSON; anything but an object becomes an empty one. */
export function toJsonObject(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {}
}

/** The entry's profile, null for a server without one, undefined if what it names does not exist. */
function findProfile(name: string, entry: ProviderEntry, context: ProviderContext): VendorProfile | null | undefined {
  const { profiles } = context.catalog
  const wanted = entry.profile ?? (entry.protocol === undefined ? name : null)
  if (wanted === null) return null
  const profile = profiles.find((candidate) => candidate.name === wanted)
  if (profile !== undefined) return profile
  const known = profiles.map((candidate) => candidate.name)
  const nearest = nearestName(wanted, known)
  if (entry.profile !== undefined)
    context.problems.add(['providers', name, 'profile'], 'is not a known profile', nearest)
  else context.problems.add(['providers', name], 'is not a known profile, so profile or protocol is required', nearest)
  return undefined
}

/** The profile as it is for one of its wires; null if it does not describe that one. */
function throughDoor(profile: VendorProfile, protocol: string): VendorProfile | null {
  if (profile.protocol === protocol) return profile
  const doors = profile.doors ?? {}
  if (!Object.hasOwn(doors, protocol)) return null
  const { quirks: _, ...shared } = profile
  return { ...shared, ...doors[protocol], protocol }
}

function checkHeaders(entry: ProviderEntry, at: Path, context: ProviderContext): void {
  for (const header of Object.keys(entry.headers)) {
    if (FORBIDDEN_HEADERS.has(header)) context.problems.add([...at, 'headers', header], 'is set by the gateway itself')
  }
}

function joinQuirks(defaults: ProtocolDefaults, profile: VendorProfile | null, entry: ProviderEntry): Quirks {
  return { ...defaults.quirks, ...profile?.quirks, ...entry.quirks }
}

type BaseUrlParts = {
  readonly at: Path
  readonly defaults: ProtocolDefaults
  readonly fitting: VendorProfile | null
  readonly quirks: Quirks
}

function resolveBaseUrl(entry: ProviderEntry, parts: BaseUrlParts, context: ProviderContext): string | null {
  const { at, defaults, fitting, quirks } = parts
  const text = entry.baseUrl || fillBaseUrl(entry, fitting, { at, problems: context.problems })
  if (text === null) return null
  const segment = entry.versionSegment ?? fitting?.versionSegment ?? defaults.versionSegment
  // A dated API has its version in the query, not in the path.
  const versionSegment = quirks.deploymentApiVersion === null ? segment : withoutVersion(segment)
  const base = normaliseBaseUrl(text, { versionSegment, clientsGiveVersion: defaults.clientsGiveVersion })
  if ('url' in base) return base.url
  context.problems.add([...at, 'baseUrl'], base.reason)
  return null
}

type Place = { readonly at: Path; readonly problems: ProblemList }

/** The profile's base URL with the parts of the entry's address; a missing one is a problem. */
function fillBaseUrl(
  { address }: ProviderEntry,
  fitting: VendorProfile | null,
  { at, problems }: Place,
): string | null {
  const template = fitting?.baseUrl ?? null
  if (fitting === null || template === null) {
    problems.add([...at, 'baseUrl'], 'is required')
    return null
  }
  const filled = fillAddress(template, address, fitting)
  if ('url' in filled) return filled.url
  for (const part of filled.missing) {
    const variables = fitting.address?.[part] ?? []
    const hint = variables.length === 0 ? '' : `; ${variables.join(' or ')} sets it, too`
    problems.add([...at, 'address', part], `is required by the base URL of the profile ${fitting.name}${hint}`)
  }
  return null
}

/** A part that the profile does not know would have no effect. */
function checkAddress({ address }: ProviderEntry, profile: VendorProfile | null, { at, problems }: Place): void {
  for (const part of Object.keys(address)) {
    if (profile?.address !== undefined && Object.hasOwn(profile.address, part)) continue
    const known = Object.keys(profile?.address ?? {})
    const reason = known.length === 0 ? 'takes no address' : `has only ${known.join(', ')}`
    problems.add(
      [...at, 'address', part],
      `is not used: the profile ${profile?.name ?? ''} ${reason}`.replace('  ', ' '),
    )
  }
}

type KeyState = {
  readonly entry: ProviderEntry
  readonly profile: VendorProfile | null
  readonly apiKey: string | null
}

/** A missing key is not an error while another provider is usable: one file may serve machines with different keys. */
function whyLeftOut(name: string, { entry, profile, apiKey }: KeyState, context: ProviderContext): string | null {
  if (apiKey !== null || profile?.keyless === true) return null
  const variable = context.missingKeys.get(name)
  if (variable !== undefined) return `${variable} is not set`
  // A base URL and no apiKey at all: a server that needs no key.
  if (entry.apiKey === undefined && entry.baseUrl !== undefined) return null
  const hint = profile?.keyVariables[0]
  const other = profile?.credentials === undefined ? '' : `, and no credentials (kind ${profile.credentials.kind})`
  return `it has no apiKey${hint === undefined ? '' : `, and ${hint} is not set`}${other}`
}
