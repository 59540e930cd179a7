// Reads single headers of an upstream's answer as text.
import { type ResponseHeaders } from '../../upstream/call.js'

/** A header by its lower-case name; one that came more than once counts with its first value; null where there is none. */
export function headerText(headers: ResponseHeaders, name: string): string | null {
  const value = headers[name]
  return (typeof value === 'string' ? value : value?.[0]) ?? null
}

/** Longer ones are no names. */
const MAX_ID_CHARS = 128

/** The upstream's own name of the request, under either of the headers that APIs use; null where there is none. */
export function requestIdOf(headers: ResponseHeaders): string | null {
  const id = headerText(headers, 'x-request-id') ?? headerText(headers, 'request-id')
  return id === null || id === '' ? null : id.slice(0, MAX_ID_CHARS)
}
