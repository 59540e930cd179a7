// First stage: identifies the key of a request. Keys are known only by their SHA-256; a presented key is never kept or logged.
import { hash, timingSafeEqual } from 'node:crypto'
import { type KeyConfig } from '../../config/types.js'
import { GatewayError } from '../../errors.js'
import { type Credentials, type KeyIdentity } from '../client.js'

const BEARER = /^bearer +(\S+) *$/i
/** The caller of a gateway that has no keys. */
export const NO_KEY: KeyIdentity = Object.freeze({ index: -1, name: null, owner: null })
/** Longer keys cannot exist; they are rejected before they are hashed. */
const MAX_KEY_CHARS = 8192

/** Builds the lookup: credentials -> identity. The same error, whatever is wrong with the key. */
export function createAuthenticate(keys: readonly KeyConfig[]): (credentials: Credentials) => KeyIdentity {
  if (keys.length === 0) return () => NO_KEY
  const known = keys.map((key, index) => ({
    digest: Buffer.from(key.keySha256, 'hex'),
    identity: Object.freeze({ index, name: key.name, owner: key.keySha256 }),
  }))
  const byDigest = new Map(known.map((entry) => [entry.digest.toString('latin1'), entry]))

  function find(key: string): KeyIdentity | null {
    if (key === '' || key.length > MAX_KEY_CHARS) return null
    const digest = hash('sha256', key, 'buffer')
    // The map lookup is by digest, which reveals nothing about a key; a constant-time comparison decides.
    const entry = byDigest.get(digest.toString('latin1'))
    return entry !== undefined && timingSafeEqual(entry.digest, digest) ? entry.identity : null
  }

  return function authenticate(credentials: Credentials): KeyIdentity {
    const bearer = BEARER.exec(credentials.authorization)?.[1] ?? ''
    const identity = find(bearer) ?? find(credentials.apiKey) ?? find(credentials.vendorKey ?? '')
    if (identity === null) throw new GatewayError('unauthenticated')
    return identity
  }
}

/** Finds a key of another configuration by its owner, whatever its name and index are now. */
export function createRenew(keys: readonly KeyConfig[]): (key: KeyIdentity) => KeyIdentity {
  if (keys.length === 0) return () => NO_KEY
  return function renew({ owner }) {
    const index = keys.findIndex((key) => key.keySha256 === owner)
    const key = keys[index]
    if (key === undefined) throw new GatewayError('unauthenticated')
    return { index, name: key.name, owner }
  }
}
