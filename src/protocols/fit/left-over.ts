// Members of a body that its decoder does not read, which would silently be lost between two protocols. A shape lists the members that
// are read, at each depth; all others are reported, by their path without list positions.
import { isJsonArray, isJsonObject, type JsonValue } from '../../model/json.js'

/**
 * `true`: read as a whole, whatever it holds. `byType`: objects by their member `type`; one of another type is read as a
 * whole. A value of another kind than its shape is left to the decoder.
 */
export type Shape =
  | true
  | { readonly members: Readonly<Record<string, Shape>> }
  | { readonly items: Shape }
  | { readonly byType: Readonly<Record<string, Shape>> }

/** Adds the paths of members outside the shape to `found`. Null and empty lists have no content to lose. */
export function findLeftOver(value: JsonValue | undefined, shape: Shape, found: Set<string>, path = ''): void {
  if (shape === true || value === undefined) return
  if ('items' in shape) {
    if (isJsonArray(value)) for (const item of value) findLeftOver(item, shape.items, found, path)
    return
  }
  if (!isJsonObject(value)) return
  if ('byType' in shape) {
    const own = typeof value.type === 'string' && Object.hasOwn(shape.byType, value.type) ? value.type : null
    if (own !== null) findLeftOver(value, shape.byType[own] ?? true, found, path)
    return
  }
  // Most members are known as a whole; for those nothing is allocated, no entry and no path. Parsed JSON has no inherited members.
  for (const member in value) {
    const known = Object.hasOwn(shape.members, member) ? shape.members[member] : undefined
    if (known === true) continue
    const inner = value[member]
    const at = path === '' ? member : `${path}.${member}`
    if (known !== undefined) findLeftOver(inner, known, found, at)
    else if (inner !== null && !(isJsonArray(inner) && inner.length === 0)) found.add(at)
  }
}
