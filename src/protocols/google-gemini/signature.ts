// Thought signatures on their way through clients that do not know them: marked with their vendor, and unmarked only here. The vendor
// answers 400 "Corrupted thought signature" to a conversation with a signature of another vendor's model
// (router-for-me/CLIProxyAPI#994), and other vendors reject its signatures the same way.

const MARK = 'google-gemini:'
/** The vendor's field is bytes: anything but base64 is rejected before the model sees it. */
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/

/** The vendor's signature as clients get it. */
export function markSignature(signature: string): string {
  return `${MARK}${signature}`
}

/** The vendor's own signature in what a client sent back; null for any other. */
export function unmarkSignature(signature: string | null): string | null {
  if (signature === null || !signature.startsWith(MARK)) return null
  const own = signature.slice(MARK.length)
  return BASE64.test(own) ? own : null
}

// What another vendor has signed or encrypted reaches this wire's clients as base64, as their field requires, with a mark inside:
//
//   base64("sluice:s:" signature)        base64("sluice:r:" encrypted thinking)
const SEAL = 'sluice:'
/** The first characters of everything sealed: six bytes are eight digits. */
const SEAL_DIGITS = Buffer.from(SEAL.slice(0, 6)).toString('base64')

export type ReadSignature = { readonly signature: string | null; readonly redacted: string | null }

/** A canonical signature as clients get it: the vendor's own as it is, any other sealed. */
export function encodeSignature(signature: string): string {
  return unmarkSignature(signature) ?? seal('s', signature)
}

/** Encrypted thinking of another vendor as clients get it. */
export function encodeRedacted(redacted: string): string {
  return seal('r', redacted)
}

/** What a client sent back, in canonical form. */
export function decodeSignature(text: string): ReadSignature {
  if (!isSealed(text)) return { signature: markSignature(text), redacted: null }
  const opened = Buffer.from(text, 'base64').toString('utf8').slice(SEAL.length)
  const value = opened.slice('s:'.length)
  return opened.startsWith('r:') ? { signature: null, redacted: value } : { signature: value, redacted: null }
}

/** True for what only this gateway can read. */
export function isSealed(text: string): boolean {
  return text.startsWith(SEAL_DIGITS)
}

function seal(kind: 's' | 'r', value: string): string {
  return Buffer.from(`${SEAL}${kind}:${value}`).toString('base64')
}
