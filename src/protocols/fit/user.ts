// An end user's id: where a request of any API has it, for the log, and how a vendor gets it that accepts only short ones. A longer id is
// hashed, so that the same user has the same id at the vendor from every node, which is all that the vendor needs.
import { createHash } from 'node:crypto'
import { isJsonObject, type JsonObject } from '../../model/json.js'

/** Longer ones are cut: an id of the log is for finding, not for keeping. */
const MAX_CHARS = 256
/** Top-level members of the APIs, the newest first; `metadata` has it as `user_id`. */
const MEMBERS = ['safety_identifier', 'user']

/** The end user on whose behalf the client asks, as it wrote it; null if it named none. `body`: of a request of any API. */
export function endUserOf(body: JsonObject): string | null {
  for (const name of MEMBERS) {
    const user = body[name]
    if (typeof user === 'string' && user !== '') return user.slice(0, MAX_CHARS)
  }
  const { metadata } = body
  const user = isJsonObject(metadata) ? metadata.user_id : null
  return typeof user === 'string' && user !== '' ? user.slice(0, MAX_CHARS) : null
}

/** The id unchanged, or the 64 hex digits of its SHA-256 if it is longer than the vendor accepts (64 characters or more). */
export function fitUser(user: string, maxChars: number): string {
  return user.length <= maxChars ? user : createHash('sha256').update(user).digest('hex')
}
