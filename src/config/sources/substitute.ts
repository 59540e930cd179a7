// Puts environment variables into the strings of a configuration file: `${NAME}`, `${NAME:-default}`, and `$${` for a plain
// `${`. Runs between parsing and validation. Pure: it is given the variables and never reads those of the process.
import { type Path, type ProblemList } from '../validate/problem.js'

export type Variables = Readonly<Record<string, string | undefined>>

export type Substitution = {
  readonly tree: unknown
  /** Paths (joined by NUL) whose string came from variables: only there may text represent a number or a boolean. */
  readonly substituted: ReadonlySet<string>
  /** Paths of provider keys whose variable is missing or empty, with its name: those providers are not configured. */
  readonly missingKeys: readonly { readonly path: Path; readonly variable: string }[]
}

const REFERENCE = /\$?\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g
/** Anything else that opens a reference is a typing error, not text. */
const BROKEN_REFERENCE = /(?<!\$)\$\{(?![A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?\})/
/** A configuration is not nested more deeply. */
const MAX_DEPTH = 64

/** Joins a path to the form that `Substitution.substituted` holds. */
export function pathKey(path: Path): string {
  return path.join('\0')
}

/** Copies the tree with all references replaced; errors go into `problems`. */
export function substitute(tree: unknown, variables: Variables, problems: ProblemList): Substitution {
  const substituted = new Set<string>()
  const missingKeys: { path: Path; variable: string }[] = []

  function replaceText(text: string, path: Path): string {
    if (BROKEN_REFERENCE.test(text))
      problems.add(path, 'contains ${ without a variable name; write $${ for a literal one')
    return text.replace(REFERENCE, (match: string, name: string, fallback: string | undefined) => {
      if (match.startsWith('$$')) return match.slice(1)
      substituted.add(pathKey(path))
      // Empty counts as missing, as in a shell's `:-`: Compose passes unset variables as empty ones.
      const value = variables[name]
      if (value !== undefined && value !== '') return value
      if (fallback !== undefined) return fallback
      if (isProviderKey(path)) missingKeys.push({ path, variable: name })
      else problems.add(path, `environment variable ${name} is not set`)
      return ''
    })
  }

  function copy(value: unknown, path: Path): unknown {
    if (typeof value === 'string') return replaceText(value, path)
    if (typeof value !== 'object' || value === null) return value
    if (path.length > MAX_DEPTH) {
      problems.add(path, 'is nested too deeply')
      return null
    }
    if (Array.isArray(value)) return value.map((item, index) => copy(item, [...path, index]))
    const result: Record<string, unknown> = {}
    for (const [key, member] of Object.entries(value)) {
      if (key === '__proto__') problems.add([...path, key], 'is not an allowed name')
      else result[key] = copy(member, [...path, key])
    }
    return result
  }

  return { tree: copy(tree, []), substituted, missingKeys }
}

function isProviderKey(path: Path): boolean {
  return path.length === 3 && path[0] === 'providers' && path[2] === 'apiKey'
}
