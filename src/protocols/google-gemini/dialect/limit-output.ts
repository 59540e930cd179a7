// Lowers the cap on the output of a request that is about to be sent, and the budget for thinking, which counts as output. Members may have
// either spelling, and are edited in the one that they have.
import { isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { type Target } from '../../../model/target.js'
import { type EditValue } from '../../contract/protocol.js'
import { lowered, loweredThinking, tooSmall } from '../../fit/output-cap.js'
import { spellField } from '../surface/field-names.js'
import { MIN_PRO_BUDGET, PRO } from './generation-config.js'

/** @throws budget_exceeded where the cap has no room for the smallest budget that the model accepts */
export function limitOutput(body: JsonObject, cap: number, { model }: Pick<Target, 'model'>): Map<string, EditValue> {
  const [name, value] = memberOf(body, 'generationConfig')
  const config = isJsonObject(value) ? value : {}
  const changes: JsonObject = {}
  const [capName, asked] = memberOf(config, 'maxOutputTokens')
  const limit = lowered(asked, cap)
  if (limit !== null) changes[capName] = limit
  const [thinkingName, thinking] = memberOf(config, 'thinkingConfig')
  if (isJsonObject(thinking)) {
    const [budgetName, budget] = memberOf(thinking, 'thinkingBudget')
    const smaller = loweredThinking(budget, cap)
    if (smaller !== null && smaller < MIN_PRO_BUDGET && PRO.test(model)) throw tooSmall(cap)
    if (smaller !== null) changes[thinkingName] = { ...thinking, [budgetName]: smaller }
  }
  return Object.keys(changes).length === 0 ? new Map() : new Map([[name, { ...config, ...changes }]])
}

/** A member under the name that the object has for it. */
function memberOf(object: JsonObject, spelled: string): readonly [name: string, value: JsonValue | undefined] {
  const name = Object.keys(object).find((member) => spellField(member) === spelled) ?? spelled
  return [name, object[name]]
}
