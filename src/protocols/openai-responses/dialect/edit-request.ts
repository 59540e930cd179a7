// Dialect half, same protocol on both sides: edits a few top-level members in the client's own bytes, so that everything else passes
// unchanged. A request that stores nothing, for a vendor without quirks, is not edited at all.
import { isJsonArray, isJsonObject, type JsonArray, type JsonObject, type JsonValue } from '../../../model/json.js'
import { type Target } from '../../../model/target.js'
import { type EditedRequest, type EditValue, type RequestFacts } from '../../contract/protocol.js'
import { numberOf, textOf } from '../../scalars.js'
import { isSealed } from '../sealed.js'
import { withEncrypted } from './encode-request.js'

/** `body` is the client's, accepted by readFacts, and is not changed. */
export function editRequest(facts: RequestFacts, body: JsonObject, target: Target): EditedRequest {
  const { quirks, extraBody, thinks } = target
  const edits = new Map<string, EditValue>()
  const dropped = new Set<string>()
  for (const [field, value] of Object.entries(extraBody)) if (!(field in body)) edits.set(field, value)
  if (facts.model !== target.model) edits.set('model', target.model)
  // The vendor stores by default, in the operator's account. What it does not store must come back with its reasoning.
  if (body.store !== false) {
    edits.set('store', false)
    if (thinks === true) edits.set('include', withEncrypted(body.include ?? extraBody.include))
  }
  // The gateway does both itself.
  for (const field of ['previous_response_id', 'background']) if (field in body) edits.set(field, undefined)
  const input = withoutLostReasoning(body.input)
  if (input !== null) {
    edits.set('input', input)
    dropped.add('input.reasoning')
  }
  const temperature = numberOf(body.temperature)
  if (temperature !== null && temperature > quirks.maxTemperature) edits.set('temperature', quirks.maxTemperature)
  if (thinks === false || quirks.reasoningRequest === 'none') dropReasoning(body, edits, dropped)
  for (const field of quirks.refusedFields) {
    edits.delete(field)
    if (!(field in body)) continue
    edits.set(field, undefined)
    dropped.add(field)
  }
  return { edits, dropped: [...dropped] }
}

/** For a model that is known not to think. An effort of `none` may go without a word. */
function dropReasoning({ reasoning }: JsonObject, edits: Map<string, EditValue>, dropped: Set<string>): void {
  if (!isJsonObject(reasoning)) return
  edits.set('reasoning', undefined)
  const { effort = null } = reasoning
  if (effort !== null && effort !== 'none') dropped.add('reasoning')
}

/** Null if there is nothing to remove. */
function withoutLostReasoning(input: JsonValue | undefined): JsonArray | null {
  if (!isJsonArray(input)) return null
  const kept = input.filter((item) => !isLostReasoning(item))
  return kept.length === input.length ? null : kept
}

/**
 * Reasoning that the vendor cannot read: of another vendor's model, or with nothing but an id and a summary, which the vendor would look
 * up among stored items ("Item with id 'rs_...' not found"). An open model's own text may stay.
 */
function isLostReasoning(item: JsonValue): boolean {
  if (!isJsonObject(item) || item.type !== 'reasoning') return false
  const encrypted = textOf(item.encrypted_content)
  if (encrypted !== null) return isSealed(encrypted)
  return !isJsonArray(item.content) || item.content.length === 0
}
