// How much the model may think, in the vendor's words and in the canonical ones. Knows no socket and no other protocol.
//
//   {type: enabled, budget_tokens}   <->  {budgetTokens}     models up to 4.6
//   {type: adaptive} + effort        <->  {effort}           models from 4.6 on, or where the target's extraBody says so
//   {type: disabled}                 <->  {effort: none}
import { isJsonObject, type JsonObject } from '../../model/json.js'
import { budgetOf, effortOf } from '../../model/reasoning.js'
import { type ReasoningEffort, type ReasoningRequest } from '../../model/request.js'
import { type Target } from '../../model/target.js'
import { rulesOf } from './generation.js'
import { type MessagesRequest } from './wire.js'

/** The least `budget_tokens` the vendor takes. @see https://platform.claude.com/docs/en/build-with-claude/extended-thinking */
const MIN_BUDGET_TOKENS = 1024

const EFFORT_OF_WIRE: ReadonlyMap<string, ReasoningEffort> = new Map([
  ['low', 'low'],
  ['medium', 'medium'],
  ['high', 'high'],
  ['xhigh', 'xhigh'],
  // The canonical scale ends at xhigh.
  ['max', 'xhigh'],
])

const WIRE_OF_EFFORT: Readonly<Record<ReasoningEffort, string | null>> = Object.freeze({
  none: null,
  minimal: 'low',
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'xhigh',
})

/** Reads `thinking` and `output_config.effort`; null when the request says nothing of either. */
export function decodeThinking(request: MessagesRequest): ReasoningRequest | null {
  const thinking = request.thinking ?? null
  const effort = EFFORT_OF_WIRE.get(request.output_config?.effort ?? '') ?? null
  if (thinking === null) return effort === null ? null : { effort, budgetTokens: null }
  if (thinking.type === 'disabled') return { effort: 'none', budgetTokens: null }
  // A type we do not know (`between_tools`) leaves the amount to the model, as `adaptive` does.
  return { effort, budgetTokens: thinking.type === 'enabled' ? (thinking.budget_tokens ?? null) : null }
}

/** The request members for one target; `budgetTokens` is what `max_tokens` must exceed, `isOn` forbids some sampling. */
export type EncodedThinking = {
  readonly thinking: JsonObject | null
  readonly effort: string | null
  readonly budgetTokens: number
  readonly isOn: boolean
}

const NOTHING: EncodedThinking = Object.freeze({ thinking: null, effort: null, budgetTokens: 0, isOn: false })

/**
 * Writes a reasoning request. Effort words become a budget by the common table for models that take one; newer ones, and
 * targets whose `extraBody.thinking` is `adaptive`, get `adaptive` and the effort instead.
 */
export function encodeThinking(reasoning: ReasoningRequest | null, target: Target): EncodedThinking {
  if (reasoning === null) return NOTHING
  const budget = budgetOf(reasoning)
  const { isAdaptive, isStrict } = rulesOf(target.model)
  // Where thinking cannot be turned off, the least of it is the nearest to none.
  if (budget === 0) return isStrict ? { ...NOTHING, effort: 'low' } : { ...NOTHING, thinking: { type: 'disabled' } }
  const configured = target.extraBody.thinking
  const isConfigured = isJsonObject(configured) && configured.type === 'adaptive'
  if (budget === null || isAdaptive || isConfigured) {
    const thinking = isConfigured ? { ...configured } : encodeAdaptive(isStrict)
    return { thinking, effort: encodeEffort(reasoning, isAdaptive && !isStrict), budgetTokens: 0, isOn: true }
  }
  const budgetTokens = Math.max(budget, MIN_BUDGET_TOKENS)
  return { thinking: { type: 'enabled', budget_tokens: budgetTokens }, effort: null, budgetTokens, isOn: true }
}

/** Newer models keep the text of their thinking to themselves unless it is asked for. */
function encodeAdaptive(isStrict: boolean): JsonObject {
  return isStrict ? { type: 'adaptive', display: 'summarized' } : { type: 'adaptive' }
}

/** The first adaptive models had no `xhigh` yet. */
function encodeEffort(reasoning: ReasoningRequest, isUpToHigh: boolean): string | null {
  const effort = effortOf(reasoning)
  if (effort === null) return null
  return isUpToHigh && effort === 'xhigh' ? 'high' : WIRE_OF_EFFORT[effort]
}
