// Dialect half, same protocol on both sides: edits a few top-level members in the client's own bytes, so that everything else passes
// unchanged.
import { isJsonObject, type JsonObject } from '../../../model/json.js'
import { type Target } from '../../../model/target.js'
import { type EditedRequest, type EditValue, type RequestFacts } from '../../contract/protocol.js'
import { editRefused } from '../../fit/refused-fields.js'

/** `body` is the client's, accepted by its surface, and is not changed. */
export function editRequest(facts: RequestFacts, body: JsonObject, target: Target): EditedRequest {
  const { quirks, extraBody, thinks } = target
  const edits = new Map<string, EditValue>()
  const dropped = new Set<string>()
  for (const [field, value] of Object.entries(extraBody)) {
    const own = body[field]
    if (own === undefined) edits.set(field, value)
    else if (field === 'options' && isJsonObject(own) && isJsonObject(value)) edits.set(field, { ...value, ...own })
  }
  if (facts.model !== target.model) edits.set('model', target.model)
  if (thinks === false && 'think' in body) {
    edits.set('think', undefined)
    if (body.think !== false && body.think !== null) dropped.add('reasoning')
  }
  for (const field of editRefused(body, edits, { refused: quirks.refusedFields, holder: 'options' })) dropped.add(field)
  return { edits, dropped: [...dropped] }
}
