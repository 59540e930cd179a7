// Lowers the cap on the output of a request that is about to be sent.
import { type JsonObject } from '../../../model/json.js'
import { type EditValue } from '../../contract/protocol.js'
import { lowered, tooSmall } from '../../fit/output-cap.js'

/** "integer below minimum value. Expected a value >= 16" is the vendor's error for a smaller `max_output_tokens`. */
const MIN_OUTPUT_TOKENS = 16

/** @throws budget_exceeded for a cap that the vendor would reject */
export function limitOutput(body: JsonObject, cap: number): Map<string, EditValue> {
  const value = lowered(body.max_output_tokens, cap)
  if (value === null) return new Map()
  if (value < MIN_OUTPUT_TOKENS) throw tooSmall(value)
  return new Map([['max_output_tokens', value]])
}
