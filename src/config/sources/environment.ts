// Overlays the file with the environment: Sluice's own variables, the vendors' variables for key and base URL (from their
// profiles), and those of the systems that Sluice replaces. Pure: it is given the variables; an empty one counts as not set.
import { type Catalog, type VendorProfile } from '../catalog.js'
import { isPlaceholder } from '../validate/placeholder.js'
import { type Path } from '../validate/problem.js'
import { type Draft } from './draft.js'
import { type Variables } from './substitute.js'

const MS_PER_SECOND = 1000
const DEFAULT_WINDOW_SECONDS = '60'
/** The schema's default total time for an answer. */
const DEFAULT_TOTAL_MS = 600_000

/** Later rows win over earlier ones. */
const PLAIN_VARIABLES: readonly (readonly [name: string, path: Path])[] = [
  ['PORT', ['server', 'port']],
  ['HOST', ['server', 'host']],
  ['ADMIN_KEY', ['admin', 'key']],
  ['ADMIN_PORT', ['admin', 'port']],
  ['LLM_PROXY_API_LOG_FILENAME', ['log', 'file']],
  ['LLM_PROXY_API_EP_PREFIX', ['compat', 'apiPrefix']],
  ['LLM_PROXY_API_PROMPTS_DIR', ['prompts', 'dir']],
  ['LLM_PROXY_API_DEFAULT_EP_LANGUAGE', ['prompts', 'defaultLanguage']],
  ['HEALTH_STATUS', ['compat', 'healthStatus']],
  ['REDIS_URL', ['redis', 'url']],
  ['MAX_CONCURRENT', ['jobs', 'concurrency']],
]
const DEBUG_VARIABLE = 'LLM_PROXY_API_IN_DEBUG'
const LEVEL_VARIABLES = ['LLM_PROXY_API_LOG_LEVEL', 'LOG_LEVEL']
/** Names that other systems give the levels. */
const LEVEL_NAMES: Readonly<Record<string, string>> = {
  warning: 'warn',
  notice: 'info',
  critical: 'error',
  fatal: 'error',
  off: 'silent',
  none: 'silent',
}
/** Silence of the upstream: what an HTTP client's one timeout bounds. A whole answer is silent until it is there. */
const SILENCE_TIMEOUTS = ['firstTokenMs', 'betweenTokensMs', 'wholeMs']

/** Remarks about the variables, one line each. */
export type EnvironmentNotes = {
  readonly warnings: readonly string[]
  /** Vendors that a variable names but that are not usable, with the reason. */
  readonly leftOut: readonly LeftOut[]
}

/** A provider that was named and cannot be used; `reason` names the variable or option that is missing, never a value. */
export type LeftOut = { readonly name: string; readonly reason: string }

type Overlay = {
  readonly draft: Draft
  readonly warnings: string[]
  readonly leftOut: LeftOut[]
  /** The variable's value; undefined if it is missing or empty. */
  read(name: string): string | undefined
}

/** Writes the values of the variables into the draft. */
export function applyEnvironment(draft: Draft, variables: Variables, catalog: Catalog): EnvironmentNotes {
  const warnings: string[] = []
  const leftOut: LeftOut[] = []
  const overlay: Overlay = { draft, warnings, leftOut, read: (name) => variables[name] || undefined }
  for (const [name, path] of PLAIN_VARIABLES) setFrom(overlay, name, path)
  applyLogLevel(overlay)
  applyAsyncByDefault(overlay)
  if (isDebug(overlay)) draft.set(['compat', 'errorDetails'], true, DEBUG_VARIABLE)
  applyGatewayKeys(overlay)
  for (const profile of catalog.profiles) applyProfile(overlay, profile)
  applyRequestRate(overlay)
  return { warnings, leftOut }
}

/** What the environment sets for every provider, including those found later: one raw provider entry. */
export function applyProviderEnvironment(draft: Draft, variables: Variables, at: Path): void {
  const total = variables.LLM_PROXY_API_TIMEOUT || undefined
  if (total !== undefined) draft.set([...at, 'timeouts', 'totalMs'], toMs(total), 'LLM_PROXY_API_TIMEOUT')
  const silence = variables.HTTP_TIMEOUT_SECONDS || undefined
  if (silence !== undefined) applySilence(draft, [...at, 'timeouts'], toMs(silence))
  const connections = variables.HTTP_MAX_CONNECTIONS || undefined
  if (connections !== undefined) draft.set([...at, 'maxConnections'], connections, 'HTTP_MAX_CONNECTIONS')
  const idle = variables.HTTP_MAX_KEEPALIVE_CONNECTIONS || undefined
  if (idle !== undefined) draft.set([...at, 'maxIdleConnections'], idle, 'HTTP_MAX_KEEPALIVE_CONNECTIONS')
}

