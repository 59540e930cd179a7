// Why the model stopped, in the vendor's vocabulary, both ways. An answer with tool calls ends with STOP, since the vendor has no reason for
// them.
import { type FinishReason, type RefusalDetails } from '../../model/event.js'
import { type JsonObject } from '../../model/json.js'
import { finishOfRefusal } from '../../model/refusal.js'

/** In place of the vendor's reason, where the prompt was refused and there is no candidate. */
export const PROMPT_BLOCKED = 'PROMPT_BLOCKED'

const WIRE_OF_FINISH: Readonly<Record<FinishReason, string>> = Object.freeze({
  stop: 'STOP',
  'stop-sequence': 'STOP',
  length: 'MAX_TOKENS',
  'tool-calls': 'STOP',
  'content-filter': 'SAFETY',
  other: 'OTHER',
})

/** How an answer ended. `refusal`: what its provider says about a refusal; `hasRefused`: the model itself has refused. */
export type Ending = {
  readonly reason: FinishReason
  readonly refusal?: RefusalDetails | undefined
  readonly hasRefused: boolean
}

/** The members of a candidate that say how it ended. A category of this vendor is its own finish reason. */
export function encodeEnding({ reason, refusal, hasRefused }: Ending): JsonObject {
  const finish = hasRefused ? finishOfRefusal(reason) : reason
  const category = refusal?.category ?? null
  const isOwn = category !== null && category !== PROMPT_BLOCKED && mapFinishReason(category, false) === finish
  const explanation = refusal?.explanation ?? null
  return {
    finishReason: isOwn && finish === 'content-filter' ? category : WIRE_OF_FINISH[finish],
    ...(explanation === null ? {} : { finishMessage: explanation }),
  }
}

/** Maps the vendor's reason. An answer with tool calls ends with STOP, since the vendor has no reason for them. */
export function mapFinishReason(reason: string | null, hasToolCalls: boolean): FinishReason {
  switch (reason) {
    case null:
    case 'STOP':
      return hasToolCalls ? 'tool-calls' : 'stop'
    case 'MAX_TOKENS':
      return 'length'
    case PROMPT_BLOCKED:
    case 'SAFETY':
    case 'RECITATION':
    case 'BLOCKLIST':
    case 'PROHIBITED_CONTENT':
    case 'SPII':
    case 'IMAGE_SAFETY':
    case 'IMAGE_PROHIBITED_CONTENT':
    case 'IMAGE_RECITATION':
    case 'MODEL_ARMOR':
      return 'content-filter'
    default:
      return 'other'
  }
}
