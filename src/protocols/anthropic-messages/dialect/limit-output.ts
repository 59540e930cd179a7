// Lowers the cap on the output of a request that is about to be sent, and the budget for thinking, which must stay below it.
import { isJsonObject, type JsonObject } from '../../../model/json.js'
import { type EditValue } from '../../contract/protocol.js'
import { lowered, loweredThinking, tooSmall } from '../../fit/output-cap.js'
import { MIN_BUDGET_TOKENS } from '../thinking.js'

/** @throws budget_exceeded where the cap has no room for the smallest budget that the vendor accepts */
export function limitOutput(body: JsonObject, cap: number): Map<string, EditValue> {
  const edits = new Map<string, EditValue>()
  const value = lowered(body.max_tokens, cap)
  if (value === null) return edits
  edits.set('max_tokens', value)
  const { thinking } = body
  if (!isJsonObject(thinking)) return edits
  const budget = loweredThinking(thinking.budget_tokens, value)
  if (budget === null) return edits
  if (value <= MIN_BUDGET_TOKENS) throw tooSmall(value)
  edits.set('thinking', { ...thinking, budget_tokens: Math.max(budget, MIN_BUDGET_TOKENS) })
  return edits
}
