// Recognizes keys and tokens by their form, in one place: in an upstream's error, a URL or a log line. Some vendors quote a key in
// the message that rejects it. Only by form; the log removes known secrets by value.

/** What stands before the `-` or `_` of a vendor's key. */
const PREFIX = 'sk|pk|rk|gsk|xai|hf|r8|pplx|nvapi|whsec|ghp'

/**
 * A word without any of this holds none: ids and names of models, which are most of the texts, take a third of the time. All but the
 * first four forms below have a character that words do not have.
 */
const MAY_HOLD_KEY = new RegExp(String.raw`[^\w.-]|\b(?:(?:${PREFIX})[-_]|AIza|ya29\.|eyJ|AKIA|ASIA)`, 'i')

/**
 * Keys by the prefixes of the vendors' documents (2026-11), JSON web tokens, passwords in URLs; and, with the name before
 * them kept as the one group, values of an auth scheme, a query member or a field that is named like a key. Mostly long
 * ones, so that model names and ordinary words stay.
 */
const KEY_LIKE = new RegExp(
  [
    // Vendors mask keys with `*` themselves; the full stop behind one is the sentence's.
    String.raw`\b(?:${PREFIX})[-_][\w*.-]{5,}[\w*-]`,
    String.raw`\b(?:AIza|ya29\.)[\w-]{6,}`,
    String.raw`\beyJ[\w-]{6,}(?:\.[\w-]*)*`,
    String.raw`\b(?:AKIA|ASIA)[A-Z0-9]{16}\b`,
    '-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?',
    String.raw`(?<=://)[^/\s:@]*:[^/\s@]+(?=@)`,
    String.raw`(\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}`,
    String.raw`([?&](?:key|api[-_]?key|token|access_token|secret|signature)=)[^\s&"']+`,
    String.raw`(\b(?:x-)?(?:api[-_]?key|(?:access|session|security)[-_]?token|secret[-_]?access[-_]?key|(?:client[-_]?)?secret|signature)"?\s{0,2}[:=]\s{0,2}"?|\bkey=)[^\s&"',;]{8,}`,
  ].join('|'),
  'gi',
)

/** Replaces all that looks like a key, so that a foreign text may be shown and logged. */
export function maskKeys(text: string, mask = '***'): string {
  if (!MAY_HOLD_KEY.test(text)) return text
  return text.replace(
    KEY_LIKE,
    (_whole, scheme?: string, member?: string, field?: string) => (scheme ?? member ?? field ?? '') + mask,
  )
}
