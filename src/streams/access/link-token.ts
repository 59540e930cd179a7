// Tokens of links, by which a browser's EventSource, which cannot send a key, reads one stream. Its holder may read that stream for
// 15 minutes and do nothing else. The gateway keeps no list of them: a token is its own proof, as long as its owner has a key.
//
//   token   = expiry "." tag "." mac       expiry: Unix seconds in base 36
//   tag     = 8 characters that tell the owners apart, without naming them; or the id of a key of a database, which is no secret
//   mac     = HMAC-SHA-256(key, "read", stream id, owner, expiry), each with its length before it, in base64url
//   key     = HKDF-SHA-256(secret, info: the purpose), so that other uses of the secret have other keys
import { hkdfSync, randomFillSync, timingSafeEqual } from 'node:crypto'
import { ShortHmac } from './short-hmac.js'

/** What a link leads to. */
export type LinkSubject = { readonly id: string; readonly owner: string }

export type LinkOptions = {
  /** All event loops, and nodes, with the same one accept each other's tokens. */
  readonly secret: string | Uint8Array
  /** All owners that have a key now; '' alone on a gateway without keys. */
  readonly owners: readonly string[]
  /** Whether there is a key of a database with this id, which owns streams by it; absent without one. */
  readonly isAccount?: (id: string) => boolean
  /** Unix time. */
  readonly nowMs: () => number
}

const PURPOSE = 'sluice stream link 1'
const KEY_BYTES = 32
/** The only right that a link gives. */
const READ = 'read'
const OWNER = 'owner'
const TAG_CHARS = 8
/** Time for a page to open the stream, and to come back to it. */
export const LINK_TTL_MS = 15 * 60_000
const MS_PER_SEC = 1000
const ACCOUNT_ID = /^key_[0-9A-Za-z]{20}$/
const TOKEN = /^([0-9a-z]{1,9})\.([A-Za-z0-9_-]{8}|key_[0-9A-Za-z]{20})\.([A-Za-z0-9_-]{43})$/

/** Makes and checks tokens, by one configuration. */
export class LinkTokens {
  readonly #options: LinkOptions
  readonly #hmac: ShortHmac
  /** Of the owner of the last link: many streams in a row are of one. */
  #lastOwner: { readonly owner: string; readonly tag: string } | null = null
  /** By tag; made when the first token comes. */
  #owners: ReadonlyMap<string, string> | null = null

  constructor(options: LinkOptions) {
    this.#options = options
    this.#hmac = new ShortHmac(new Uint8Array(hkdfSync('sha256', options.secret, '', PURPOSE, KEY_BYTES)))
  }

  /** Safe in a URL as it is. */
  issue({ id, owner }: LinkSubject): string {
    const expiry = Math.floor((this.#options.nowMs() + LINK_TTL_MS) / MS_PER_SEC).toString(36)
    if (this.#lastOwner?.owner !== owner) this.#lastOwner = { owner, tag: this.#tagOf(owner) }
    return `${expiry}.${this.#lastOwner.tag}.${this.#sign(READ, id, owner, expiry)}`
  }

  /**
   * Whose stream the token lets read. Null alike for one that is expired, malformed, of another stream or secret, or of an owner
   * without a key.
   */
  ownerOf(token: string, id: string): string | null {
    const [, expiry = '', tag = '', mac = ''] = TOKEN.exec(token) ?? []
    this.#owners ??= new Map(this.#options.owners.map((owner) => [this.#tagOf(owner), owner]))
    const owner = this.#owners.get(tag) ?? (this.#isAccount(tag) ? tag : undefined)
    // Compared as text: of the four spellings that base64url has for the last bits only ours is accepted.
    const expected = this.#sign(READ, id, owner ?? '', expiry)
    const isOurs = mac.length === expected.length && timingSafeEqual(Buffer.from(mac), Buffer.from(expected))
    const isValid = isOurs && Number.parseInt(expiry, 36) * MS_PER_SEC > this.#options.nowMs()
    return isValid ? (owner ?? null) : null
  }

  #isAccount(tag: string): boolean {
    return tag.length > TAG_CHARS && this.#options.isAccount?.(tag) === true
  }

  #tagOf(owner: string): string {
    if (ACCOUNT_ID.test(owner)) return owner
    return this.#sign(OWNER, owner).slice(0, TAG_CHARS)
  }

  #sign(...parts: readonly string[]): string {
    let text = ''
    for (const part of parts) text += `${Buffer.byteLength(part)}:${part}`
    return this.#hmac.sign(text)
  }
}

/** A secret for the life of the process, which all its event loops share. */
export function createLinkSecret(): SharedArrayBuffer {
  const secret = new SharedArrayBuffer(KEY_BYTES)
  new Uint8Array(secret).set(randomFillSync(new Uint8Array(KEY_BYTES)))
  return secret
}
