// The version of a record as HTTP has it: an ETag in answers, If-Match in requests (RFC 9110, 8.8.3 and 13.1.1).
import { GatewayError } from '../../errors.js'
import { type HeaderList } from '../../pipeline/sink.js'

const TAG = /^(?:W\/)?"(\d{1,15})"$/

/** The header of an answer with a record of this version. */
export function etagOf(version: number): HeaderList {
  return [['etag', `"${version}"`]]
}

/**
 * The version that a change is made to; null for any.
 * @throws invalid_request for what is no ETag of this API
 */
export function versionOf(ifMatch: string): number | null {
  if (ifMatch === '' || ifMatch === '*') return null
  const version = TAG.exec(ifMatch.trim())?.[1]
  if (version !== undefined) return Number(version)
  throw new GatewayError('invalid_request', {
    message: 'If-Match must be one ETag as an answer had it, such as "7", or *.',
    param: 'If-Match',
  })
}
