// Makes the error text of an upstream fit to be shown: short and without keys. Knows no vendor's envelope; each dialect reads its
// own and passes the text through here.
import { maskKeys } from './mask-keys.js'

/** Said in place of an upstream's words about a refused key: it is the gateway's, and the client must not doubt its own. */
export const KEY_REFUSED = "The provider rejected the gateway's credentials."

/** Enough for a vendor's longest sentences; a prompt echoed back is cut. */
const MAX_MESSAGE_CHARS = 1000
/** Kept of a body that is not the vendor's envelope: enough to tell whose page it is. */
const MAX_PAGE_WORDS_CHARS = 200
/** Looked at of such a page: its tags take most of it. */
const MAX_PAGE_CHARS = 4000

/** At most 1000 characters without keys, line breaks kept; null when nothing is left. */
export function toMessage(text: string): string | null {
  // Cut before the patterns run: a body of megabytes must not cost more than its first words.
  return orNull(maskKeys(text.slice(0, MAX_MESSAGE_CHARS * 2)).trim(), MAX_MESSAGE_CHARS)
}

/** The first words of a body that is not JSON, such as a proxy's page of HTML, on one line; null when nothing is left. */
export function toPageMessage(body: string): string | null {
  const words = body.slice(0, MAX_PAGE_CHARS).replace(/<[^<>]*>/g, ' ')
  return orNull(maskKeys(words.replace(/\s+/g, ' ').trim()), MAX_PAGE_WORDS_CHARS)
}

function orNull(text: string, maxChars: number): string | null {
  return text === '' ? null : text.slice(0, maxChars)
}
