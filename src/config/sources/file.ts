// Reads the text of a configuration file, YAML or JSON, into plain values that know their lines. First step of loading.
// Errors never quote the text: it may be a secret.
import {
  type Document,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml'
import { type Path, type Problem } from '../validate/problem.js'

export type ConfigText = {
  /** Plain values: objects, arrays, strings, numbers, booleans, null. */
  readonly tree: unknown
  /** Line of the value at `path`, else of the nearest one that holds it; null for an empty text. */
  lineOf(path: Path): number | null
  readonly problems: readonly Problem[]
}

/** Aliases may not blow a small file up ("billion laughs"). */
const MAX_ALIASES = 100

/** JSON is YAML, so one parser reads both. Never throws: errors are in `problems`. */
export function parseConfigText(text: string): ConfigText {
  const lines = new LineCounter()
  // prettyErrors would quote the line that is wrong; uniqueKeys compares each key of a map with all others.
  const options = { prettyErrors: false, uniqueKeys: false, merge: true, logLevel: 'silent' } as const
  const document = parseDocument(text, { ...options, lineCounter: lines })
  const problems: Problem[] = [
    ...document.errors.map((error) => ({ what: error.code.toLowerCase().replaceAll('_', ' '), at: error.pos[0] })),
    ...duplicateKeys(document).map((at) => ({ what: 'duplicate key', at })),
  ].map(({ what, at }) => syntaxProblem(what, lines.linePos(at).line))
  const pairOf = createPairIndex()
  const lineOf = (path: Path): number | null => {
    for (let length = path.length; length >= 0; length--) {
      const offset = offsetOf(document.contents, path.slice(0, length), pairOf)
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

/** Offsets of duplicate keys. */
function duplicateKeys(document: Document): number[] {
  const offsets: number[] = []
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<unknown>()
      for (const { key } of items) {
        if (!isScalar(key)) continue
        if (seen.has(key.value)) offsets.push(key.range?.[0] ?? 0)
        seen.add(key.value)
      }
    },
  })
  return offsets
}

type FindPair = (map: YAMLMap, key: string) => Pair | undefined

/** Finds the pairs of maps by their keys; each map that is asked is read once. */
function createPairIndex(): FindPair {
  const indexes = new Map<YAMLMap, Map<string, Pair>>()
  return (map, key) => {
    let index = indexes.get(map)
    if (index === undefined) {
      index = new Map()
      // Of duplicates the first counts.
      for (const pair of map.items.toReversed()) if (isScalar(pair.key)) index.set(String(pair.key.value), pair)
      indexes.set(map, index)
    }
    return index.get(key)
  }
}

/** Offset of the key that names the value, so that a wrong key is found too; of the value itself in a list. */
function offsetOf(root: unknown, path: Path, pairOf: FindPair): number | null {
  let node: unknown = root
  let offset = isNode(node) ? (node.range?.[0] ?? null) : null
  for (const segment of path) {
    if (isMap(node)) {
      const pair = pairOf(node, String(segment))
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
