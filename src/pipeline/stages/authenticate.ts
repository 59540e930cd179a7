// First stage: identifies the key of a request. Keys are known only by their SHA-256; a presented key is never kept or logged.
// Those of the configuration come first, then those of the database, whose state is looked at each time. A browser token leads to the key
// whose secret it was issued with, as that key is now.
import { hash, timingSafeEqual } from 'node:crypto'
import { TOKEN_PREFIX } from '../../accounts/browser-tokens.js'
import { type Listed } from '../../accounts/directory/reader.js'
import { needsKeys } from '../../config/resolve/gateway-keys.js'
import { type Config } from '../../config/types.js'
import { GatewayError } from '../../errors.js'
import { type Credentials, type KeyIdentity } from '../client.js'
import { type AccountSource, type TokenSource } from '../context.js'

const BEARER = /^bearer +(\S+) *$/i
/** The caller of a gateway that has no keys. */
export const NO_KEY: KeyIdentity = Object.freeze({ index: -1, name: null, owner: null })
/** Longer keys cannot exist; they are rejected before they are hashed. */
const MAX_KEY_CHARS = 8192

/** Where keys come from. */
export type KeySources = Pick<Config, 'keys'> & { readonly accounts: Pick<Config['accounts'], 'store'> }

/** What an event loop knows beside its configuration. */
type Known = { readonly accounts?: AccountSource | null; readonly tokens?: TokenSource | null }

type Authenticate = (credentials: Credentials) => KeyIdentity
type Renew = (key: KeyIdentity) => KeyIdentity
type FindByDigest = (digest: Buffer) => KeyIdentity | null

/** Of a genuine token, so it says more than for an unknown key; and it is no guess. */
export const TOKEN_EXPIRED = GatewayError.shared('unauthenticated', { message: 'This browser token has expired.' })

/** Builds the lookup: credentials -> identity. The same error, whatever is wrong with the key; its cause is for the log. */
export function createAuthenticate(sources: KeySources, { accounts = null, tokens = null }: Known = {}): Authenticate {
  if (!needsKeys(sources)) return () => NO_KEY
  const byDigest = createFind(sources, accounts)

  function find(key: string): KeyIdentity | null {
    if (key === '' || key.length > MAX_KEY_CHARS) return null
    return key.startsWith(TOKEN_PREFIX) ? findByToken(key) : byDigest(hash('sha256', key, 'buffer'))
  }

  function findByToken(text: string): KeyIdentity | null {
    const token = tokens?.read(text) ?? null
    if (token === null) return null
    if (tokens?.isExpired(token) === true) throw TOKEN_EXPIRED
    const key = byDigest(token.digest)
    return key === null ? null : { ...key, token }
  }

  return function authenticate(credentials: Credentials): KeyIdentity {
    const bearer = BEARER.exec(credentials.authorization)?.[1] ?? ''
    const identity = find(bearer) ?? find(credentials.apiKey) ?? find(credentials.vendorKey ?? '')
    if (identity === null) throw new GatewayError('unauthenticated')
    return identity
  }
}

function createFind({ keys }: KeySources, accounts: AccountSource | null): FindByDigest {
  const known = keys.map((key, index) => ({
    digest: Buffer.from(key.keySha256, 'hex'),
    identity: Object.freeze({ index, name: key.name, owner: key.keySha256 }),
  }))
  const byDigest = new Map(known.map((entry) => [entry.digest.toString('latin1'), entry]))
  return (digest) => {
    // The map lookup is by digest, which reveals nothing about a key; a constant-time comparison decides.
    const entry = byDigest.get(digest.toString('latin1'))
    if (entry !== undefined && timingSafeEqual(entry.digest, digest)) return entry.identity
    const listed = accounts?.find(digest) ?? null
    return listed === null || accounts === null ? null : { ...identityOf(letIn(listed, accounts)), digest }
  }
}

/** Finds a key of another configuration by its owner, whatever its name and index are now, and one of the database as it is now. */
export function createRenew(sources: KeySources, { accounts = null, tokens = null }: Known = {}): Renew {
  if (!needsKeys(sources)) return () => NO_KEY
  const { keys } = sources
  const byDigest = createFind(sources, accounts)
  return function renew({ owner, index: place, account, token }) {
    if (token !== undefined) {
      if (tokens?.isExpired(token) === true) throw TOKEN_EXPIRED
      const key = byDigest(token.digest)
      if (key === null) throw new GatewayError('unauthenticated')
      return { ...key, token }
    }
    if (account !== undefined) {
      const listed = accounts?.byIndex(place) ?? null
      if (listed === null || accounts === null)
        throw new GatewayError('unauthenticated', { cause: refusalCause(account.name, 'deleted') })
      return identityOf(letIn(listed, accounts))
    }
    const index = keys.findIndex((key) => key.keySha256 === owner)
    const key = keys[index]
    if (key === undefined) throw new GatewayError('unauthenticated')
    return { index, name: key.name, owner }
  }
}

/** Why a key of the database that exists may do nothing now; null: it may. */
export function closedBy({ account }: Listed, nowMs: number): 'disabled' | 'expired' | null {
  if (account.disabled) return 'disabled'
  return account.expiresAtMs !== null && account.expiresAtMs <= nowMs ? 'expired' : null
}

/** @throws unauthenticated, as for an unknown key */
function letIn(listed: Listed, accounts: AccountSource): Listed {
  const { account } = listed
  const closed = closedBy(listed, accounts.nowMs())
  if (closed !== null) throw new GatewayError('unauthenticated', { cause: refusalCause(account.name, closed) })
  accounts.noteUsed(account.id)
  return listed
}

/** The key as a request bears it. */
export function identityOf({ account, index }: Listed): KeyIdentity {
  return { index, name: account.name, owner: account.id, account }
}

function refusalCause(name: string, why: string): Error {
  return new Error(`key ${name} is ${why}`)
}
