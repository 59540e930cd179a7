// A whole answer on its way through the codec: what is needed to make it, and what comes of that. Plain data and bytes.
import { type EndpointId } from '../../model/endpoint.js'
import { type FinishReason, type ResponseMeta } from '../../model/event.js'
import { type JsonObject } from '../../model/json.js'
import { type Target } from '../../model/target.js'
import { type UsageReport } from '../../model/usage.js'

export type AnswerTask = {
  /** The surface whose form the answer takes. */
  readonly surfaceId: string
  readonly target: Target
  /** aggregate: the upstream's raw frames, one after the other; transcode: its whole answer. */
  readonly body: Uint8Array<ArrayBuffer>
  readonly fallback: ResponseMeta
  /** Set if the request was no chat. */
  readonly endpoint?: EndpointId
  /** From the encoded request; null or absent if there is none. */
  readonly echo?: JsonObject | null
  /** From accepting the request to now; absent if the surface does not tell it. */
  readonly elapsedMs?: number
}

export type EncodedAnswer = {
  readonly body: Uint8Array<ArrayBuffer>
  readonly usage: UsageReport | null
  readonly finishReason: FinishReason
  /** Characters of content, for an estimate where usage is null. */
  readonly contentChars: number
  /** Names of parts that this surface has no place for. */
  readonly dropped: readonly string[]
}
