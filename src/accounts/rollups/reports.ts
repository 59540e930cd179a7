// Reports over rollups, as they are asked for and answered.
import { type RollupCounts } from './types.js'

/** What sums can be made by. */
export const SPEND_DIMENSIONS = ['team', 'key', 'model', 'provider', 'tag', 'user', 'day'] as const
export type SpendDimension = (typeof SPEND_DIMENSIONS)[number]

/** Times are whole hours. Rows by user are of whole days, and only by user, key and day. */
export type SpendQuery = {
  readonly fromMs: number
  /** Exclusive. */
  readonly toMs: number
  readonly by: readonly SpendDimension[]
  /** `next` of the page before; null for the first page. */
  readonly after: SpendCursor | null
  readonly limit: number
}

/** Where a page has ended, and the total, which only the first page adds up. */
export type SpendCursor = { readonly at: readonly (string | number)[]; readonly total: SpendSum }

/** Nano-dollars; numbers above 2^53 are not exact. */
export type SpendSum = Readonly<RollupCounts>

/** Has the members that it was asked by. A request with several tags counts for each of them. */
export type SpendRow = SpendSum & {
  readonly team?: string | null
  readonly key?: string
  readonly keyId?: string | null
  readonly model?: string | null
  readonly provider?: string | null
  readonly tag?: string | null
  readonly user?: string
  readonly day?: string
}

/** `total`: over all pages. */
export type SpendPage = {
  readonly rows: readonly SpendRow[]
  readonly next: SpendCursor | null
  readonly total: SpendSum
}

/** Of days in UTC. */
export type KeyUsage = { readonly today: SpendSum; readonly month: SpendSum }
