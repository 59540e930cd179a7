// What each of several nodes has spent of a window, and what operators have changed of it, beside the sum of all: so that Redis can be seeded
// with parts that only grow, and none of them counts twice, whatever a node has stored meanwhile. One node alone has none.
import { type FinishCall, type SeedCall } from '../../budgets/shared/spend-calls.js'
import { type NameInRedis, type WindowPlace } from '../../budgets/shared/spend-scripts.js'
import { partsOfBudgetId, userBudgetId } from '../../budgets/user-slots.js'
import { type BudgetUnit } from '../../types.js'
import { type Database } from '../rows.js'
import { type BudgetShareTable } from '../schema.js'

/** Instead of a node: what operators have added, and what they have refunded. Both only grow. */
export const ADJUSTED = Object.freeze({ plus: '+', minus: '-' })

/** Within the transaction that adds the same to budget_windows. */
export async function addShares(db: Database, rows: readonly BudgetShareTable[]): Promise<void> {
  await db
    .insertInto('budget_shares')
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(['budget_id', 'window_start_ms', 'node']).doUpdateSet((row) => ({
        spent_nano: row('budget_shares.spent_nano', '+', row.ref('excluded.spent_nano')),
        spent_tokens: row('budget_shares.spent_tokens', '+', row.ref('excluded.spent_tokens')),
      })),
    )
    .execute()
}

type Adjustments = { readonly plus: number; readonly minus: number; readonly startMs: number }

type AdjustedIn = {
  readonly of: (budgetId: string, unit: BudgetUnit, startMs: number) => Adjustments
  /** By the digests of end users. */
  readonly ofUsers: (budgetId: string, unit: BudgetUnit, startMs: number) => ReadonlyMap<string, Adjustments>
}

/** What operators have changed in windows that began then. */
export async function readAdjusted(db: Database, startsMs: readonly number[]): Promise<AdjustedIn> {
  const rows = await db
    .selectFrom('budget_shares')
    .selectAll()
    .where('node', 'in', [ADJUSTED.plus, ADJUSTED.minus])
    .where('window_start_ms', 'in', startsMs)
    .execute()
  const byPlace = new Map(rows.map((row) => [`${row.budget_id} ${row.window_start_ms} ${row.node}`, row]))
  const digests = new Map<string, Set<string>>()
  for (const { budget_id, window_start_ms: windowStartMs } of rows) {
    const { digest } = partsOfBudgetId(budget_id)
    const owner = ownerOf({ budgetId: budget_id, windowStartMs })
    if (digest !== null) digests.set(owner, (digests.get(owner) ?? new Set()).add(digest))
  }
  const of: AdjustedIn['of'] = (budgetId, unit, startMs) => {
    const [plus = 0, minus = 0] = [ADJUSTED.plus, ADJUSTED.minus].map((node) => {
      const row = byPlace.get(`${budgetId} ${startMs} ${node}`)
      return row === undefined ? 0 : amountOf(row, unit)
    })
    return { plus, minus, startMs }
  }
  return {
    of,
    ofUsers: (budgetId, unit, startMs) => {
      const own = digests.get(ownerOf({ budgetId, windowStartMs: startMs })) ?? []
      return new Map([...own].map((digest) => [digest, of(userBudgetId(budgetId, digest), unit, startMs)]))
    },
  }
}

/** How many end users have spent something of a budget in a window, and how much together. */
export type UserSums = { readonly users: number; readonly nano: number; readonly tokens: number }

/** `place`: of the budget itself. */
export async function readUserSums(db: Database, place: WindowPlace): Promise<UserSums> {
  const { budgetId, windowStartMs } = place
  const row = await db
    .selectFrom('budget_windows')
    .select((each) => [
      each.fn.countAll().as('users'),
      each.fn.sum('spent_nano').as('nano'),
      each.fn.sum('spent_tokens').as('tokens'),
    ])
    .where('budget_id', 'like', userBudgetId(budgetId, '%'))
    .where('window_start_ms', '=', windowStartMs)
    .executeTakeFirstOrThrow()
  return { users: Number(row.users), nano: Number(row.nano ?? 0), tokens: Number(row.tokens ?? 0) }
}

/** A window to be seeded. */
export type SeedPlace = WindowPlace & { readonly unit: BudgetUnit; readonly forgetMs: number }

