// Why the model stopped, in the vendor's vocabulary, both ways. An answer with tool calls ends with STOP, since the vendor has no reason for
// them.
import { type FinishReason } from '../../model/event.js'

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

/** The vendor's finish reason. */
export function encodeFinishReason(reason: FinishReason): string {
  return WIRE_OF_FINISH[reason]
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
