// The canonical stream: what every dialect's decoder emits and every surface's encoder takes.
//   law: start (block-start block-delta* block-end)* finish | error        (an error may end it anywhere, also before start)
// Blocks do not overlap; indices count 0, 1, 2 ... without gaps. test/laws checks every decoder, ill streams included.
import { type ErrorData } from './error.js'
import { type UsageReport } from './usage.js'

export type StreamEvent =
  | { readonly type: 'start'; readonly meta: ResponseMeta }
  | { readonly type: 'block-start'; readonly index: number; readonly block: BlockHead }
  | { readonly type: 'block-delta'; readonly index: number; readonly delta: string }
  | { readonly type: 'block-end'; readonly index: number; readonly signature: string | null }
  | {
      readonly type: 'finish'
      readonly reason: FinishReason
      readonly usage: UsageReport | null
      readonly stopSequence: string | null
    }
  | { readonly type: 'error'; readonly error: ErrorData }

/** Deltas of a text or reasoning block are text; those of a tool-call are fragments of its JSON arguments. */
export type BlockHead =
  | { readonly kind: 'text' }
  /** `redacted` is Anthropic's encrypted thinking: a block with no deltas. */
  | { readonly kind: 'reasoning'; readonly redacted: string | null }
  | { readonly kind: 'tool-call'; readonly id: string; readonly name: string }

export type ResponseMeta = {
  /** The upstream's response id; the gateway's own when the upstream gives none. */
  readonly id: string
  /** The model name that the client is shown. */
  readonly model: string
  /** Unix seconds. */
  readonly createdSec: number
  /** What is known of usage before the first token (Anthropic counts input in `message_start`). */
  readonly usage: UsageReport | null
}

export type FinishReason = 'stop' | 'stop-sequence' | 'length' | 'tool-calls' | 'content-filter' | 'other'

/** How an exchange ended; the same word in metric, log, WebSocket `done` and job. */
export type Outcome =
  | 'complete'
  | 'client_gone'
  | 'upstream_cut'
  | 'stalled'
  | 'limit'
  | 'slow_reader'
  | 'drained'
  | 'rejected'
  | 'failed'

/** Every outcome there is, in the order that metrics number them. */
export const OUTCOMES: readonly Outcome[] = Object.freeze([
  'complete',
  'client_gone',
  'upstream_cut',
  'stalled',
  'limit',
  'slow_reader',
  'drained',
  'rejected',
  'failed',
])
