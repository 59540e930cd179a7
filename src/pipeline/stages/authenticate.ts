// First stage: identifies the key of a request. Keys are known only by their SHA-256; a presented key is never kept or logged.
// Those of the configuration come first, then those of the database, whose state is looked at each time. A browser token leads to the key
// whose secret it was issued with, as that key is now.
import { hash } from 'node:crypto'
import { type BrowserToken, TOKEN_EXPIRED, TOKEN_PREFIX } from '../../accounts/browser-tokens.js'
import { type Listed } from '../../accounts/directory/reader.js'
import { type JwtBearer } from '../../accounts/jwt/jwt-bearers.js'
import { needsKeys } from '../../config/resolve/gateway-keys.js'
import { type Config } from '../../config/types.js'
import { GatewayError } from '../../errors.js'
import { type Credentials, type KeyIdentity, type UsedJwt } from '../client.js'
import { type AccountSource, type PipelineContext } from '../context.js'

const BEARER = /^bearer +(\S+) *$/i
/** The caller of a gateway that has no keys. */
export const NO_KEY: KeyIdentity = Object.freeze({ index: -1, name: null, owner: null })
/** Longer keys cannot exist; they are rejected before they are hashed. */
const MAX_KEY_CHARS = 8192

/** Where keys come from. */
export type KeySources = Pick<Config, 'keys'> & { readonly accounts: Pick<Config['accounts'], 'store'> }

/** What an event loop knows beside its configuration. */
type Known = Pick<PipelineContext, 'accounts' | 'tokens' | 'jwt'>

type Authenticate = (credentials: Credentials) => KeyIdentity
type Renew = (key: KeyIdentity) => KeyIdentity
type FindByDigest = (digest: string) => KeyIdentity | null

/** Builds the lookup: credentials -> identity. The same error, whatever is wrong with the key; its cause is for the log. */
export function createAuthenticate(sources: KeySources, known: Known = {}): Authenticate {
  if (!needsKeys(sources)) return () => NO_KEY
  const { accounts = null, tokens = null, jwt = null } = known
  const byDigest = createFind(sources, accounts)
  const byBearer = createFindBearer(sources, accounts)

  function find(key: string): KeyIdentity | null {
    if (key === '' || key.length > MAX_KEY_CHARS) return null
    return key.startsWith(TOKEN_PREFIX) ? findByToken(key) : byDigest(hash('sha256', key, 'hex'))
  }

  function findByToken(text: string): KeyIdentity | null {
    const token = tokens?.read(text) ?? null
    if (token === null) return null
    if (tokens?.isExpired(token) === true) throw TOKEN_EXPIRED
    const key = byDigest(token.digest.toString('hex'))
    return key === null ? null : { ...key, token }
  }

  /** Only as a bearer: a token in another header may be meant for a provider. */
  function findByJwt(text: string): KeyIdentity | null {
    if (jwt === null || text === '' || text.length > MAX_KEY_CHARS) return null
    const bearer = jwt.find(text, hash('sha256', text, 'hex'))
    return bearer === null ? null : byBearer(bearer)
  }

  return function authenticate(credentials: Credentials): KeyIdentity {
    const bearer = BEARER.exec(credentials.authorization)?.[1] ?? ''
    const ofKey = find(bearer) ?? find(credentials.apiKey) ?? find(credentials.vendorKey ?? '')
    const identity = ofKey ?? findByJwt(bearer)
    if (identity === null) throw new GatewayError('unauthenticated')
    return identity
  }
}

function createFind({ keys }: KeySources, accounts: AccountSource | null): FindByDigest {
  const identities = keys.map(({ name, keySha256: owner }, index) => Object.freeze({ index, name, owner }))
  const byDigest = new Map(identities.map((identity) => [identity.owner, identity]))
  return (digest) => {
    // The map lookup is by digest, which reveals nothing about a key; a constant-time comparison decides.
    const identity = byDigest.get(digest)
    if (identity !== undefined && isSame(identity.owner, digest)) return identity
    const listed = accounts?.find(digest) ?? null
    if (listed === null || accounts === null) return null
    const { account, index } = letIn(listed, accounts)
    return { index, name: account.name, owner: account.id, account, digest }
  }
}

