// Reads single headers of an upstream's answer as text.
import { type ResponseHeaders } from '../../upstream/call.js'

/** A header by its lower-case name; the first value if it occurs more than once; null if it is missing. */
export function headerText(headers: ResponseHeaders, name: string): string | null {
  const value = headers[name]
  return (typeof value === 'string' ? value : value?.[0]) ?? null
}

/** Longer values are not ids. */
const MAX_ID_CHARS = 128

/** The upstream's own id of the request, from either of the headers that APIs use; null if there is none. */
export function requestIdOf(headers: ResponseHeaders): string | null {
  const id = headerText(headers, 'x-request-id') ?? headerText(headers, 'request-id')
  return id === null || id === '' ? null : id.slice(0, MAX_ID_CHARS)
}
