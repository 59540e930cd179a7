// Problems of a configuration and their messages: one line per problem, with path, reason and line, and for a misspelt name
// the nearest known one. A value is never part of a message: it may be a secret.
import { GatewayError } from '../../errors.js'

export type Path = readonly (string | number)[]

export type Problem = {
  readonly path: Path
  readonly reason: string
  /** Line of the file, from 1; null where the value did not come from a file. */
  readonly line: number | null
  /** Name of the environment variable or option the value came from, if it did. */
  readonly origin: string | null
  readonly suggestion: string | null
}

/** The origin of a value, for the message of a problem. */
export type Whereabouts = { readonly line: number | null; readonly origin: string | null }
export type Locate = (path: Path) => Whereabouts

/** A name that differs by more than this fraction is a different word. */
const NEAR_SHARE = 0.4
const SHOWN_NAME_LENGTH = 64

/** Collects problems, so that one run reports all of them. */
export class ProblemList {
  readonly #problems: Problem[] = []
  /** Paths with a problem, as shown. */
  readonly #told = new Set<string>()
  readonly #locate: Locate

  constructor(locate: Locate) {
    this.#locate = locate
  }

  /** Only the first problem of a path is reported; others follow from it. */
  add(path: Path, reason: string, suggestion: string | null = null): void {
    const shown = renderPath(path)
    if (this.#told.has(shown)) return
    this.#told.add(shown)
    this.#problems.push({ path, reason, suggestion, ...this.#locate(path) })
  }

  /** In the order in which they were found. */
  get all(): readonly Problem[] {
    return this.#problems
  }

  get length(): number {
    return this.#problems.length
  }

  /** @throws misconfigured if there is any problem */
  throwIfAny(): void {
    if (this.#problems.length > 0) throw misconfigured(this.#problems)
  }
}

/** One error for all problems; its message has one line each. */
export function misconfigured(problems: readonly Problem[]): GatewayError {
  return new GatewayError('misconfigured', { message: problems.map(renderProblem).join('\n') })
}

/** The error for a problem that has no path in the file, such as a wrong option. */
export function refusal(message: string): GatewayError {
  return new GatewayError('misconfigured', { message })
}

/** `path: reason (line 3); did you mean "x"?` */
export function renderProblem(problem: Problem): string {
  const where =
    problem.origin !== null ? ` (from ${problem.origin})` : problem.line !== null ? ` (line ${problem.line})` : ''
  const hint = problem.suggestion === null ? '' : `; did you mean "${problem.suggestion}"?`
  return `${renderPath(problem.path)}${problem.reason}${where}${hint}`
}

/** The known name nearest to a misspelt one; null where none is near. */
export function nearestName(name: string, known: readonly string[]): string | null {
  let best: string | null = null
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    const isNear = distance <= Math.max(1, Math.floor(NEAR_SHARE * Math.max(name.length, candidate.length)))
    if (isNear && distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

function renderPath(path: Path): string {
  return path.length === 0 ? '' : `${path.map(renderSegment).join('.')}: `
}

/** Names in the file are shown, but shortened and without line breaks: a secret may have been pasted as a name. */
function renderSegment(segment: string | number): string {
  const shown = String(segment).replace(/[^\x20-\x7e]/g, '?')
  return shown.length > SHOWN_NAME_LENGTH ? `${shown.slice(0, SHOWN_NAME_LENGTH)}...` : shown
}

/** Optimal string alignment: insertions, deletions, replacements and swaps of neighbours count one each. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, replace)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (beforeLast[j - 2] ?? 0) + 1)
      }
      row.push(least)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}
