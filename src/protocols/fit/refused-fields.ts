// The fields that a target refuses (`quirks.refusedFields`), on wires that have most parameters in one member of the body: a field may be
// the body's own, or that member's. The same for bodies of ours and for edits of a client's.
import { isJsonObject, type JsonObject } from '../../model/json.js'
import { type EditValue } from '../contract/protocol.js'

export type Refusal = {
  readonly refused: readonly string[]
  /** The member that holds parameters. */
  readonly holder: string
  /** One spelling of a name, on wires that have several. */
  readonly spell?: (name: string) => string
}

/** Removes them from a body of ours; what it holds is copied first. Returns their names. */
export function removeRefused(body: JsonObject, refusal: Refusal): string[] {
  const edits = new Map<string, EditValue>()
  const names = editRefused(body, edits, refusal)
  for (const [name, value] of edits) {
    if (value === undefined) delete body[name]
    else body[name] = value
  }
  return names
}

/** Adds the edits that remove them from a client's body, and from what the edits so far set. Returns the names of the client's own. */
export function editRefused(body: JsonObject, edits: Map<string, EditValue>, refusal: Refusal): string[] {
  const { refused, holder, spell = asItIs } = refusal
  if (refused.length === 0) return []
  const names = new Set(refused.map(spell))
  const found: string[] = []
  for (const field of new Set([...Object.keys(body), ...edits.keys()])) {
    const own = body[field]
    if (names.has(spell(field))) {
      if (own === undefined) edits.delete(field)
      else {
        edits.set(field, undefined)
        found.push(field)
      }
      continue
    }
    const held = edits.has(field) ? edits.get(field) : own
    if (spell(field) !== holder || !isJsonObject(held)) continue
    const kept = Object.entries(held).filter(([member]) => !names.has(spell(member)))
    if (kept.length === Object.keys(held).length) continue
    edits.set(field, Object.fromEntries(kept))
    if (isJsonObject(own)) found.push(...Object.keys(own).filter((member) => names.has(spell(member))))
  }
  return found
}

function asItIs(name: string): string {
  return name
}
