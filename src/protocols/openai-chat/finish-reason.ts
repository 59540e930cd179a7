// Why the model stopped, both ways.
import { type FinishReason } from '../../model/event.js'
import { type WireFinishReason } from './wire.js'

const DECODED: ReadonlyMap<string, FinishReason> = new Map<string, FinishReason>([
  ['stop', 'stop'],
  ['length', 'length'],
  // Mistral: the model's own context ran out.
  ['model_length', 'length'],
  ['tool_calls', 'tool-calls'],
  ['function_call', 'tool-calls'],
  ['content_filter', 'content-filter'],
])

const ENCODED: Readonly<Record<FinishReason, WireFinishReason>> = {
  stop: 'stop',
  'stop-sequence': 'stop',
  length: 'length',
  'tool-calls': 'tool_calls',
  'content-filter': 'content_filter',
  other: 'stop',
}

/**
 * A stop with tool calls is `tool-calls`, whatever the vendor says: OpenAI sends `stop` if the choice of tool
 * was forced, and clients of other protocols rely on the reason alone.
 */
export function decodeFinishReason(reason: string | null, hasCalls: boolean): FinishReason {
  const decoded = DECODED.get(reason ?? '') ?? 'other'
  return hasCalls && (decoded === 'stop' || decoded === 'other') ? 'tool-calls' : decoded
}

/** This wire has no value for `other`; its clients take `stop` for an ordinary end. */
export function encodeFinishReason(reason: FinishReason): WireFinishReason {
  return ENCODED[reason]
}
