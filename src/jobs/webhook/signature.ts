// Standard Webhooks signatures: HMAC-SHA256 over id, timestamp and body, so that a receiver can verify the sender, the content and
// the time.
//
//   signed    = id "." timestamp "." body        timestamp: Unix seconds; body: the bytes as sent
//   signature = "v1," base64(HMAC-SHA256(key, signed))       several, separated by spaces, while a secret is replaced
//
// @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
import { createHmac, timingSafeEqual } from 'node:crypto'

const SECRET_PREFIX = 'whsec_'
const VERSION = 'v1'
/** Tolerance of the timestamp, as in the libraries of the specification; beyond it is a replay or a wrong clock. */
const TOLERANCE_SEC = 300
/** Of each header that a stranger sends. */
const MAX_HEADER_LENGTH = 4096

/** The three headers that a receiver checks. */
export type SignedHead = { readonly id: string; readonly timestamp: string; readonly signature: string }

export type Signed = { readonly id: string; readonly timestampSec: number; readonly body: Uint8Array }

export type Verification =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: 'malformed' | 'too old' | 'too new' | 'no signature matches' }

/** The value of `webhook-signature`: one signature for each secret, so that both old and new receivers find theirs. */
export function signWebhook(message: Signed, secrets: readonly string[]): string {
  return secrets.map((secret) => `${VERSION},${digestOf(message, secret).toString('base64')}`).join(' ')
}

/** Whether one of the secrets signed this body, and within 300 s of `nowSec`. Takes the same time whichever byte differs. */
export function verifyWebhook(
  head: SignedHead,
  body: Uint8Array,
  { secrets, nowSec }: { readonly secrets: readonly string[]; readonly nowSec: number },
): Verification {
  const { id, timestamp, signature } = head
  const isReadable = id !== '' && /^\d{1,15}$/.test(timestamp) && signature !== ''
  if (!isReadable || id.length + signature.length > MAX_HEADER_LENGTH) return { ok: false, reason: 'malformed' }
  const timestampSec = Number(timestamp)
  if (nowSec - timestampSec > TOLERANCE_SEC) return { ok: false, reason: 'too old' }
  if (timestampSec - nowSec > TOLERANCE_SEC) return { ok: false, reason: 'too new' }
  const digests = secrets.map((secret) => digestOf({ id, timestampSec, body }, secret))
  let fits = false
  for (const given of givenDigests(signature)) {
    for (const digest of digests) if (given.length === digest.length && timingSafeEqual(given, digest)) fits = true
  }
  return fits ? { ok: true } : { ok: false, reason: 'no signature matches' }
}

/** Signatures of other versions are not ours to judge. */
function givenDigests(signature: string): Buffer[] {
  return signature
    .split(' ')
    .filter((each) => each.startsWith(`${VERSION},`))
    .map((each) => Buffer.from(each.slice(VERSION.length + 1), 'base64'))
}

function digestOf({ id, timestampSec, body }: Signed, secret: string): Buffer {
  return createHmac('sha256', keyOf(secret)).update(`${id}.${timestampSec}.`).update(body).digest()
}

/** `whsec_` and base64 is how the specification writes the bytes of a key; any other text is the key itself. */
function keyOf(secret: string): Buffer {
  if (secret.startsWith(SECRET_PREFIX)) return Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')
  return Buffer.from(secret, 'utf8')
}
