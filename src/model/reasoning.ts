// Reasoning effort in words (OpenAI) and in tokens (Anthropic, Gemini): one table, so that every pair of protocols agrees.
import { type ReasoningEffort, type ReasoningRequest } from './request.js'

/** The token budget of each effort; 1,024 is the minimum of Anthropic. */
export const EFFORT_BUDGET: Readonly<Record<ReasoningEffort, number>> = Object.freeze({
  none: 0,
  minimal: 1024,
  low: 2048,
  medium: 8192,
  high: 16384,
  xhigh: 32768,
})

const EFFORTS: readonly ReasoningEffort[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh']

/** The budget of a request, or that of its effort; null if it leaves that to the model. */
export function budgetOf(reasoning: ReasoningRequest): number | null {
  if (reasoning.budgetTokens !== null) return reasoning.budgetTokens
  return reasoning.effort === null ? null : EFFORT_BUDGET[reasoning.effort]
}

/** The effort a request names, or the least one whose budget covers the tokens it names; null when it names neither. */
export function effortOf(reasoning: ReasoningRequest): ReasoningEffort | null {
  if (reasoning.effort !== null) return reasoning.effort
  const budget = reasoning.budgetTokens
  if (budget === null) return null
  return EFFORTS.find((effort) => EFFORT_BUDGET[effort] >= budget) ?? 'xhigh'
}