/** The key of a verified token, which narrows it. */
function createFindBearer({ keys }: KeySources, accounts: AccountSource | null): (bearer: JwtBearer) => KeyIdentity {
  const ofFile = (name: string): KeyIdentity | null => {
    const index = keys.findIndex((key) => key.name === name)
    const key = keys[index]
    return key === undefined ? null : { index, name, owner: key.keySha256 }
  }
  const ofDatabase = (name: string, team: string | null): KeyIdentity | null => {
    const listed = accounts?.byName(name) ?? null
    if (listed === null || accounts === null || (team !== null && listed.account.team?.name !== team)) return null
    return identityOf(letIn(listed, accounts))
  }
  return ({ keys: named, expiresAtMs, models, user, signer }) => {
    for (const { name, team } of named) {
      const key = (team === null ? ofFile(name) : null) ?? ofDatabase(name, team)
      if (key === null) continue
      return { ...key, token: { digest: null, signer, expiresAtMs, models, maxOutputTokens: null, origin: null, user } }
    }
    const names = named.map(({ name }) => name).join(', ')
    throw new GatewayError('unauthenticated', { cause: new Error(`the token is of no key: ${names}`) })
  }
}

/** Finds a key of another configuration by its owner, whatever its name and index are now, and one of the database as it is now. */
export function createRenew(sources: KeySources, { accounts = null, tokens = null, jwt = null }: Known = {}): Renew {
  if (!needsKeys(sources)) return () => NO_KEY
  const { keys } = sources
  const byDigest = createFind(sources, accounts)
  const nowMs = accounts?.nowMs ?? Date.now

  function renewKey({ owner, index: place, account }: KeyIdentity): KeyIdentity {
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

  function renewOfToken(token: BrowserToken): KeyIdentity | null {
    if (tokens?.isExpired(token) === true) throw TOKEN_EXPIRED
    return byDigest(token.digest.toString('hex'))
  }

  function renewBearer(known: KeyIdentity, { expiresAtMs, signer }: UsedJwt): KeyIdentity | null {
    if (expiresAtMs <= nowMs()) throw TOKEN_EXPIRED
    if (jwt?.isTrusted(signer) !== true)
      throw new GatewayError('unauthenticated', { cause: new Error('the signer of the token is trusted no more') })
    return renewKey(known)
  }

  return function renew(known) {
    const { token } = known
    if (token === undefined) return renewKey(known)
    const key = token.digest === null ? renewBearer(known, token) : renewOfToken(token)
    if (key === null) throw new GatewayError('unauthenticated')
    return { ...key, token }
  }
}

/** A token that was once good: no guess. */
export function isExpiry(thrown: unknown): boolean {
  return thrown === TOKEN_EXPIRED
}

/** Of digests, in the same time wherever they differ. As text: as a buffer each would be memory outside of the heap, for 1 us (Node 20.20). */
function isSame(digest: string, other: string): boolean {
  let difference = digest.length ^ other.length
  for (let i = 0; i < digest.length; i++) difference |= digest.charCodeAt(i) ^ other.charCodeAt(i)
  return difference === 0
}

/** Why a key of the database that exists may do nothing now; null: it may. */
export function closedBy({ account }: Listed, nowMs: number): 'disabled' | 'expired' | null {
  if (account.disabled) return 'disabled'
  return account.expiresAtMs !== null && account.expiresAtMs <= nowMs ? 'expired' : null
}

/** Whether it is still a key cannot be told. */
const UNPROVED = GatewayError.shared('overloaded', {
  message: 'API keys cannot be checked at present: the account database is away.',
  retryAfterMs: 1000,
})

/** @throws unauthenticated, as for an unknown key; overloaded where the database has been away for too long */
function letIn(listed: Listed, accounts: AccountSource): Listed {
  const { account } = listed
  const closed = closedBy(listed, accounts.nowMs())
  if (closed !== null) throw new GatewayError('unauthenticated', { cause: refusalCause(account.name, closed) })
  if (accounts.isStale) throw UNPROVED
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
