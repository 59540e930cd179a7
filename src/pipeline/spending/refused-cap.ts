// Reads from a provider's refusal that the cap on the output was too large for its model, and what it would accept. Providers have a text
// for it, and no code:
//
//   "max_tokens is too large: 16384. This model supports at most 4096 completion tokens, whereas you provided 16384."
//   "max_tokens: 16384 > 4096, which is the maximum allowed number of output tokens for ..."
//   "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"
//   "This model's maximum context length is 8192 tokens. However, you requested 16400 tokens (16 in the messages, 16384 in the completion)."
import { type ErrorData } from '../../model/error.js'

/** What a refused request may ask for in place of its cap. */
export type RefusedCap = {
  /** No answer of this model has more output tokens, whatever the request; null if the text does not say it. */
  readonly modelMost: number | null
  /** All of its context, input and output together; null if the text does not say it. */
  readonly context: number | null
  /** A cap for the same request, below the refused one. */
  readonly next: number
}

const REFUSED_STATUSES: ReadonlySet<number> = new Set([400, 422])
const CAP_WORDS =
  /max[_ ]?(?:completion_|output_|new_|gen_)?tokens|maxoutputtokens|num_predict|(?:completion|output) tokens|maximum tokens/i
/** The field itself is rejected, or the cap is too small: a lower one does not help. */
const OTHER_WORDS =
  /unsupported parameter|not supported|not permitted|unrecognized|unknown|greater than|at least|minimum/i
/** "Requests with max_tokens > 4096 must have stream=true" says nothing of the model. */
const ONLY_HERE = /\bstream/i
/** "... from 1 (inclusive) to 8193 (exclusive)" */
const EXCLUSIVE = /\(exclusive\)|less than [`'"]?\d/
/** A count by itself: no part of a model's name or date. */
const COUNT = /(?<![\w.,-])\d{1,3}(?:,\d{3})+(?![\w-])|(?<![\w.,-])\d+(?![\w-])/g
/** Smaller numbers in such a text are something else, such as the input. */
const LEAST_MOST = 256

/** `sent`: the cap of the refused request. Null if it was refused for something else. */
export function readRefusedCap({ code, status, message, param, overflow }: ErrorData, sent: number): RefusedCap | null {
  if (code === 'context_length_exceeded') {
    // The input fits: it is the cap that does not.
    const { inputTokens, maxTokens } = overflow ?? { inputTokens: 0, maxTokens: 0 }
    return inputTokens < maxTokens
      ? { modelMost: null, context: maxTokens, next: Math.min(maxTokens - inputTokens, sent - 1) }
      : null
  }
  if (code !== 'upstream_rejected' || !REFUSED_STATUSES.has(status)) return null
  const text = `${param ?? ''} ${message}`
  if (!CAP_WORDS.test(text) || OTHER_WORDS.test(text)) return null
  const found = greatestBelow(message, sent)
  if (found !== null) {
    const stated = EXCLUSIVE.test(message) ? found - 1 : found
    return { modelMost: ONLY_HERE.test(message) ? null : stated, context: null, next: stated }
  }
  const half = Math.floor(sent / 2)
  return half < LEAST_MOST ? null : { modelMost: null, context: null, next: half }
}

function greatestBelow(message: string, sent: number): number | null {
  let greatest: number | null = null
  for (const [digits] of message.matchAll(COUNT)) {
    const count = Number(digits.replaceAll(',', ''))
    if (count >= LEAST_MOST && count < sent && count > (greatest ?? 0)) greatest = count
  }
  return greatest
}
