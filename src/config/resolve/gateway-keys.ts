// Gateway keys as the rest of the process knows them: by SHA-256 alone. The key's own text ends here. And the identity providers whose
// tokens stand for keys.
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { type AuthConfig } from '../listener-types.js'
import { type JwtEntry, type KeyEntry } from '../schema/limits.js'
import { type AccountsConfig } from '../store-types.js'
import { type KeyConfig } from '../types.js'
import { isPlaceholder } from '../validate/placeholder.js'
import { type Path, type ProblemList } from '../validate/problem.js'
import { isLoopback } from './addresses.js'

/** Shorter keys can be guessed; they are accepted, because people have them, with a warning. */
const WEAK_KEY_LENGTH = 16
/** What fits into an Authorization header without quoting. */
const HEADER_SAFE = /^[\x21-\x7e]+$/

/** Hashes the keys and rejects duplicates. Warnings name the key and never show it. */
export function resolveKeys(entries: readonly KeyEntry[], problems: ProblemList, warnings: string[]): KeyConfig[] {
  const names = new Set<string>()
  const hashes = new Set<string>()
  return entries.map((entry, index) => {
    const hash = hashOf(['keys', index], entry, problems)
    if (names.has(entry.name)) problems.add(['keys', index, 'name'], 'duplicates the name of another key')
    if (hash !== '' && hashes.has(hash)) problems.add(['keys', index], 'duplicates another key')
    names.add(entry.name)
    hashes.add(hash)
    if (entry.key !== undefined && isPlaceholder(entry.key)) {
      warnings.push(`gateway key ${entry.name} looks like a placeholder from documentation and can be guessed`)
    } else if (entry.key !== undefined && entry.key.length < WEAK_KEY_LENGTH) {
      warnings.push(`gateway key ${entry.name} is shorter than ${WEAK_KEY_LENGTH} characters and can be guessed`)
    }
    return { name: entry.name, keySha256: hash, models: entry.models, limits: entry.limits }
  })
}

/** The SHA-256 of a key that is given as text or as that; empty, and a problem, if it is neither. */
export function hashOf(at: Path, entry: Pick<KeyEntry, 'key' | 'keySha256'>, problems: ProblemList): string {
  if ((entry.key === undefined) === (entry.keySha256 === undefined)) {
    problems.add(at, 'needs either key or keySha256')
    return ''
  }
  if (entry.keySha256 !== undefined) return entry.keySha256.toLowerCase()
  const key = entry.key ?? ''
  if (!HEADER_SAFE.test(key)) problems.add([...at, 'key'], 'must be printable ASCII without spaces')
  return createHash('sha256').update(key).digest('hex')
}

type KeySources = { readonly keys: readonly unknown[]; readonly accounts: Pick<AccountsConfig, 'store'> }

/** Whether requests need a gateway key. */
export function needsKeys({ keys, accounts }: KeySources): boolean {
  return keys.length > 0 || accounts.store !== 'off'
}

/** Where clients of a listener may come from. */
type Reach = { readonly host: string; readonly trustedProxies: readonly string[] }

/**
 * Whether a page to try the gateway is served: the keys of its providers are then at the disposal of this machine anyway. Behind a
 * proxy the others are not on this machine.
 */
export function hasTryPage(config: KeySources & { readonly server: Reach }): boolean {
  const { host, trustedProxies } = config.server
  return !needsKeys(config) && isLoopback(host) && trustedProxies.length === 0
}

type Ground = { readonly problems: ProblemList; readonly cwd: string; readonly hasKeys: boolean }

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/

/** `hasKeys`: there are keys that tokens may stand for. */
export function resolveIdentityProviders(entries: readonly JwtEntry[], ground: Ground): AuthConfig {
  const { problems, cwd, hasKeys } = ground
  if (entries.length > 0 && !hasKeys) problems.add(['auth', 'jwt'], 'requires gateway keys: set keys or accounts.store')
  for (const [i, { jwksUrl, jwksFile, claims, issuer }] of entries.entries()) {
    const place = ['auth', 'jwt', i]
    if ((jwksUrl === undefined) === (jwksFile === undefined)) problems.add(place, 'needs either jwksUrl or jwksFile')
    if (jwksUrl !== undefined && !isPrivate(jwksUrl)) {
      problems.add(
        [...place, 'jwksUrl'],
        'must be an https:// address, because whoever changes the keys on their way is let in',
      )
    }
    if (claims.key === undefined && claims.team === undefined) problems.add([...place, 'claims'], 'needs key or team')
    if (entries.findIndex((each) => each.issuer === issuer) < i) problems.add([...place, 'issuer'], 'is there twice')
  }
  return {
    jwt: entries.map(({ jwksUrl = null, jwksFile = null, claims, ...rest }) => {
      const { key = null, team = null, models = null, user = null } = claims
      const path = jwksFile === null ? null : resolve(cwd, jwksFile)
      return { ...rest, jwksUrl, jwksFile: path, claims: { key, team, models, user } }
    }),
  }
}

function isPrivate(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, hostname } = new URL(url)
  return protocol === 'https:' || LOOPBACK.test(hostname)
}
