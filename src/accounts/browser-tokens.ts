// Tokens by which a browser uses a key without having it: signed, short-lived, and narrower than the key. The gateway keeps no list of them; a
// token is its own proof, as long as the secret that it was issued with is one of a key that may be used.
//
//   token   = "sk-sluice-token-" payload "." mac
//   payload = JSON in base64url: e expiry (Unix seconds), n nonce, k digest of the key's secret, hidden, m models, c cap, o origin, u end user
//   mac     = HMAC-SHA-256(signing key, payload) in base64url
//   hidden  = digest xor HMAC-SHA-256(hiding key, nonce): a key of the configuration file may be short enough to be guessed by its digest
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { GatewayError } from '../errors.js'
import { type RandomBytes } from './secret.js'

/** What a token permits, all of it within what its key does. */
export type TokenClaims = {
  /** Unix ms, a whole second. */
  readonly expiresAtMs: number
  /** Model names or globs; null: all that the key may use. */
  readonly models: readonly string[] | null
  /** Output tokens of each answer; null: no cap. */
  readonly maxOutputTokens: number | null
  /** The end user for whom it asks; null: it names none. */
  readonly user: string | null
  /** The only origin whose pages may use it; null: any that CORS allows. */
  readonly origin: string | null
}

/** A token that was read: genuine, but perhaps expired. */
export type BrowserToken = TokenClaims & {
  /** SHA-256 of the secret of its key, 32 bytes. */
  readonly digest: Buffer
}

export type BrowserTokenOptions = {
  /** The newest first: it signs, the others are still accepted. Empty as long as none is known. */
  readonly secrets: () => readonly (string | Uint8Array)[]
  /** Unix time. */
  readonly nowMs: () => number
  readonly random: RandomBytes
}

/** Of a genuine token, so it says more than for an unknown key; and it is no guess. */
export const TOKEN_EXPIRED = GatewayError.shared('unauthenticated', { message: 'This token has expired.' })
/** No secret of a key begins with it: its digits follow `sk-sluice-` without a hyphen. */
export const TOKEN_PREFIX = 'sk-sluice-token-'
/** Clients send it in a header, whose block has 16 KiB. */
const MAX_TOKEN_CHARS = 4096
const TOKEN = /^sk-sluice-token-([A-Za-z0-9_-]{1,4096})\.([A-Za-z0-9_-]{43})$/
const KEY_BYTES = 32
const NONCE_BYTES = 16
const MS_PER_SEC = 1000

type Payload = {
  readonly e: number
  readonly n: string
  readonly k: string
  readonly m?: readonly string[]
  readonly c?: number
  readonly o?: string
  readonly u?: string
}

/** Two keys from one secret, so that no use of it can stand for another. */
type Keys = { readonly signing: Buffer; readonly hiding: Buffer }

export class BrowserTokens {
  readonly #options: BrowserTokenOptions
  #keys: readonly Keys[] = []

  constructor(options: BrowserTokenOptions) {
    this.#options = options
  }

  /** Null as long as there is no secret to sign with. @throws invalid_request where it is longer than MAX_TOKEN_CHARS */
  issue(digest: Buffer, { expiresAtMs, models, maxOutputTokens, origin, user }: TokenClaims): string | null {
    const [keys] = this.#allKeys()
    if (keys === undefined) return null
    const nonce = Buffer.from(this.#options.random(NONCE_BYTES))
    const payload: Payload = {
      e: Math.floor(expiresAtMs / MS_PER_SEC),
      n: nonce.toString('base64url'),
      k: hidden(digest, nonce, keys).toString('base64url'),
      ...(models === null ? {} : { m: models }),
      ...(maxOutputTokens === null ? {} : { c: maxOutputTokens }),
      ...(origin === null ? {} : { o: origin }),
      ...(user === null ? {} : { u: user }),
    }
    const text = Buffer.from(JSON.stringify(payload)).toString('base64url')
    const token = `${TOKEN_PREFIX}${text}.${sign(text, keys)}`
    if (token.length <= MAX_TOKEN_CHARS) return token
    const message = `models has too many names for a token of ${MAX_TOKEN_CHARS} characters.`
    throw new GatewayError('invalid_request', { message, param: 'models' })
  }

  /** Null for a text that was not issued by this gateway; an expired token is read like any other. */
  read(token: string): BrowserToken | null {
    const [, text = '', mac = ''] = TOKEN.exec(token) ?? []
    if (text === '') return null
    const keys = this.#allKeys().find((each) => isEqual(mac, sign(text, each)))
    return keys === undefined ? null : decode(text, keys)
  }

  isExpired({ expiresAtMs }: TokenClaims): boolean {
    return expiresAtMs <= this.#options.nowMs()
  }

  #allKeys(): readonly Keys[] {
    if (this.#keys.length === 0) this.#keys = this.#options.secrets().map(keysOf)
    return this.#keys
  }
}

/** Only of what was signed here. */
function decode(text: string, keys: Keys): BrowserToken {
  const { e, n, k, m, c, o, u } = JSON.parse(Buffer.from(text, 'base64url').toString()) as Payload
  const digest = hidden(Buffer.from(k, 'base64url'), Buffer.from(n, 'base64url'), keys)
  const narrower = { models: m ?? null, maxOutputTokens: c ?? null, origin: o ?? null, user: u ?? null }
  return { digest, expiresAtMs: e * MS_PER_SEC, ...narrower }
}

/** Its own inverse. */
function hidden(digest: Buffer, nonce: Buffer, { hiding }: Keys): Buffer {
  const mask = createHmac('sha256', hiding).update(nonce).digest()
  return mask.map((byte, i) => byte ^ (digest[i] ?? 0)) as Buffer
}

function sign(text: string, { signing }: Keys): string {
  return createHmac('sha256', signing).update(text).digest('base64url')
}

/** As text: of the four spellings that base64url has for the last bits only ours is accepted. */
function isEqual(mac: string, expected: string): boolean {
  return timingSafeEqual(Buffer.from(mac), Buffer.from(expected))
}

function keysOf(secret: string | Uint8Array): Keys {
  const derive = (purpose: string): Buffer => Buffer.from(hkdfSync('sha256', secret, '', purpose, KEY_BYTES))
  return { signing: derive('sluice browser token 1: sign'), hiding: derive('sluice browser token 1: hide') }
}
