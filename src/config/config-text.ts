// Reads the text of a configuration file, YAML or JSON, into plain values that know their lines. First step of loading.
// Tells no word of the text in an error: it may be a secret.
import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml'
import { type Path, type Problem } from './problem.js'

export type ConfigText = {
  /** Plain values: objects, arrays, strings, numbers, booleans, null. */
  readonly tree: unknown
  /** Line of the value at `path`, else of the nearest one that holds it; null for an empty text. */
  lineOf(path: Path): number | null
  readonly problems: readonly Problem[]
}

/** Aliases may not blow a small file up ("billion laughs"). */
const MAX_ALIASES = 100

/** JSON is YAML, so one parser reads both. Never throws: what is wrong is in `problems`. */
export function parseConfigText(text: string): ConfigText {
  const lines = new LineCounter()
  // prettyErrors would quote the line that is wrong.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true, logLevel: 'silent' })
  const problems: Problem[] = document.errors.map((error) =>
    syntaxProblem(error.code.toLowerCase().replaceAll('_', ' '), lines.linePos(error.pos[0]).line),
  )
  const lineOf = (path: Path): number | null => {
    for (let length = path.length; length >= 0; length--) {
      const offset = offsetOf(document.contents, path.slice(0, length))
      if (offset !== null) return lines.linePos(offset).line
    }
    return null
  }
  if (problems.length > 0) return { tree: null, lineOf, problems }
  try {
    return { tree: document.toJS({ maxAliasCount: MAX_ALIASES }), lineOf, problems }
  } catch {
    return { tree: null, lineOf, problems: [syntaxProblem('unresolved or too many aliases', null)] }
  }
}

function syntaxProblem(what: string, line: number | null): Problem {
  return { path: [], reason: `syntax error: ${what}`, line, origin: null, suggestion: null }
}

/** Offset of the key that names the value, so that a wrong key is found too; of the value itself in a list. */
function offsetOf(root: unknown, path: Path): number | null {
  let node: unknown = root
  let offset = isNode(node) ? (node.range?.[0] ?? null) : null
  for (const segment of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(segment))
      if (pair === undefined || !isScalar(pair.key)) return null
      offset = pair.key.range?.[0] ?? null
      node = pair.value
    } else {
      const item: unknown =
        isNode(node) && 'items' in node && Array.isArray(node.items) ? node.items[Number(segment)] : null
      if (!isNode(item)) return null
      offset = item.range?.[0] ?? null
      node = item
    }
  }
  return offset
}
