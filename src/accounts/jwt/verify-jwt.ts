// Verifies a JSON Web Token (RFC 7519, 7515) against public keys, synchronously: a signature takes 50 to 150 us, once for each token. Only
// what is asymmetric and configured is accepted; `none`, HMAC and extensions that have to be understood never are.
import { constants, type KeyObject, verify } from 'node:crypto'
import { isJsonObject, type JsonObject } from '../../model/json.js'
import { type PublicKey } from './jwks.js'

export type JwtAlgorithm = 'RS256' | 'RS384' | 'RS512' | 'PS256' | 'PS384' | 'PS512' | 'ES256' | 'ES384' | 'EdDSA'

export type JwtRules = {
  readonly issuer: string
  readonly audience: string
  readonly algorithms: readonly JwtAlgorithm[]
}

/** A token that was read and not verified yet: nothing of it is true. */
export type ReadJwt = {
  readonly alg: string
  readonly kid: string | null
  readonly claims: JsonObject
  readonly signed: Buffer
  readonly signature: Buffer
}

/** The fault of a token that is genuine. */
export const EXPIRED = 'it has expired'
/** Clocks differ. */
export const SKEW_MS = 60_000
const MS_PER_SEC = 1000
const JWT = /^(eyJ[\w-]+)\.(eyJ[\w-]+)\.([\w-]+)$/

type Scheme = {
  readonly hash: string | null
  readonly type: 'rsa' | 'ec' | 'ed25519'
  readonly curve?: string
  readonly isPss?: true
}

const SCHEMES: Readonly<Record<JwtAlgorithm, Scheme>> = {
  RS256: { hash: 'sha256', type: 'rsa' },
  RS384: { hash: 'sha384', type: 'rsa' },
  RS512: { hash: 'sha512', type: 'rsa' },
  PS256: { hash: 'sha256', type: 'rsa', isPss: true },
  PS384: { hash: 'sha384', type: 'rsa', isPss: true },
  PS512: { hash: 'sha512', type: 'rsa', isPss: true },
  ES256: { hash: 'sha256', type: 'ec', curve: 'prime256v1' },
  ES384: { hash: 'sha384', type: 'ec', curve: 'secp384r1' },
  EdDSA: { hash: null, type: 'ed25519' },
}

/** Null for what is no signed token, or has an extension that would have to be understood. */
export function readJwt(text: string): ReadJwt | null {
  const [, head = '', body = '', signature = ''] = JWT.exec(text) ?? []
  const header = parse(head)
  const claims = parse(body)
  if (header === null || claims === null || header.crit !== undefined) return null
  const { alg, kid } = header
  if (typeof alg !== 'string') return null
  return {
    ...{ alg, kid: typeof kid === 'string' ? kid : null, claims },
    signed: Buffer.from(`${head}.${body}`),
    signature: Buffer.from(signature, 'base64url'),
  }
}

/** The key that has signed it, if it is for this gateway, now. Else what is wrong, for the log. */
export function verifyJwt(
  jwt: ReadJwt,
  rules: JwtRules,
  keys: readonly PublicKey[],
  nowMs: number,
): PublicKey | string {
  const alg = rules.algorithms.find((each) => each === jwt.alg)
  if (alg === undefined) return `its algorithm ${jwt.alg.slice(0, MAX_SHOWN)} is not accepted`
  const fitting = keys.filter((key) => (key.alg === null || key.alg === alg) && fits(key.key, SCHEMES[alg]))
  const signer = fitting.find(({ key }) => isSigned(jwt, key, SCHEMES[alg]))
  if (signer === undefined) return 'no known key has signed it'
  const { iss, aud, exp, nbf } = jwt.claims
  if (iss !== rules.issuer) return 'it is of another issuer'
  if (aud !== rules.audience && !(Array.isArray(aud) && aud.includes(rules.audience)))
    return 'it is for another audience'
  if (typeof exp !== 'number') return 'it has no expiry'
  if (exp * MS_PER_SEC + SKEW_MS <= nowMs) return EXPIRED
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf * MS_PER_SEC - SKEW_MS <= nowMs))
    return 'it is not valid yet'
  return signer
}

const MAX_SHOWN = 16

/** Unix ms, of a token without fault. */
export function expiryOf({ claims: { exp } }: ReadJwt): number {
  return typeof exp === 'number' ? exp * MS_PER_SEC + SKEW_MS : 0
}

function fits({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject, { type, curve }: Scheme): boolean {
  return asymmetricKeyType === type && (curve === undefined || asymmetricKeyDetails?.namedCurve === curve)
}

function isSigned({ signed, signature }: ReadJwt, key: KeyObject, { hash, type, isPss }: Scheme): boolean {
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  const how = type === 'ec' ? ({ dsaEncoding: 'ieee-p1363' } as const) : isPss === true ? pss : {}
  return verify(hash, signed, { key, ...how }, signature)
}

function parse(part: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return isJsonObject(value) ? value : null
  } catch {
    return null
  }
}
