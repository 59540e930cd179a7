// The path of a client's request below a provider's base URL. An allow-list of characters, not a deny-list: what is a plain
// character to one server leads to the parent folder on another.
//
//   path = 1*("/" segment) ["/"] ["?" query]     segment = 1*(letter | digit | one of -_.~:@!$&'()*+,= | "%" hex hex)
import { GatewayError } from '../../errors.js'

const MAX_PATH_CHARS = 2048
const PATH = /^(?:\/(?:[\w.~:@!$&'()*+,=-]|%[0-9A-Fa-f]{2})+)+\/?$/
const QUERY = /^(?:[\w.~:@!$&'()*+,;=/?[\]-]|%[0-9A-Fa-f]{2})*$/
/** `.` and `..`, also with characters that some servers strip: a segment of only dots is not a name. */
const DOTS = /\/\.+(?:\/|$)/
/** Encoded dots, slashes and backslashes, the percent sign that would be decoded twice, and control characters. */
const ENCODED_WAY_OUT = /%(?:2e|2f|5c|25|[01][0-9a-f]|7f)/i
const ENCODED_BREAK = /%(?:0[0-9a-f]|1[0-9a-f]|7f)/i

/**
 * The path unchanged, if it cannot lead out of the base URL.
 * @throws invalid_request
 */
export function checkPath(path: string): string {
  const at = path.indexOf('?')
  const name = at < 0 ? path : path.slice(0, at)
  const query = at < 0 ? '' : path.slice(at + 1)
  const isSafe =
    path.length <= MAX_PATH_CHARS &&
    PATH.test(name) &&
    !DOTS.test(name) &&
    !ENCODED_WAY_OUT.test(name) &&
    QUERY.test(query) &&
    !ENCODED_BREAK.test(query)
  if (isSafe) return path
  // Not quoted: it may contain what should not be in the client's own log.
  throw new GatewayError('invalid_request', {
    message: "'path' must be a plain path below the provider's base URL, such as /embeddings.",
    param: 'path',
  })
}
