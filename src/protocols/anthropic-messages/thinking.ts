// How much the model may think, in the vendor's form and the canonical one.
//
//   {type: enabled, budget_tokens}   <->  {budgetTokens}     models up to 4.6
//   {type: adaptive} + effort        <->  {effort}           models from 4.6 on, or where the target's extraBody says so
//   {type: disabled}                 <->  {effort: none}
import { isJsonObject, type JsonObject } from '../../model/json.js'
import { budgetOf, effortOf } from '../../model/reasoning.js'
import { type ReasoningEffort, type ReasoningRequest } from '../../model/request.js'
import { type Target } from '../../model/target.js'
import { rulesOf } from './dialect/generation.js'
import { type MessagesRequest } from './wire.js'

/** The smallest `budget_tokens` that the vendor accepts. @see https://platform.claude.com/docs/en/build-with-claude/extended-thinking */
export const MIN_BUDGET_TOKENS = 1024

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

/** False for an effort without a canonical form. */
export function isKnownEffort(word: string | null): boolean {
  return word === null || EFFORT_OF_WIRE.has(word)
}

/** Reads `thinking` and `output_config.effort`; null if the request has neither. */
export function decodeThinking(request: MessagesRequest): ReasoningRequest | null {
  const thinking = request.thinking ?? null
  const effort = EFFORT_OF_WIRE.get(request.output_config?.effort ?? '') ?? null
  if (thinking === null) return effort === null ? null : { effort, budgetTokens: null, isWish: true }
  if (thinking.type === 'disabled') return { effort: 'none', budgetTokens: null }
  // A type we do not know (`between_tools`) leaves the amount to the model, as `adaptive` does.
  if (thinking.type !== 'enabled') return { effort, budgetTokens: null, isWish: true }
  return { effort, budgetTokens: thinking.budget_tokens ?? null }
}

/** The request members for one target; `budgetTokens` is what `max_tokens` must exceed, `isOn` forbids some sampling. */
export type EncodedThinking = {
  readonly thinking: JsonObject | null
  readonly effort: string | null
  readonly budgetTokens: number
  readonly isOn: boolean
}

/** Nothing about thinking in the request. */
export const NO_THINKING: EncodedThinking = Object.freeze({
  thinking: null,
  effort: null,
  budgetTokens: 0,
  isOn: false,
})
/** The same, because the client's cap has no room for the smallest budget. */
export const NO_ROOM: EncodedThinking = Object.freeze({ ...NO_THINKING })

/**
 * Writes a reasoning request. An effort becomes a budget by the common table for models that accept one; newer ones, and
 * targets whose `extraBody.thinking` is `adaptive`, get `adaptive` and the effort instead. `cap`: the client's own on output
 * tokens, thinking included; a budget is cut to fit into it.
 */
export function encodeThinking(
  reasoning: ReasoningRequest | null,
  target: Target,
  cap: number | null = null,
): EncodedThinking {
  if (reasoning === null) return NO_THINKING
  const budget = budgetOf(reasoning)
  const { isAdaptive, isStrict } = rulesOf(target.model)
  // If thinking cannot be disabled, the lowest effort comes closest.
  if (budget === 0)
    return isStrict ? { ...NO_THINKING, effort: 'low' } : { ...NO_THINKING, thinking: { type: 'disabled' } }
  const configured = target.extraBody.thinking
  const isConfigured = isJsonObject(configured) && configured.type === 'adaptive'
  if (budget === null || isAdaptive || isConfigured) {
    const thinking = isConfigured ? { ...configured } : encodeAdaptive(isStrict)
    return { thinking, effort: encodeEffort(reasoning, isAdaptive && !isStrict), budgetTokens: 0, isOn: true }
  }
  const budgetTokens = fitBudget(Math.max(budget, MIN_BUDGET_TOKENS), cap)
  if (budgetTokens === null) return NO_ROOM
  return { thinking: { type: 'enabled', budget_tokens: budgetTokens }, effort: null, budgetTokens, isOn: true }
}

/** If the budget takes the whole cap, half of the cap is reserved for the answer; null if the rest is too small for a budget. */
function fitBudget(budget: number, cap: number | null): number | null {
  if (cap === null || budget < cap) return budget
  if (cap <= MIN_BUDGET_TOKENS) return null
  return Math.max(MIN_BUDGET_TOKENS, Math.floor(cap / 2))
}

/** Newer models omit the text of their thinking unless it is requested. */
function encodeAdaptive(isStrict: boolean): JsonObject {
  return isStrict ? { type: 'adaptive', display: 'summarized' } : { type: 'adaptive' }
}

/** The first adaptive models had no `xhigh` yet. */
function encodeEffort(reasoning: ReasoningRequest, isUpToHigh: boolean): string | null {
  const effort = effortOf(reasoning)
  if (effort === null) return null
  return isUpToHigh && effort === 'xhigh' ? 'high' : WIRE_OF_EFFORT[effort]
}
