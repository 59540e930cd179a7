// The raw configuration under construction: the values of the file, overlaid by the environment and the command line. It
// records the origin of each overlaid value. It checks nothing; validate.ts rejects values of the wrong type.
import { isJsonObject } from '../../model/json.js'
import { type Path } from '../validate/problem.js'
import { pathKey } from './substitute.js'

/** One configuration under construction. */
export class Draft {
  readonly #tree: Record<string, unknown>
  readonly #origins = new Map<string, string>()

  /** Takes ownership of `tree`. */
  constructor(tree: Record<string, unknown>) {
    this.#tree = tree
  }

  get tree(): unknown {
    return this.#tree
  }

  get(path: Path): unknown {
    let node: unknown = this.#tree
    for (const segment of path) {
      if (Array.isArray(node)) node = node[Number(segment)]
      else if (isJsonObject(node) && Object.hasOwn(node, segment)) node = node[String(segment)]
      else return undefined
    }
    return node
  }

  /** Names in the map at `path`; none if it is not a map. */
  names(path: Path): readonly string[] {
    const node = this.get(path)
    return isJsonObject(node) ? Object.keys(node) : []
  }

  /** Items of the list at `path`; none if it is not a list. */
  items(path: Path): readonly unknown[] {
    const node = this.get(path)
    return Array.isArray(node) ? node : []
  }

  /** Sets a value and creates missing maps above it. */
  set(path: Path, value: unknown, origin: string): void {
    let node: unknown = this.#tree
    for (const segment of path.slice(0, -1)) {
      if (Array.isArray(node)) node = node[Number(segment)]
      else if (isJsonObject(node)) {
        if (node[String(segment)] === undefined || node[String(segment)] === null) node[String(segment)] = {}
        node = node[String(segment)]
      } else return
    }
    const last = path.at(-1)
    if (last === undefined || !isJsonObject(node)) return
    Object.assign(node, { [last]: value })
    this.#origins.set(pathKey(path), origin)
  }

  /** Appends to the list at `path`, which is created if missing. A whole item has one origin. */
  push(path: Path, value: unknown, origin: string): void {
    if (this.get(path) === undefined || this.get(path) === null) this.set(path, [], origin)
    const list = this.get(path)
    if (!Array.isArray(list)) return
    this.#origins.set(pathKey([...path, list.length]), origin)
    list.push(value)
  }

  /** Where each value was set, by its path with dots; `ofFile` names the place of one from the file. */
  origins(ofFile: (path: Path) => string): Record<string, string> {
    const origins: Record<string, string> = {}
    const walk = (node: unknown, path: Path): void => {
      const isBranch = typeof node === 'object' && node !== null && Object.keys(node).length > 0
      if (!isBranch) origins[path.join('.')] = this.originOf(path) ?? ofFile(path)
      else
        for (const [name, member] of Object.entries(node))
          walk(member, [...path, Array.isArray(node) ? Number(name) : name])
    }
    for (const name of this.names([])) walk(this.get([name]), [name])
    return origins
  }

  /** The variable or option from which the value at `path`, or one that contains it, came; null for the file. */
  originOf(path: Path): string | null {
    for (let length = path.length; length > 0; length--) {
      const origin = this.#origins.get(pathKey(path.slice(0, length)))
      if (origin !== undefined) return origin
    }
    return null
  }
}