/** A stream may take longer than a silence, so the total is only raised, to at least the silence. */
function applySilence(draft: Draft, at: Path, ms: number | string): void {
  for (const member of SILENCE_TIMEOUTS) draft.set([...at, member], ms, 'HTTP_TIMEOUT_SECONDS')
  const total = draft.get([...at, 'totalMs']) ?? DEFAULT_TOTAL_MS
  if (typeof ms === 'number' && Number(total) < ms) draft.set([...at, 'totalMs'], ms, 'HTTP_TIMEOUT_SECONDS')
}

function setFrom(overlay: Overlay, name: string, path: Path): void {
  const value = overlay.read(name)
  if (value !== undefined) overlay.draft.set(path, value, name)
}

/** Text that is not a number is kept, for validation to reject. */
function toMs(seconds: string): number | string {
  const value = Number(seconds)
  return Number.isFinite(value) ? Math.round(value * MS_PER_SECOND) : seconds
}

/** Words for true and false in `.env` files; validation rejects any other. */
function applyAsyncByDefault({ draft, read }: Overlay): void {
  const word = read('ASYNC_BY_DEFAULT')?.trim()
  if (word === undefined) return
  const value = /^(1|true|yes|on)$/i.test(word) ? true : /^(0|false|no|off)$/i.test(word) ? false : word
  draft.set(['compat', 'asyncByDefault'], value, 'ASYNC_BY_DEFAULT')
}

/** LOG_LEVEL takes precedence, then IN_DEBUG (any value enables it), then the level of that system. */
function applyLogLevel(overlay: Overlay): void {
  const at: Path = ['log', 'level']
  for (const name of LEVEL_VARIABLES) {
    const level = overlay.read(name)?.trim().toLowerCase()
    if (level !== undefined) overlay.draft.set(at, LEVEL_NAMES[level] ?? level, name)
  }
  if (isDebug(overlay) && overlay.read('LOG_LEVEL') === undefined) overlay.draft.set(at, 'debug', DEBUG_VARIABLE)
}

/** Any value enables it. */
function isDebug(overlay: Overlay): boolean {
  return overlay.read(DEBUG_VARIABLE) !== undefined
}

/** All three variables apply; a key that occurs twice, or in the file as well, counts once. */
function applyGatewayKeys(overlay: Overlay): void {
  const known = new Set(overlay.draft.items(['keys']).map((_, index) => overlay.draft.get(['keys', index, 'key'])))
  const add = (name: string, key: string | undefined, origin: string): void => {
    if (key === undefined || key === '' || known.has(key)) return
    known.add(key)
    overlay.draft.push(['keys'], { name, key }, origin)
  }
  const list = overlay.read('API_KEYS')?.split(',') ?? []
  let position = 0
  for (const key of list.map((item) => item.trim()).filter((item) => item !== ''))
    add(`key-${++position}`, key, 'API_KEYS')
  add('api-key', overlay.read('API_KEY')?.trim(), 'API_KEY')
  add('api-token', overlay.read('API_TOKEN')?.trim(), 'API_TOKEN')
}

type Named = { readonly keyVariable: string | undefined; readonly urlVariable: string | undefined }

/** Configures a vendor by its variables: the entry of its name, or a new one. */
function applyProfile(overlay: Overlay, profile: VendorProfile): void {
  const { draft } = overlay
  const isSet = (name: string): boolean => overlay.read(name) !== undefined
  const isAddress = (name: string): boolean => isSet(name) && !isPlaceholder(overlay.read(name) ?? '')
  const named = { keyVariable: profile.keyVariables.find(isSet), urlVariable: profile.baseUrlVariables.find(isAddress) }
  warnOfPlaceholders(overlay, [...profile.baseUrlVariables, ...profile.keyVariables].filter(isSet))
  const users = draft.names(['providers']).filter((name) => profileOf(draft, name) === profile.name)
  const hasName = draft.names(['providers']).includes(profile.name)
  for (const name of users) fillAddress(overlay, profile, name)
  if (users.includes(profile.name)) fillEntry(overlay, profile, named)
  else if (users.length > 0) fillKeys(overlay, users, named.keyVariable)
  // An entry of this name for another vendor, or for none, must never get this vendor's key.
  else if (!hasName) addEntry(overlay, profile, named)
}

/** An invalid URL counts as not set; a key is sent unchanged, for the vendor to reject. */
function warnOfPlaceholders({ read, warnings }: Overlay, names: readonly string[]): void {
  for (const name of names)
    if (isPlaceholder(read(name) ?? '')) warnings.push(`${name} contains a placeholder from documentation`)
}

