// A whole answer in the small form: the provider, the model, the text, and the stop reason in that provider's vocabulary.
import { type FinishReason } from '../../model/event.js'
import { type JsonObject } from '../../model/json.js'
import { finishOfRefusal, isWords } from '../../model/refusal.js'
import { type ChatResponse } from '../../model/response.js'
import { type Target } from '../../model/target.js'

type ReasonWords = Readonly<Record<FinishReason, string>>

/** OpenAI's stop reasons, for all wires without their own below. */
const COMMON_REASONS: ReasonWords = {
  stop: 'stop',
  'stop-sequence': 'stop',
  length: 'length',
  'tool-calls': 'tool_calls',
  'content-filter': 'content_filter',
  other: 'stop',
}
const REASONS_OF: Readonly<Record<string, ReasonWords>> = {
  'anthropic-messages': {
    stop: 'end_turn',
    'stop-sequence': 'stop_sequence',
    length: 'max_tokens',
    'tool-calls': 'tool_use',
    'content-filter': 'refusal',
    other: 'end_turn',
  },
}

/** Reasoning and tool calls have no member in this form; a stream has them. */
export function encodeResponse(
  { meta, content, finishReason }: ChatResponse,
  target?: Pick<Target, 'provider' | 'protocol'>,
): JsonObject {
  const hasRefused = content.some((part) => part.type === 'refusal')
  const words = REASONS_OF[target?.protocol ?? ''] ?? COMMON_REASONS
  return {
    provider: target?.provider ?? '',
    model: meta.model,
    content: content.map((part) => (isWords(part) ? part.text : '')).join(''),
    stop_reason: words[hasRefused ? finishOfRefusal(finishReason) : finishReason],
  }
}
