// The public keys of one identity provider (RFC 7517), fetched in the background. While the provider cannot be reached, the keys fetched last
// stay valid. A look-up never waits: it returns the keys, or that they are being fetched.
import { createPublicKey, type KeyObject } from 'node:crypto'
import { isJsonObject, type JsonObject } from '../../model/json.js'

export type PublicKey = {
  readonly kid: string | null
  /** The one algorithm for which it may be used; null for all of its type. */
  readonly alg: string | null
  readonly key: KeyObject
}

export type JwksOptions = {
  /** Fetches the document. Rejects on failure. */
  readonly load: () => Promise<JsonObject>
  /** Any clock that only goes forward. */
  readonly nowMs: () => number
  readonly onFailure: (reason: string) => void
}

/** At most one request in this time, however many tokens name unknown keys. */
const LEAST_PAUSE_MS = 30_000
/** Keys in use are fetched again after this time: the provider may have withdrawn one. */
const FRESH_MS = 300_000
const MAX_KEYS = 64
const MIN_RSA_BITS = 2048

export class Jwks {
  readonly #options: JwksOptions
  #keys: readonly PublicKey[] = []
  #askedAtMs = Number.NEGATIVE_INFINITY
  #loading: Promise<void> | null = null

  constructor(options: JwksOptions) {
    this.#options = options
  }

  /** The keys with this id, or all of them for a token without one. `later`: none is known yet, and they are being fetched. */
  find(kid: string | null): readonly PublicKey[] | 'later' {
    const found = kid === null ? this.#keys : this.#keys.filter((key) => key.kid === kid)
    const ageMs = this.#options.nowMs() - this.#askedAtMs
    if (ageMs >= (found.length > 0 ? FRESH_MS : LEAST_PAUSE_MS)) void this.refresh()
    return found.length === 0 && this.#loading !== null ? 'later' : found
  }

  /** Never rejects. One at a time. */
  refresh(): Promise<void> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = null
    })
    return this.#loading
  }

  async #load(): Promise<void> {
    this.#askedAtMs = this.#options.nowMs()
    try {
      const keys = keysIn(await this.#options.load())
      if (keys.length === 0) throw new Error('it has no public key that could be used')
      this.#keys = keys
    } catch (thrown) {
      this.#options.onFailure(thrown instanceof Error ? thrown.message : String(thrown))
    }
  }
}

/** Each fetch makes objects of its own. */
export function isSameKey(one: PublicKey, other: PublicKey): boolean {
  return one === other || (one.kid === other.kid && one.alg === other.alg && one.key.equals(other.key))
}

/** The keys for signatures in a set. Other keys are skipped, as RFC 7517 (section 5) requires. */
export function keysIn({ keys }: JsonObject): PublicKey[] {
  if (!Array.isArray(keys)) return []
  return keys.slice(0, MAX_KEYS).flatMap((jwk) => (isJsonObject(jwk) ? (publicKeyOf(jwk) ?? []) : []))
}

function publicKeyOf(jwk: JsonObject): PublicKey | null {
  const { kid, alg, use, kty } = jwk
  // A symmetric key in a public document is not a secret, so it must not verify anything.
  if (kty === 'oct' || (use !== undefined && use !== 'sig')) return null
  try {
    const key = createPublicKey({ key: jwk as Record<string, string>, format: 'jwk' })
    const { modulusLength = MIN_RSA_BITS } = key.asymmetricKeyDetails ?? {}
    if (modulusLength < MIN_RSA_BITS) return null
    return { kid: typeof kid === 'string' ? kid : null, alg: typeof alg === 'string' ? alg : null, key }
  } catch {
    return null
  }
}
