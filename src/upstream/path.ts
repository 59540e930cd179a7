// Joins a dialect's path to a provider's base path. A model name comes from the client and may be part of the path, so nothing in
// it may lead out of the base path or to another origin. Never decodes: the checked path is the one that is sent.
import { GatewayError } from '../errors.js'

/** Origin-form only: begins with a slash, visible ASCII, no fragment, no backslash (which some servers read as a slash). */
const ORIGIN_FORM = /^\/[!"$-[\]-~]*$/
/** A `.` or `..` segment, plain or percent-encoded, in the path before any query. */
const DOT_SEGMENT = /^[^?]*\/(?:\.|%2e){1,2}(?:[/?]|%2f|$)/i
/** An encoded slash or backslash: some servers decode it before they resolve dot segments. */
const ENCODED_DOTS = /^[^?]*(?:%2f|%5c)(?:\.|%2e){1,2}(?:[/?]|%2f|%5c|$)/i

/**
 * The request target: `basePath` (no trailing slash) and `path` (begins with one, may hold a query).
 * @throws invalid_request when the result could leave the base path
 */
export function joinPath(basePath: string, path: string): string {
  if (path.startsWith('//') || !ORIGIN_FORM.test(path) || DOT_SEGMENT.test(path) || ENCODED_DOTS.test(path)) {
    throw new GatewayError('invalid_request', {
      message: 'The model name contains characters or path segments that are not allowed in a request to its provider.',
      param: 'model',
    })
  }
  return basePath + path
}