/** What the database knows of these, at one moment: a second query might see what was stored in between. */
export async function readSeeds(
  db: Database,
  places: readonly SeedPlace[],
  usersOf: UserCounter = async (place) => (await readUserSums(db, place)).users,
): Promise<SeedCall[]> {
  if (places.length === 0) return []
  const users = await countsOf(places, usersOf)
  const rows = await db
    .selectFrom('budget_windows')
    .leftJoin('budget_shares', (join) =>
      join
        .onRef('budget_shares.budget_id', '=', 'budget_windows.budget_id')
        .onRef('budget_shares.window_start_ms', '=', 'budget_windows.window_start_ms'),
    )
    .select(['budget_windows.budget_id', 'budget_windows.window_start_ms', 'budget_shares.node'])
    .select(['budget_windows.spent_nano', 'budget_windows.spent_tokens'])
    .select(['budget_shares.spent_nano as share_nano', 'budget_shares.spent_tokens as share_tokens'])
    .where('budget_windows.budget_id', 'in', [...new Set(places.map(({ budgetId }) => budgetId))])
    .where('budget_windows.window_start_ms', 'in', [...new Set(places.map(({ windowStartMs }) => windowStartMs))])
    .execute()
  return places.map(({ budgetId, windowStartMs: startMs, unit, forgetMs }) => {
    const own = rows.filter((row) => row.budget_id === budgetId && row.window_start_ms === startMs)
    const shares = own.flatMap(({ node, share_nano: nano, share_tokens: tokens }) =>
      node === null ? [] : [{ node, amount: amountOf({ spent_nano: nano ?? 0, spent_tokens: tokens ?? 0 }, unit) }],
    )
    const of = (name: string): number => shares.find(({ node }) => node === name)?.amount ?? 0
    const [plus, minus] = [of(ADJUSTED.plus), of(ADJUSTED.minus)]
    const stored = shares.filter(({ node }) => node !== ADJUSTED.plus && node !== ADJUSTED.minus)
    const all = own[0] === undefined ? 0 : amountOf(own[0], unit)
    const base = all - plus + minus - stored.reduce((sum, { amount }) => sum + amount, 0)
    const known = users.get(ownerOf({ budgetId, windowStartMs: startMs })) ?? 0
    return { budgetId, windowStartMs: startMs, base, plus, minus, stored, users: known, forgetMs }
  })
}

/** How many end users the database knows of a budget in a window. */
export type UserCounter = (place: WindowPlace) => Promise<number>

/** Of the budgets of those places that are an end user's. */
async function countsOf(places: readonly WindowPlace[], usersOf: UserCounter): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  for (const place of places) {
    const { budgetId, digest } = partsOfBudgetId(place.budgetId)
    if (digest === null || counts.has(ownerOf(place))) continue
    counts.set(ownerOf(place), await usersOf({ budgetId, windowStartMs: place.windowStartMs }))
  }
  return counts
}

function ownerOf({ budgetId, windowStartMs }: WindowPlace): string {
  return `${partsOfBudgetId(budgetId).budgetId} ${windowStartMs}`
}

/** All processes that have the database open, or had and were killed within the last hours. */
export async function readNodes(db: Database, nowMs: number): Promise<string[]> {
  const rows = await db
    .selectFrom('nodes')
    .select('id')
    .where('ended', '=', 0)
    .where('seen_at_ms', '>', nowMs - SEEN_MS)
    .execute()
  return rows.map(({ id }) => id)
}

/** Each process is seen once an hour at least. */
const SEEN_MS = 7_200_000

/** They were killed, and all that they have spent is in the database: Redis is to be told. */
export async function endNodes(db: Database, nodes: readonly string[], nowMs: number): Promise<void> {
  for (const id of nodes) {
    await db
      .insertInto('nodes')
      .values({ id, sequence: 0, seen_at_ms: nowMs, ended: 1 })
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ ended: 1 }))
      .execute()
  }
}

/** Those of which Redis was not told yet. */
export async function readEnded(db: Database): Promise<string[]> {
  const rows = await db.selectFrom('nodes').select('id').where('ended', '=', 1).execute()
  return rows.map(({ id }) => id)
}

/** Redis was told. */
export async function forgetNode(db: Database, node: string): Promise<void> {
  await db.deleteFrom('nodes').where('id', '=', node).where('ended', '=', 1).execute()
}

/** What a node has spent in each of these windows, and in others that began at the same times. `nameOf`: how they are called in `places`. */
export async function readSpentBy(
  db: Database,
  { node, places, nameOf }: { node: string; places: readonly WindowPlace[]; nameOf: NameInRedis },
): Promise<FinishCall[]> {
  if (places.length === 0) return []
  const rows = await db
    .selectFrom('budget_shares')
    .selectAll()
    .where('node', '=', node)
    .where('window_start_ms', 'in', [...new Set(places.map(({ windowStartMs }) => windowStartMs))])
    .execute()
  const byPlace = new Map(rows.map((row) => [`${nameOf(row.budget_id)} ${row.window_start_ms}`, row]))
  return places.map(({ budgetId, windowStartMs }) => {
    // Of the two, the one that is not its unit is 0.
    const { spent_nano: nano = 0, spent_tokens: tokens = 0 } = byPlace.get(`${budgetId} ${windowStartMs}`) ?? {}
    return { budgetId, windowStartMs, amount: nano + tokens }
  })
}

function amountOf({ spent_nano: nano, spent_tokens: tokens }: Amounts, unit: BudgetUnit): number {
  return unit === 'usd' ? nano : tokens
}

type Amounts = { readonly spent_nano: number; readonly spent_tokens: number }
