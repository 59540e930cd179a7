// The path that a client gives: where below a provider's base URL its request goes. A list of what may stand in it, not of what
// may not: what one server takes for a letter another takes for a way up.
//
//   path = 1*("/" segment) ["/"] ["?" query]     segment = 1*(letter | digit | one of -_.~:@!$&'()*+,= | "%" hex hex)
import { GatewayError } from '../../errors.js'

const MAX_PATH_CHARS = 2048
const PATH = /^(?:\/(?:[\w.~:@!$&'()*+,=-]|%[0-9A-Fa-f]{2})+)+\/?$/
const QUERY = /^(?:[\w.~:@!$&'()*+,;=/?[\]-]|%[0-9A-Fa-f]{2})*$/
/** `.` and `..`, also with what some servers cut off: dots of any number are no name. */
const DOTS = /\/\.+(?:\/|$)/
/** Encoded dots, slashes and backslashes, the percent sign that would be decoded twice, and control characters. */
const ENCODED_WAY_OUT = /%(?:2e|2f|5c|25|[01][0-9a-f]|7f)/i
const ENCODED_BREAK = /%(?:0[0-9a-f]|1[0-9a-f]|7f)/i

/**
 * The path as it is, if it can lead nowhere but below the base URL.
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
  // Not repeated: it may hold what the client's own log should not.
  throw new GatewayError('invalid_request', {
    message: "'path' must be a plain path below the provider's base URL, such as /embeddings.",
    param: 'path',
  })
}
