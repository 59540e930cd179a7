// Globs over model names: `*` matches any run of characters, everything else itself. No regular expression is built from the
// configuration, so no pattern can be slow.

/** True if all of `name` matches. Linear in the name for each `*`. */
export function matchesGlob(glob: string, name: string): boolean {
  if (glob === '*') return true
  const parts = glob.split('*')
  const first = parts[0] ?? ''
  if (parts.length === 1) return glob === name
  const last = parts[parts.length - 1] ?? ''
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false
  let from = first.length
  const until = name.length - last.length
  for (const part of parts.slice(1, -1)) {
    const at = name.indexOf(part, from)
    if (at < 0 || at + part.length > until) return false
    from = at + part.length
  }
  return true
}
