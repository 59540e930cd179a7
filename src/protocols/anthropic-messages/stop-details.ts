// Refusals: what the vendor says about one, both ways. The words of a model's own refusal are text on this wire.
//
//   "stop_reason":"refusal","stop_details":{"type":"refusal","category":"cyber","explanation":"..."}
import { type FinishReason, type RefusalDetails } from '../../model/event.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { finishOfRefusal } from '../../model/refusal.js'
import { textOf } from '../scalars.js'
import { encodeStopReason } from './stop-reason.js'
import { type RefusalCategory } from './wire.js'

/** The vendor's categories; clients' schemas may know no others. */
const CATEGORIES: Readonly<Record<RefusalCategory, true>> = Object.freeze({
  cyber: true,
  bio: true,
  frontier_llm: true,
  reasoning_extraction: true,
  general_harms: true,
})

/** The details in a `stop_details`; null if it says nothing about a refusal. */
export function decodeStopDetails(details: JsonValue | undefined): RefusalDetails | null {
  if (!isJsonObject(details) || details.type !== 'refusal') return null
  const [category, explanation] = [textOf(details.category), textOf(details.explanation)]
  return category === null && explanation === null ? null : { category, explanation }
}

/** How an answer ended. `refusal`: what its provider says about a refusal; `hasRefused`: the model itself has refused. */
export type Ending = {
  readonly reason: FinishReason
  readonly refusal?: RefusalDetails | undefined
  readonly hasRefused: boolean
}

/** The members that say how an answer ended; `stop_details` only where there is something to say. */
export function encodeEnding({ reason, refusal, hasRefused }: Ending): JsonObject {
  const stopReason = encodeStopReason(hasRefused ? finishOfRefusal(reason) : reason)
  if (refusal === undefined && !hasRefused) return { stop_reason: stopReason }
  const { category = null, explanation = null } = refusal ?? {}
  const known = category !== null && Object.hasOwn(CATEGORIES, category) ? category : null
  return { stop_reason: stopReason, stop_details: { type: 'refusal', category: known, explanation } }
}
