// The Cache-Control header of a request, as far as a cache of answers obeys it (RFC 9111, section 5.2.1).
//
//   Cache-Control = directive ("," directive)*       directive = token ["=" (token | quoted-string)]

export type CacheControl = {
  /** The answer must not be stored, and is not taken from the store. */
  readonly noStore: boolean
  /** The request must reach the provider; its answer may be stored. */
  readonly noCache: boolean
  /** The oldest stored answer that is accepted; null for any. */
  readonly maxAgeMs: number | null
}

/** Of a request without the header. */
export const ANY_ANSWER: CacheControl = Object.freeze({ noStore: false, noCache: false, maxAgeMs: null })

const SECONDS = /^"?(\d{1,15})"?$/

/** Reads the header; empty for none. Unknown directives are ignored, as the RFC requires. */
export function parseCacheControl(header: string): CacheControl {
  if (header === '') return ANY_ANSWER
  let noStore = false
  let noCache = false
  let maxAgeMs: number | null = null
  for (const directive of header.split(',')) {
    const [name = '', value = ''] = directive.split('=')
    switch (name.trim().toLowerCase()) {
      case 'no-store':
        noStore = true
        break
      case 'no-cache':
        noCache = true
        break
      case 'max-age': {
        // An age that cannot be read accepts no stored answer: RFC 9111, section 4.2.1, counts it as stale.
        const ageMs = Number(SECONDS.exec(value.trim())?.[1] ?? 0) * 1000
        maxAgeMs = Math.min(maxAgeMs ?? ageMs, ageMs)
        break
      }
    }
  }
  return { noStore, noCache, maxAgeMs }
}
