// The generation in a model's name, and what the vendor changed with one: thinking without budgets, no sampling parameters.
// Names without a generation, such as those of compatible servers, count as the oldest, which accepts everything.
// @see https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking

/** `claude-opus-4-8`, `claude-3-7-sonnet-20250219`, `us.anthropic.claude-sonnet-5-v1:0`: a date is not a minor version. */
const GENERATION = /claude-(?:[a-z]+-)*(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?/
const MINOR_STEPS = 100

/** From 4.6 on thinking is adaptive and budgets are deprecated. */
const ADAPTIVE_SINCE = 406
/** From 4.7 on budgets, `disabled`, temperature, top_p and top_k are answered with 400 (NousResearch/hermes-agent#11137). */
const STRICT_SINCE = 407

export type ModelRules = {
  /** Thinking is requested as `adaptive` with an effort. */
  readonly isAdaptive: boolean
  /** Accepts no budget, no `disabled` and no sampling parameters; knows the effort `xhigh`; hides its thinking by default. */
  readonly isStrict: boolean
}

/** What the model's generation accepts. */
export function rulesOf(model: string): ModelRules {
  const match = GENERATION.exec(model)
  const generation = match === null ? 0 : Number(match[1]) * MINOR_STEPS + Number(match[2] ?? 0)
  return { isAdaptive: generation >= ADAPTIVE_SINCE, isStrict: generation >= STRICT_SINCE }
}
