// What keys and tokens look like, in one place: in an upstream's words, in a URL, in a line of the log. Some vendors quote a
// key back in the message that refuses it. Knows them by their look only; secrets known by value are the log's own affair.

/**
 * Keys by the prefixes of the vendors' documents (2026-11), JSON web tokens, passwords in URLs; and, with the name before
 * them kept as the one group, values of an auth scheme, a query member or a field that is named like a key. Mostly long
 * ones, so that model names and ordinary words stay.
 */
const KEY_LIKE = new RegExp(
  [
    // Vendors mask keys with `*` themselves; the full stop behind one is the sentence's.
    String.raw`\b(?:sk|pk|rk|gsk|xai|hf|r8|pplx|nvapi|whsec|ghp)[-_][\w*.-]{5,}[\w*-]`,
    String.raw`\b(?:AIza|ya29\.)[\w-]{6,}`,
    String.raw`\beyJ[\w-]{6,}(?:\.[\w-]*)*`,
    String.raw`(?<=://)[^/\s:@]*:[^/\s@]+(?=@)`,
    String.raw`(\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}`,
    String.raw`([?&](?:key|api[-_]?key|token|access_token|secret|signature)=)[^\s&"']+`,
    String.raw`(\b(?:x-)?(?:api[-_]?key|access[-_]?token|secret)"?\s{0,2}[:=]\s{0,2}"?|\bkey=)[^\s&"',;]{8,}`,
  ].join('|'),
  'gi',
)

/** Replaces all that looks like a key, so that a foreign text may be shown and logged. */
export function maskKeys(text: string, mask = '***'): string {
  return text.replace(
    KEY_LIKE,
    (_whole, scheme?: string, member?: string, field?: string) => (scheme ?? member ?? field ?? '') + mask,
  )
}
