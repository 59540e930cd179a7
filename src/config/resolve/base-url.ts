// Normalizes a base URL with or without its version segment, so that whatever the vendor's own client libraries accept works
// here. Pure; the profile or the protocol supplies the version segment.

export type VersionRule = {
  /** Such as `/v1` or `/api/v1`; empty for none. */
  readonly versionSegment: string
  /** Client libraries of this wire add the version themselves: a version anywhere in the path makes it complete. */
  readonly clientsGiveVersion: boolean
}

export type BaseUrl = { readonly url: string } | { readonly reason: string }

/** `v1`, `v1beta`, `v4`, `v1beta2`. */
const VERSION = /^v\d+[a-z0-9]*$/

/** Origin and path with the version segment and without a trailing slash, or the reason why it is not a base URL. */
export function normaliseBaseUrl(text: string, rule: VersionRule): BaseUrl {
  if (!URL.canParse(text)) return { reason: 'is not a URL; it must begin with http:// or https://' }
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return { reason: 'must begin with http:// or https://' }
  if (url.username !== '' || url.password !== '')
    return { reason: 'must not contain a user name or password; use apiKey' }
  if (url.search !== '' || text.includes('?')) return { reason: 'must not contain a query' }
  if (url.hash !== '' || text.includes('#')) return { reason: 'must not contain a fragment' }
  const segments = url.pathname.split('/').filter((segment) => segment !== '')
  return { url: `${url.origin}${toPath(complete(segments, rule))}` }
}

/** The version segment without its last part: the path of an API with a dated version. */
export function withoutVersion(versionSegment: string): string {
  return toPath(versionSegment.split('/').filter((segment) => segment !== '' && !VERSION.test(segment)))
}

function complete(segments: readonly string[], rule: VersionRule): readonly string[] {
  const wanted = rule.versionSegment.split('/').filter((segment) => segment !== '')
  const hasVersion = rule.clientsGiveVersion ? segments.some(isVersion) : isVersion(segments.at(-1) ?? '')
  if (wanted.some(isVersion) && hasVersion) return segments
  // A wire without a version segment: one that was given belongs to another API of the same server.
  if (wanted.length === 0 && hasVersion) return segments.slice(0, -1)
  // `/x` + `/x/v1` = `/x/v1`: the longest end of the path that begins the version segment is shared.
  for (let shared = Math.min(segments.length, wanted.length); shared > 0; shared--) {
    const end = segments.slice(segments.length - shared)
    if (end.every((segment, index) => segment === wanted[index])) return [...segments, ...wanted.slice(shared)]
  }
  return [...segments, ...wanted]
}

function isVersion(segment: string): boolean {
  return VERSION.test(segment)
}

function toPath(segments: readonly string[]): string {
  return segments.map((segment) => `/${segment}`).join('')
}
