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
