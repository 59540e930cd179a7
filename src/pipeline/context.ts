// What the stages of the pipeline share: one set of parts per event loop, joined by gateway.ts.
import { type Config } from '../config/types.js'
import { type Limiter } from '../limit/limiter.js'
import { type Offload } from '../offload/offload.js'
import { type Dialect } from '../protocols/contract/protocol.js'
import { type Breakers } from '../routing/breakers.js'
import { type RetryBudget } from '../routing/retry.js'
import { type Router } from '../routing/router.js'
import { type ThinkingMemory } from '../routing/thinking.js'
import { type Log, type Metrics } from '../telemetry/records.js'
import { type Upstream } from '../upstream/call.js'
import { type AnswerSecrets } from '../upstream/conceal.js'
import { type Fetched } from '../upstream/strangers/attachment.js'

export type PipelineContext = {
  readonly config: Config
  readonly limiter: Limiter
  readonly offload: Offload
  readonly router: Router
  readonly breakers: Breakers
  readonly retryBudget: RetryBudget
  readonly thinking: ThinkingMemory
  readonly upstream: Pick<Upstream, 'call'>
  readonly secrets: AnswerSecrets
  readonly metrics: Metrics
  readonly log: Log
  /** Dialect by protocol id. */
  readonly dialects: ReadonlyMap<string, Dialect>
  readonly prompts: PromptSource
  readonly clock: Clock
  /** Fetches an image or document by its URL; rejects where it cannot. Null: URLs are never fetched. */
  readonly fetchAttachment: FetchAttachment | null
}

export type FetchAttachment = (url: string, signal: AbortSignal, timeoutMs: number) => Promise<Fetched>

/** The texts that surfaces ask for by name. `find` is synchronous and may be asked for each request. */
export type PromptSource = {
  /**
   * The text in that language or, where it has none, in the default one, which an empty `language` stands for; null for none.
   * @throws invalid_request for a name or language that is none
   */
  find(name: string, language: string): string | null
}

/** Every source of time and chance, so that tests can hold them still. */
export type Clock = {
  /** Monotonic milliseconds. */
  readonly nowMs: () => number
  /** Unix seconds, for the `created` fields of answers. */
  readonly unixSec: () => number
  /** 0 <= n < 1 */
  readonly random: () => number
}
