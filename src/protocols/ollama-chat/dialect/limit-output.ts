// Lowers the cap on the output of a request that is about to be sent. Negative values of this API mean no cap.
import { isJsonObject, type JsonObject } from '../../../model/json.js'
import { type EditValue } from '../../contract/protocol.js'
import { lowered } from '../../fit/output-cap.js'

/** The cap is an option of the model; others stay. */
export function limitOutput(body: JsonObject, cap: number): Map<string, EditValue> {
  const options = isJsonObject(body.options) ? body.options : {}
  const value = lowered(options.num_predict, cap)
  return value === null ? new Map() : new Map([['options', { ...options, num_predict: value }]])
}
