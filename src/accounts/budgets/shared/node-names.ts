// Journals bear the name of the node that writes them, so that what is read from them later counts as spent by that node.

/** No id of a node contains it. */
const SEPARATOR = '.'

/** `node`: null for the only one, whose journals are nobody's. */
export function nameOfNode(node: string | null, rest: string): string {
  return node === null ? rest : node + SEPARATOR + rest
}

/** @see nameOfNode */
export function nodeOf(name: string): string | null {
  const at = name.indexOf(SEPARATOR)
  return at < 0 ? null : name.slice(0, at)
}
