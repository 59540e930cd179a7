// `encrypted_content` of reasoning items, and signatures in the canonical model: opaque both ways, and marked with their origin, since
// only the vendor that made one can read it.
//
//   a client gets                      what it holds                            it came from
//   the vendor's own bytes             the vendor's encrypted reasoning         this wire
//   sluice:s:<signature>               the signature of a thinking block        another wire
//   sluice:r:<data>                    an encrypted thinking block              another wire
//   sluice:c:<call id>:<signature>     the signature of a tool call             another wire
//
// In the canonical model the vendor's own is `openai-responses:<provider>:<encrypted>`: its keys are not portable, so another provider on
// this wire cannot read it either (BerriAI/litellm#40364).

const OWN_MARK = 'openai-responses:'
const SEAL = 'sluice:'

/** The canonical signature of encrypted reasoning; `provider` is empty if it is unknown. */
export function markEncrypted(encrypted: string, provider: string): string {
  return `${OWN_MARK}${encodeURIComponent(provider)}:${encrypted}`
}

/** The encrypted reasoning in a canonical signature if `provider` can read it, else null. An unknown provider is not compared. */
export function unmarkEncrypted(signature: string | null, provider: string): string | null {
  if (signature === null || !signature.startsWith(OWN_MARK)) return null
  const colon = signature.indexOf(':', OWN_MARK.length)
  const maker = signature.slice(OWN_MARK.length, colon)
  if (colon < 0 || (maker !== '' && provider !== '' && maker !== encodeURIComponent(provider))) return null
  return signature.slice(colon + 1)
}

/** What another wire has signed. */
export type Sealed =
  | { readonly kind: 'signature'; readonly signature: string }
  | { readonly kind: 'redacted'; readonly redacted: string }
  | { readonly kind: 'call'; readonly callId: string; readonly signature: string }

/** As a client gets it. */
export function seal(sealed: Sealed): string {
  if (sealed.kind === 'signature') return `${SEAL}s:${sealed.signature}`
  if (sealed.kind === 'redacted') return `${SEAL}r:${sealed.redacted}`
  return `${SEAL}c:${encodeURIComponent(sealed.callId)}:${sealed.signature}`
}

/** True for what only this gateway can read. */
export function isSealed(encrypted: string): boolean {
  return encrypted.startsWith(SEAL)
}

/** What a client sent back; null for the vendor's own, and for what a client has made up. */
export function unseal(encrypted: string): Sealed | null {
  const [kind, rest] = [encrypted.slice(SEAL.length, SEAL.length + 2), encrypted.slice(SEAL.length + 2)]
  if (!isSealed(encrypted)) return null
  if (kind === 's:') return { kind: 'signature', signature: rest }
  if (kind === 'r:') return { kind: 'redacted', redacted: rest }
  const colon = rest.indexOf(':')
  const callId = kind === 'c:' && colon >= 0 ? decode(rest.slice(0, colon)) : null
  return callId === null ? null : { kind: 'call', callId, signature: rest.slice(colon + 1) }
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
