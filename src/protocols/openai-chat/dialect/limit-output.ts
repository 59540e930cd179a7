// Lowers the cap on the output of a request that is about to be sent.
import { isJsonObject, type JsonObject } from '../../../model/json.js'
import { type Target } from '../../../model/target.js'
import { type EditValue } from '../../contract/protocol.js'
import { lowered, loweredThinking } from '../../fit/output-cap.js'
import { numberOf } from '../../scalars.js'

const FIELDS = ['max_tokens', 'max_completion_tokens'] as const

/** Whichever of the two names is there is lowered; if none is, the target's own is added. */
export function limitOutput(body: JsonObject, cap: number, { quirks }: Target): Map<string, EditValue> {
  const edits = new Map<string, EditValue>()
  const named = FIELDS.filter((field) => numberOf(body[field]) !== null)
  for (const field of named.length === 0 ? [quirks.maxTokensField] : named) {
    const value = lowered(body[field], cap)
    if (value !== null) edits.set(field, value)
  }
  const { reasoning } = body
  if (!isJsonObject(reasoning)) return edits
  const thinking = loweredThinking(reasoning.max_tokens, cap)
  if (thinking !== null) edits.set('reasoning', { ...reasoning, max_tokens: thinking })
  return edits
}
