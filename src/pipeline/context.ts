// The parts that the stages of the pipeline share: one set per event loop, joined by gateway.ts.
import { type BrowserTokens } from '../accounts/browser-tokens.js'
import { type BudgetDesk } from '../accounts/budgets/types.js'
import { type Listed } from '../accounts/directory/reader.js'
import { type JwtBearers } from '../accounts/jwt/jwt-bearers.js'
import { type Spending } from '../accounts/rollups/loop-rollups.js'
import { type RollupCounts } from '../accounts/rollups/types.js'
import { type Config } from '../config/types.js'
import { type Limiter } from '../limit/limiter.js'
import { type Offload } from '../offload/offload.js'
import { type PriceBook } from '../prices/price-book.js'
import { type Dialect } from '../protocols/contract/protocol.js'
import { type ResponseDesk } from '../responses/response-desk.js'
import { type ResponseIds } from '../responses/response-ids.js'
import { type Breakers } from '../routing/breakers.js'
import { type RetryBudget } from '../routing/retry.js'
import { type Router } from '../routing/router.js'
import { type ThinkingMemory } from '../routing/thinking.js'
import { type Log, type Metrics, type Tracer } from '../telemetry/records.js'
import { type AnswerSecrets } from '../upstream/conceal.js'
import { type Fetched, type Room } from '../upstream/strangers/attachment.js'
import { type Upstream } from '../upstream/upstream.js'
import { type Learned } from './spending/learned.js'

export type PipelineContext = {
  readonly config: Config
  readonly limiter: Limiter
  readonly offload: Offload
  readonly router: Router
  readonly breakers: Breakers
  readonly retryBudget: RetryBudget
  readonly thinking: ThinkingMemory
  readonly upstream: Pick<Upstream, 'call' | 'secretsOf'>
  readonly secrets: AnswerSecrets
  readonly metrics: Metrics
  readonly log: Log
  /** Dialect by protocol id. */
  readonly dialects: ReadonlyMap<string, Dialect>
  readonly prompts: PromptSource
  readonly clock: Clock
  readonly responses: Responses
  /** Null: no costs are computed. */
  readonly prices: PriceBook | null
  /** Null or absent: no budgets hold. */
  readonly budgets?: Budgeting | null
  /** Null: URLs are never fetched. */
  readonly fetching: Fetching | null
  /** Null or absent: traces are off. */
  readonly tracer?: Tracer | null
  /** Null or absent: all keys are those of the configuration. */
  readonly accounts?: AccountSource | null
  /** Null or absent: there are no browser tokens. */
  readonly tokens?: TokenSource | null
  /** Null or absent: no identity provider is trusted. */
  readonly jwt?: Pick<JwtBearers, 'find' | 'isTrusted'> | null
  /** Null or absent: it is not added up what keys spend. */
  readonly rollups?: SpendCounter | null
}

/** The budgets of the loop, and what is learned for their reservations. */
export type Budgeting = { readonly desk: BudgetDesk; readonly learned: Learned }

/** The keys of a database, as they are now. All calls are synchronous: nobody waits for the database. */
export type AccountSource = {
  /** The account that has this secret now, by its SHA-256 in hex; null if none has. */
  find(digest: string): Listed | null
  /** Null: it was deleted. */
  byIndex(index: number): Listed | null
  byId(id: string): Listed | null
  /** The database has been away for so long that its keys may no longer be used. */
  readonly isStale: boolean
  byName(name: string): Listed | null
  /** Unix time, for expiry. */
  readonly nowMs: () => number
  /** It was let in. Called for each request. */
  noteUsed(id: string): void
}

/** Reads browser tokens, synchronously. */
export type TokenSource = Pick<BrowserTokens, 'read' | 'isExpired'>

/** Adds up in memory what keys spend, and never throws. */
export type SpendCounter = { add(spending: Spending, counts: RollupCounts): void }

/** How answers are named and stored. */
export type Responses = {
  readonly ids: Pick<ResponseIds, 'create'>
  /** Null: no answer is stored. */
  readonly desk: ResponseDesk | null
}

/** How images and documents by URL are fetched, and the memory that they take. */
export type Fetching = {
  /** An empty reservation on the account of a key, for one fetch and its content. */
  readonly reserve: (keyIndex: number) => Reservation
  /** Reserves memory in advance. Rejects if the fetch fails, or with the reservation's own error if there is no room. */
  readonly fetch: (url: string, options: FetchEach) => Promise<Fetched>
}
export type FetchEach = { readonly signal: AbortSignal; readonly timeoutMs: number; readonly room: Room }
/** Releases all of it. Idempotent. */
export type Reservation = Room & { release(): void }

/** The texts that surfaces request by name. `find` is synchronous and may be called for each request. */
export type PromptSource = {
  /**
   * The text in that language or, where it has none, in the default one, which an empty `language` selects; null for none.
   * @throws invalid_request for an invalid name or language
   */
  find(name: string, language: string): string | null
}

/** All sources of time and randomness, so that tests can control them. */
export type Clock = {
  /** Monotonic milliseconds. */
  readonly nowMs: () => number
  /** Unix seconds, for the `created` fields of answers. */
  readonly unixSec: () => number
  /** 0 <= n < 1 */
  readonly random: () => number
}
