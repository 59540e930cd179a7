// The canonical whole answer: returned by a dialect's decodeResponse and the aggregator, encoded by a surface's encodeResponse.

import { type FinishReason, type OpaqueHead, type RefusalDetails, type ResponseMeta } from './event.js'
import { type AssistantPart } from './request.js'
import { type UsageReport } from './usage.js'

/** A part of an answer. What is opaque belongs to answers alone: no request of another wire could carry it. */
export type AnswerPart = AssistantPart | OpaquePart
export type OpaquePart = { readonly type: 'opaque' } & Omit<OpaqueHead, 'kind'>

export type ChatResponse = {
  readonly meta: ResponseMeta
  /** In the order the model wrote them: text, refusals, reasoning, calls, images, and what is opaque. */
  readonly content: readonly AnswerPart[]
  readonly finishReason: FinishReason
  readonly stopSequence: string | null
  /** What the provider says about its refusal; absent if it says nothing. */
  readonly refusal?: RefusalDetails
  readonly usage: UsageReport | null
  /** From accepting the request to this answer, for the surfaces that tell it; absent if unknown. */
  readonly elapsedMs?: number
}
