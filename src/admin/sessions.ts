// Sessions of browsers on the admin listener: what follows a key that was typed in once. A session has two secrets. The cookie is kept
// where no script reads it, but a browser sends it to every port of this host; the token is kept by the page, and no other page knows
// it. A request needs both. Only their SHA-256 is kept, in memory: a restart ends all sessions.
import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

/** A working day; then the key is typed in again. */
export const SESSION_MS = 12 * 60 * 60 * 1000
/** Far more than there are operators; the oldest makes room. */
const MAX_SESSIONS = 1000
const SECRET_BYTES = 32

type Session = { readonly token: Buffer; readonly keySha256: string; readonly endsAtMs: number }

/** Shown once. */
export type SessionSecrets = { readonly cookie: string; readonly token: string }

export class Sessions {
  readonly #nowMs: () => number
  /** By the SHA-256 of the cookie, the oldest first. */
  readonly #sessions = new Map<string, Session>()

  /** `nowMs`: a clock that does not jump. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** A session of the admin key with this digest. */
  open(keySha256: string): SessionSecrets {
    const [cookie, token] = [secret(), secret()]
    const oldest = this.#sessions.keys().next().value
    if (this.#sessions.size >= MAX_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest)
    const endsAtMs = this.#nowMs() + SESSION_MS
    this.#sessions.set(digest(cookie).toString('hex'), { token: digest(token), keySha256, endsAtMs })
    return { cookie, token }
  }

  /** The digest of the key that opened it; null unless both belong to one session that has not ended. */
  find({ cookie, token }: SessionSecrets): string | null {
    const id = digest(cookie).toString('hex')
    const session = this.#sessions.get(id)
    if (session === undefined) return null
    if (session.endsAtMs <= this.#nowMs()) {
      this.#sessions.delete(id)
      return null
    }
    return timingSafeEqual(session.token, digest(token)) ? session.keySha256 : null
  }

  /** Ends those whose key is none any more, for good: a key that comes back does not bring them back. */
  endExcept(isKey: (keySha256: string) => boolean): void {
    for (const [id, { keySha256 }] of this.#sessions) if (!isKey(keySha256)) this.#sessions.delete(id)
  }

  /** Idempotent. */
  end(cookie: string): void {
    this.#sessions.delete(digest(cookie).toString('hex'))
  }
}

function secret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url')
}

function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}
