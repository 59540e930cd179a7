// Bearers of a company's identity provider: which key a verified token uses, and what narrows it. Verified tokens are remembered by their
// digest, so that each is verified once; whether its signer is still trusted, and what its gateway key may do, is checked on each request.
import { GatewayError } from '../../errors.js'
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { TOKEN_EXPIRED } from '../browser-tokens.js'
import { isSameKey, type Jwks, type PublicKey } from './jwks.js'
import { EXPIRED, expiryOf, type JwtRules, type ReadJwt, readJwt, verifyJwt } from './verify-jwt.js'

export type JwtSource = JwtRules & {
  readonly keys: Pick<Jwks, 'find'>
  /** Names of claims; null: not used. */
  readonly claims: {
    readonly key: string | null
    readonly team: string | null
    readonly models: string | null
    readonly user: string | null
  }
}

/** What a verified token says. */
export type JwtBearer = {
  /** Names of keys, of which the first that exists is meant. `team`: the one to which the key must belong. */
  readonly keys: readonly { readonly name: string; readonly team: string | null }[]
  /** Unix ms. */
  readonly expiresAtMs: number
  readonly models: readonly string[] | null
  readonly user: string | null
  readonly signer: JwtSigner
}

/** Who has signed a verified token, and for whom. */
export type JwtSigner = Pick<JwtRules, 'issuer' | 'audience'> & { readonly key: PublicKey }

/** The key that bearers of a team use is called so. */
export const TEAM_KEY_SUFFIX = '.jwt'
/** Of each half of what is remembered. */
const HALF = 2048
const MAX_USER_CHARS = 256
const RETRY_MS = 1000
const LATER = GatewayError.shared('overloaded', {
  message: 'The public keys of the identity provider are being fetched; try again.',
  retryAfterMs: RETRY_MS,
})

export class JwtBearers {
  readonly #sources: readonly JwtSource[]
  readonly #nowMs: () => number
  #recent = new Map<string, JwtBearer>()
  #older = new Map<string, JwtBearer>()

  /** `nowMs`: Unix time. */
  constructor(sources: readonly JwtSource[], nowMs: () => number) {
    this.#sources = sources
    this.#nowMs = nowMs
  }

  /**
   * What the token says; null for a text that is none. `digest`: its SHA-256 in hex.
   * @throws unauthenticated for a token that is not accepted, with the cause; overloaded while its key is being fetched
   */
  find(text: string, digest: string): JwtBearer | null {
    const known = this.#recent.get(digest) ?? this.#older.get(digest)
    if (known !== undefined && known.expiresAtMs > this.#nowMs() && this.isTrusted(known.signer)) return known
    const jwt = text.startsWith('eyJ') ? readJwt(text) : null
    if (jwt === null) return null
    const bearer = this.#verify(jwt)
    if (this.#recent.size >= HALF) {
      this.#older = this.#recent
      this.#recent = new Map()
    }
    this.#recent.set(digest, bearer)
    return bearer
  }

  /**
   * Whether what it has signed would still be accepted: its provider may have withdrawn the key, or the configuration the provider.
   * @throws overloaded while the keys of the provider are being fetched and none is known that could be it
   */
  isTrusted({ issuer, audience, key }: JwtSigner): boolean {
    const source = this.#sources.find((each) => each.issuer === issuer && each.audience === audience)
    const keys = source?.keys.find(key.kid) ?? []
    if (keys === 'later') throw LATER
    return keys.some((each) => isSameKey(each, key))
  }

  #verify(jwt: ReadJwt): JwtBearer {
    const source = this.#sources.find(({ issuer }) => issuer === jwt.claims.iss)
    if (source === undefined) throw refusal('it is of an unknown issuer')
    const keys = source.keys.find(jwt.kid)
    if (keys === 'later') throw LATER
    const signer = verifyJwt(jwt, source, keys, this.#nowMs())
    if (signer === EXPIRED) throw TOKEN_EXPIRED
    if (typeof signer === 'string') throw refusal(signer)
    return bearerOf(jwt, source, signer)
  }
}

function bearerOf(jwt: ReadJwt, { claims: names, issuer, audience }: JwtSource, key: PublicKey): JwtBearer {
  const { claims } = jwt
  const keys = [
    ...textsIn(claims, names.key).map((name) => ({ name, team: null })),
    ...textsIn(claims, names.team).map((team) => ({ name: team + TEAM_KEY_SUFFIX, team })),
  ]
  if (keys.length === 0) throw refusal('it names no key and no team')
  const hasModels = names.models !== null && claims[names.models] !== undefined
  const [user = null] = textsIn(claims, names.user)
  return {
    ...{ keys, expiresAtMs: expiryOf(jwt) },
    models: hasModels ? textsIn(claims, names.models).flatMap((text) => text.split(' ')) : null,
    user: user === null ? null : user.slice(0, MAX_USER_CHARS),
    signer: { issuer, audience, key },
  }
}

/** The texts of a claim that is one or has some. */
function textsIn(claims: JsonObject, name: string | null): string[] {
  const value: JsonValue | undefined = name === null ? undefined : claims[name]
  const all = Array.isArray(value) ? value : [value]
  return all.filter((text) => typeof text === 'string' && text !== '') as string[]
}

function refusal(fault: string): GatewayError {
  return new GatewayError('unauthenticated', { cause: new Error(`the token is refused: ${fault}`) })
}
