// Ids of this API's objects. The vendor accepts at most 64 characters of any id that comes back to it, so longer ones are hashed: the
// same id for the same thing on every node, and in every turn.
import { createHash } from 'node:crypto'

const RESPONSE_PREFIX = 'resp_'
/** "Invalid 'input[2].id': string too long. Expected a string with maximum length 64" is the vendor's error. */
const MAX_ID_CHARS = 64
/** Leaves room for the prefix and the position of an item. */
const ITEM_BASE = /^[A-Za-z0-9_-]{1,48}$/
const HASH_CHARS = 40

/** An id as this surface shows it: foreign ones get the vendor's prefix. */
export function encodeResponseId(id: string): string {
  return id.startsWith(RESPONSE_PREFIX) ? id : `${RESPONSE_PREFIX}${id}`
}

/** What the ids of all items of a response have in common. */
export function itemBaseOf(responseId: string): string {
  const base = responseId.slice(RESPONSE_PREFIX.length)
  return ITEM_BASE.test(base) ? base : hash(base)
}

/** The id of a call, in the length that the vendor accepts: the same for the call and its result. */
export function fitCallId(id: string): string {
  return id.length <= MAX_ID_CHARS ? id : `call_${hash(id)}`
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, HASH_CHARS)
}
