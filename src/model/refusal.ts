// Refusals on wires that have no part for them: the words are text, and the end of the answer says what they are.
import { type FinishReason } from './event.js'
import { type RefusalPart, type TextPart } from './request.js'
import { type AnswerPart } from './response.js'

/** The finish reason of an answer in which the model refused, in its own words, on a wire without a part for that. */
export function finishOfRefusal(reason: FinishReason): FinishReason {
  return reason === 'stop' || reason === 'other' ? 'content-filter' : reason
}

/** True for what the model said to the client: its answer, or why it gives none. */
export function isWords(part: AnswerPart): part is TextPart | RefusalPart {
  return part.type === 'text' || part.type === 'refusal'
}
