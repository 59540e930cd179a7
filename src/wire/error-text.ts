// The words of an upstream's error answer, fit to be shown: short, on one line and free of keys.
// Knows no vendor's envelope; each dialect reads its own and hands the text through here.

/** Longest message passed on: enough for a sentence or two, too little for a whole error page. */
const MAX_MESSAGE_CHARS = 500

/** Said in place of an upstream's words about a refused key: it is the gateway's, and the client must not doubt its own. */
export const KEY_REFUSED = "The provider refused the gateway's credentials."

/** Looked at of a page: its tags take most of it. */
const MAX_PAGE_CHARS = 4000

/** What vendors' keys and tokens look like; some vendors quote the key back in the message that refuses it. */
const KEY_LIKE =
  /\b(?:AIza|sk-|gsk_|xai-|ya29\.|hf_)[\w.-]{6,}|\bBearer\s+[\w.~+/=-]{8,}|\b(?:api[_-]?)?key=[\w.-]{8,}/gi

/** Replaces everything that looks like a key by `***`. */
export function maskKeys(text: string): string {
  return text.replace(KEY_LIKE, '***')
}

/** One line of at most 500 characters without keys; null when nothing is left. */
export function toMessage(text: string): string | null {
  // Cut before the patterns run: a body of megabytes must not cost more than its first words.
  const words = maskKeys(text.slice(0, MAX_MESSAGE_CHARS * 2))
    .replace(/\s+/g, ' ')
    .trim()
  return words === '' ? null : words.slice(0, MAX_MESSAGE_CHARS)
}

/** The words of a body that is not JSON, such as a proxy's page of HTML; null when nothing is left. */
export function toPageMessage(body: string): string | null {
  return toMessage(body.slice(0, MAX_PAGE_CHARS).replace(/<[^<>]*>/g, ' '))
}
