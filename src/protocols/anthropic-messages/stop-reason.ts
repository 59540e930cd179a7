// Why the model stopped, in the vendor's vocabulary and the canonical one. Unknown values become `other`.
import { type FinishReason } from '../../model/event.js'
import { type StopReason } from './wire.js'

const FINISH_OF_STOP: Readonly<Record<StopReason, FinishReason>> = Object.freeze({
  end_turn: 'stop',
  max_tokens: 'length',
  stop_sequence: 'stop-sequence',
  tool_use: 'tool-calls',
  // A long turn of server tools was paused; no other protocol has a word for that.
  pause_turn: 'other',
  refusal: 'content-filter',
  model_context_window_exceeded: 'length',
})

const STOP_OF_FINISH: Readonly<Record<FinishReason, StopReason>> = Object.freeze({
  stop: 'end_turn',
  'stop-sequence': 'stop_sequence',
  length: 'max_tokens',
  'tool-calls': 'tool_use',
  'content-filter': 'refusal',
  other: 'end_turn',
})

/** The canonical reason of a `stop_reason`. */
export function decodeStopReason(value: unknown): FinishReason {
  return typeof value === 'string' && Object.hasOwn(FINISH_OF_STOP, value)
    ? FINISH_OF_STOP[value as StopReason]
    : 'other'
}

/** The `stop_reason` of a canonical reason; `other` is an ordinary end, which every client understands. */
export function encodeStopReason(reason: FinishReason): StopReason {
  return STOP_OF_FINISH[reason]
}
