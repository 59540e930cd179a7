// Secrets and ids of keys. A secret is made here, shown once and forgotten: only its SHA-256 and its last characters are kept.
// 256 random bits need no slow hash: they cannot be guessed, at whatever speed (NIST SP 800-63B, 5.1.2: look-up secrets).
import { createHash } from 'node:crypto'

/** Random bytes of the system's generator. */
export type RandomBytes = (size: number) => Uint8Array

/** A new secret, and what is kept of it. */
export type Secret = {
  /** `sk-sluice-` and 43 base62 digits. */
  readonly secret: string
  /** SHA-256, 64 hex digits. */
  readonly digest: string
  readonly hint: string
}

const SECRET_PREFIX = 'sk-sluice-'
const SECRET_BYTES = 32
/** 62^43 is more than 2^256. */
const SECRET_DIGITS = 43
const HINT_LENGTH = 4
/** More than the 119 bits of the digits, so that none of them is likelier than another by anything that counts. */
const ID_BYTES = 24
const ID_DIGITS = 20

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const BASE = BigInt(BASE62.length)

/** A secret that nobody has seen yet. */
export function createSecret(random: RandomBytes): Secret {
  const secret = SECRET_PREFIX + lastDigits(random(SECRET_BYTES), SECRET_DIGITS)
  return { secret, digest: digestOf(secret), hint: secret.slice(-HINT_LENGTH) }
}

/** What a secret is found by. */
export function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** An id that no other key, team or budget ever has. */
export function createId(kind: 'key' | 'team' | 'budget', random: RandomBytes): string {
  return `${kind}_${lastDigits(random(ID_BYTES), ID_DIGITS)}`
}

/** The last digits of the number that the bytes are, most significant first. */
function lastDigits(bytes: Uint8Array, count: number): string {
  let rest = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  let digits = ''
  for (let i = 0; i < count; i++) {
    digits = (BASE62[Number(rest % BASE)] ?? '') + digits
    rest /= BASE
  }
  return digits
}
