// Which requests to think are sent to a target; one rule for all dialects:
//
//                         target thinks    unknown          target does not think
//   order (a budget,      sent             sent             left out, named
//   an effort)
//   wish (adaptive)       sent             left out, named  left out, named
//   none at all           sent             sent             left out: the default
import { type ChatRequest, type ReasoningRequest } from '../../model/request.js'
import { type Target } from '../../model/target.js'

/** The name in `dropped` of a request to think that is left out. */
const FIELD = 'reasoning'

/** What to encode, null for nothing; `drop` is called for what is left out. */
export function fitReasoning(
  { reasoning }: Pick<ChatRequest, 'reasoning'>,
  { thinks }: Target,
  drop: (field: string) => void,
): ReasoningRequest | null {
  if (reasoning === null || thinks === true) return reasoning
  const isNone = reasoning.effort === 'none'
  if (thinks === undefined && (isNone || reasoning.isWish !== true)) return reasoning
  if (!isNone) drop(FIELD)
  return null
}