function addEntry(overlay: Overlay, profile: VendorProfile, named: Named): void {
  const isKnown = named.keyVariable !== undefined || (profile.keyless === true && named.urlVariable !== undefined)
  if (!isKnown) return
  const needed = neededFor(overlay, profile, named)
  if (needed === null) {
    fillEntry(overlay, profile, named)
    fillAddress(overlay, profile, profile.name)
    return
  }
  overlay.warnings.push(`${named.keyVariable} is set, but ${profile.name} also requires ${needed}; it is ignored`)
  overlay.leftOut.push({ name: profile.name, reason: `it also requires ${needed}` })
}

/** The variables without which the vendor has no address; null if it has one. */
function neededFor(
  { read }: Overlay,
  { baseUrl, address, baseUrlVariables }: VendorProfile,
  named: Named,
): string | null {
  if (named.urlVariable !== undefined) return null
  const unset = Object.values(address ?? {}).filter((names) => !names.some((name) => read(name) !== undefined))
  if (baseUrl !== null && unset.length === 0) return null
  return [...baseUrlVariables, ...unset.map((names) => names.join(' or '))].join(' or ')
}

/** What the file leaves open of the address. */
function fillAddress({ draft, read }: Overlay, profile: VendorProfile, name: string): void {
  for (const [part, variables] of Object.entries(profile.address ?? {})) {
    const variable = variables.find((each) => read(each) !== undefined)
    const at: Path = ['providers', name, 'address', part]
    if (variable !== undefined && draft.get(at) === undefined) draft.set(at, read(variable), variable)
  }
}

/** The profile an entry uses: the one it names, else its own name, unless it describes a server without one. */
function profileOf(draft: Draft, name: string): unknown {
  const at: Path = ['providers', name]
  const profile = draft.get([...at, 'profile'])
  return profile ?? (draft.get([...at, 'protocol']) === undefined ? name : undefined)
}

function fillEntry(overlay: Overlay, profile: VendorProfile, { keyVariable, urlVariable }: Named): void {
  const { draft } = overlay
  const at: Path = ['providers', profile.name]
  // A key is sent only to the URL it was meant for: a file that sets both keeps both.
  const ownKey = draft.get([...at, 'apiKey'])
  const keepsKey = urlVariable === undefined && hasText(draft.get([...at, 'baseUrl'])) && hasText(ownKey)
  if (keyVariable !== undefined && !keepsKey) setFrom(overlay, keyVariable, [...at, 'apiKey'])
  else if (keyVariable !== undefined && ownKey !== overlay.read(keyVariable)) {
    overlay.warnings.push(`${keyVariable} is ignored: providers.${profile.name} has its own baseUrl and apiKey`)
  }
  if (urlVariable !== undefined) setFrom(overlay, urlVariable, [...at, 'baseUrl'])
  for (const [variable, header] of Object.entries(profile.headerVariables ?? {})) {
    setFrom(overlay, variable, [...at, 'headers', header])
  }
}

/** Entries with other names get the vendor's key if they set neither a key nor a URL. */
function fillKeys(overlay: Overlay, users: readonly string[], keyVariable: string | undefined): void {
  for (const name of users) {
    const isBare = ['apiKey', 'baseUrl'].every((member) => overlay.draft.get(['providers', name, member]) === undefined)
    if (isBare && keyVariable !== undefined) setFrom(overlay, keyVariable, ['providers', name, 'apiKey'])
  }
}

function hasText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

/** N requests per window for each client becomes the bucket of each key. */
function applyRequestRate(overlay: Overlay): void {
  const { draft, warnings } = overlay
  const requests = overlay.read('RATE_LIMIT_REQUESTS')
  if (requests === undefined) return
  const window = overlay.read('RATE_LIMIT_WINDOW_SECONDS') ?? DEFAULT_WINDOW_SECONDS
  if (![requests, window].every((text) => Number.isSafeInteger(Number(text)) && Number(text) > 0)) {
    warnings.push('RATE_LIMIT_REQUESTS and RATE_LIMIT_WINDOW_SECONDS must be integers above 0; they are ignored')
    return
  }
  const keys = draft.items(['keys'])
  if (keys.length === 0)
    warnings.push('RATE_LIMIT_REQUESTS has no effect: it limits gateway keys, and none are configured')
  keys.forEach((_, index) => {
    draft.set(['keys', index, 'limits', 'requestsPerMinute'], Number(requests), 'RATE_LIMIT_REQUESTS')
    draft.set(['keys', index, 'limits', 'requestWindowSeconds'], Number(window), 'RATE_LIMIT_WINDOW_SECONDS')
  })
}
