// The key in the subprotocols that a WebSocket client offers: a browser cannot set headers. A subprotocol is a token (RFC 9110,
// 5.6.2), which has no room for the `=`, `/` and other characters of many keys; so it may come in base64url.
//
//   Sec-WebSocket-Protocol: sluice.v1, bearer.THE-KEY        or        sluice.v1, bearer64.VEhFLUtFWQ
import { GatewayError } from '../../errors.js'

const PLAIN = 'bearer.'
const ENCODED = 'bearer64.'
/** RFC 4648, section 5, without padding. */
const BASE64URL = /^[A-Za-z0-9_-]+$/

/**
 * The credential as an Authorization header would have it; empty if there is none.
 * @throws unauthenticated for more than one, as for two headers
 */
export function credentialOf(protocols: readonly string[]): string {
  const carriers = protocols.filter((name) => name.startsWith(PLAIN) || name.startsWith(ENCODED))
  const [carrier] = carriers
  if (carrier === undefined) return ''
  if (carriers.length > 1) throw new GatewayError('unauthenticated')
  if (carrier.startsWith(PLAIN)) return `Bearer ${carrier.slice(PLAIN.length)}`
  const encoded = carrier.slice(ENCODED.length)
  // Invalid base64url is not a key; it is looked up unchanged, so that it counts as a failed one.
  return `Bearer ${BASE64URL.test(encoded) ? Buffer.from(encoded, 'base64url').toString() : encoded}`
}
