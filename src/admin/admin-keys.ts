// Who asks the admin API: the name and the role of a key, which is known only by its SHA-256.
import { hash, timingSafeEqual } from 'node:crypto'
import { type AdminKeyConfig, type AdminRole } from '../config/listener-types.js'
import { GatewayError } from '../errors.js'

/** Whoever has a key of the admin API. */
export type Operator = { readonly name: string; readonly role: AdminRole }

const BEARER = /^bearer +(\S+) *$/i
/** Longer ones cannot exist; they are rejected before they are hashed. */
const MAX_KEY_CHARS = 4096

/** The keys of one configuration. */
export class AdminKeys {
  readonly #known: ReadonlyMap<string, { readonly digest: Buffer; readonly operator: Operator }>

  constructor(keys: readonly AdminKeyConfig[]) {
    this.#known = new Map(
      keys.map(({ name, role, keySha256 }) => [
        keySha256,
        { digest: Buffer.from(keySha256, 'hex'), operator: Object.freeze({ name, role }) },
      ]),
    )
  }

  /** The operator of an Authorization header; null for a key that is not known. */
  find(authorization: string): Operator | null {
    return this.findKey(BEARER.exec(authorization)?.[1] ?? '')?.operator ?? null
  }

  /** The same of a key by itself, with its SHA-256. */
  findKey(key: string): { readonly operator: Operator; readonly keySha256: string } | null {
    if (key === '' || key.length > MAX_KEY_CHARS) return null
    const digest = hash('sha256', key, 'buffer')
    const keySha256 = digest.toString('hex')
    // The look-up is by digest, which reveals nothing about a key; a comparison in constant time decides.
    const entry = this.#known.get(keySha256)
    return entry !== undefined && timingSafeEqual(entry.digest, digest) ? { operator: entry.operator, keySha256 } : null
  }

  /** The operator of a key that was given before, by its SHA-256; null once it is no key any more. */
  findDigest(keySha256: string): Operator | null {
    return this.#known.get(keySha256)?.operator ?? null
  }
}

/** @throws forbidden for one who may only look */
export function requireRole(operator: Operator, role: AdminRole): void {
  if (role === 'read' || operator.role === 'write') return
  throw new GatewayError('forbidden', { message: 'This admin key has the role read, and this needs the role write.' })
}
