// Reads one header of an upstream's answer as text.
import { type ResponseHeaders } from '../upstream/call.js'

/** A header by its lower-case name; one that came more than once counts with its first value; null where there is none. */
export function headerText(headers: ResponseHeaders, name: string): string | null {
  const value = headers[name]
  return (typeof value === 'string' ? value : value?.[0]) ?? null
}
