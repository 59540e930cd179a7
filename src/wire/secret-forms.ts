// The forms of a known secret in other texts: plain, in JSON, in a URL, in Base64. For removing secrets by value; mask-keys.ts
// removes what only looks like a key.

/** All forms of all secrets of at least `minChars`, longest first, so that one that begins like another goes as a whole. */
export function secretForms(secrets: readonly string[], minChars: number): string[] {
  const forms = new Set<string>()
  for (const secret of secrets) {
    if (secret.length < minChars) continue
    forms.add(secret)
    forms.add(JSON.stringify(secret).slice(1, -1))
    const bytes = Buffer.from(secret)
    // Through bytes, because encodeURIComponent throws on half a surrogate pair.
    forms.add(encodeURIComponent(bytes.toString()))
    forms.add(bytes.toString('base64').replace(/=+$/, ''))
  }
  return [...forms].sort((a, b) => b.length - a.length)
}

/** Finds every form in any case: header names and percent codings come back in lower case. Null where there is none. */
export function patternOf(forms: readonly string[]): RegExp | null {
  return forms.length === 0 ? null : new RegExp(forms.map(escapeForRegExp).join('|'), 'gi')
}

function escapeForRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`)
}
