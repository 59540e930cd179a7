// The effective configuration as a list of options, each with where it was set.

export type ConfigEntry = { readonly path: string; readonly value: string; readonly origin: string | null }

/** Every option with a value of its own, in the order of the file. Lists of plain values are one option. */
export function entriesOf(config: unknown, origins: Readonly<Record<string, string>>): ConfigEntry[] {
  const entries: ConfigEntry[] = []
  walk('', config)
  return entries

  function walk(path: string, value: unknown): void {
    const members = membersOf(value)
    if (members === null) {
      // Null is what a member is that nobody has set, whoever has set what it is part of.
      const origin = value === null ? (origins[path] ?? null) : originOf(path, origins)
      entries.push({ path, value: JSON.stringify(value) ?? '', origin })
      return
    }
    for (const [name, member] of members) walk(path === '' ? name : `${path}.${name}`, member)
  }
}

/** An option that is set by setting what it is part of has the place of that. */
function originOf(path: string, origins: Readonly<Record<string, string>>): string | null {
  for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
    const origin = origins[at]
    if (origin !== undefined) return origin
  }
  return null
}

function membersOf(value: unknown): [string, unknown][] | null {
  if (typeof value !== 'object' || value === null) return null
  const members = Object.entries(value)
  if (members.length === 0) return null
  if (Array.isArray(value) && value.every((each) => typeof each !== 'object' || each === null)) return null
  return members
}
