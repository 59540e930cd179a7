// The canonical whole answer: what a dialect's decodeResponse and the aggregator give and a surface's encodeResponse takes.

import { type FinishReason, type ResponseMeta } from './event.js'
import { type AssistantPart } from './request.js'
import { type UsageReport } from './usage.js'

export type ChatResponse = {
  readonly meta: ResponseMeta
  /** In the order the model wrote them: text, reasoning and tool-call parts. */
  readonly content: readonly AssistantPart[]
  readonly finishReason: FinishReason
  readonly stopSequence: string | null
  readonly usage: UsageReport | null
}
