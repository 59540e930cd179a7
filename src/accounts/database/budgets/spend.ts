// What is spent of budgets, by window: added from the batches of event loops, each exactly once, and from the journals that a process
// has left. Each call within a transaction of its caller's.
import { type Selectable } from 'kysely'
import { type SubjectKind } from '../../budgets/memory.js'
import { nodeOf } from '../../budgets/shared/node-names.js'
import { partsOfBudgetId } from '../../budgets/user-slots.js'
import { windowAt, windowStartMs } from '../../budgets/windows.js'
import { type StoredBudget, type StoredUser } from '../../budgets/writer.js'
import { DAY_MS } from '../../rollups/types.js'
import { BUDGET_PERIODS, type BudgetPeriod, type BudgetUnit, type Charge, type SpendBatch } from '../../types.js'
import { type Database } from '../rows.js'
import { type BudgetWindowTable } from '../schema.js'
import { addShares, readAdjusted } from './shares.js'

/** Rows of one statement: its parameters are limited. */
const MAX_ROWS = 200

/** Adds what is not in the database yet: the number of a journal's last settlement is written in the same transaction. */
export async function addBatches(db: Database, batches: readonly SpendBatch[], gone: readonly string[]): Promise<void> {
  for (const { journal, sequence, charges } of batches) {
    if ((await storedSequence(db, journal)) >= sequence) continue
    await db
      .insertInto('budget_journals')
      .values({ id: journal, sequence })
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ sequence }))
      .execute()
    await addSpent(db, charges, nodeOf(journal))
  }
  await forgetJournals(db, gone)
}

/** The number of the last settlement of a journal that is in the database; 0 for none. */
export async function storedSequence(db: Database, journal: string): Promise<number> {
  const row = await db.selectFrom('budget_journals').select('sequence').where('id', '=', journal).executeTakeFirst()
  return row?.sequence ?? 0
}

/** For journals whose files are deleted. */
export async function forgetJournals(db: Database, ids: readonly string[]): Promise<void> {
  for (let i = 0; i < ids.length; i += MAX_ROWS) {
    await db
      .deleteFrom('budget_journals')
      .where('id', 'in', ids.slice(i, i + MAX_ROWS))
      .execute()
  }
}

/** Deletes what was spent in windows that began so many days ago or more, and are over. */
export async function forgetWindows(db: Database, days: number, nowMs: number): Promise<void> {
  for (const table of ['budget_windows', 'budget_shares'] as const) {
    await db
      .deleteFrom(table)
      .where('window_start_ms', '<', nowMs - days * DAY_MS)
      .where('window_start_ms', 'not in', [...new Set(startsAt(nowMs).values())])
      .execute()
  }
}

/** When the present windows of all periods began. */
function startsAt(nowMs: number): ReadonlyMap<BudgetPeriod, number> {
  return new Map(BUDGET_PERIODS.map((per) => [per, windowStartMs(per, windowAt(per, nowMs))]))
}

/** Those of budgets that were deleted are left out. `node`: also in its own row, or in one of ADJUSTED; null for none. */
export async function addSpent(db: Database, charges: readonly Charge[], node: string | null = null): Promise<void> {
  for (let i = 0; i < charges.length; i += MAX_ROWS) {
    const some = charges.slice(i, i + MAX_ROWS)
    const ids = [...new Set(some.map(({ budgetId }) => partsOfBudgetId(budgetId).budgetId))]
    const found = await db.selectFrom('budgets').select('id').where('id', 'in', ids).execute()
    const present = new Set(found.map(({ id }) => id))
    const rows = some
      .filter(({ budgetId }) => present.has(partsOfBudgetId(budgetId).budgetId))
      .map(({ budgetId, windowStartMs: startMs, nano, tokens }) => {
        return { budget_id: budgetId, window_start_ms: startMs, spent_nano: nano, spent_tokens: tokens }
      })
    if (rows.length === 0) continue
    await db
      .insertInto('budget_windows')
      .values(rows)
      .onConflict((conflict) =>
        conflict.columns(['budget_id', 'window_start_ms']).doUpdateSet((row) => ({
          spent_nano: row('budget_windows.spent_nano', '+', row.ref('excluded.spent_nano')),
          spent_tokens: row('budget_windows.spent_tokens', '+', row.ref('excluded.spent_tokens')),
        })),
      )
      .execute()
    if (node === null) continue
    await addShares(
      db,
      rows.map((row) => ({ ...row, node })),
    )
  }
}

/** Budgets as event loops are to know them; null: all of them. */
export async function readBudgets(
  db: Database,
  targets: { readonly ids: readonly string[]; readonly subjects: readonly string[] } | null,
  nowMs: number,
): Promise<StoredBudget[]> {
  if (targets !== null && targets.ids.length + targets.subjects.length === 0) return []
  const rows = await db
    .selectFrom('budgets')
    .select(['id', 'name', 'kind', 'subject', 'per', 'unit', 'amount', 'version'])
    .$if(targets !== null, (query) =>
      query.where((row) =>
        row.or([
          ...(targets === null || targets.ids.length === 0 ? [] : [row('id', 'in', targets.ids)]),
          ...(targets === null || targets.subjects.length === 0 ? [] : [row('subject', 'in', targets.subjects)]),
        ]),
      ),
    )
    .execute()
  if (rows.length === 0) return []
  const starts = startsAt(nowMs)
  const windows = await db
    .selectFrom('budget_windows')
    .selectAll()
    .where('window_start_ms', 'in', [...new Set(starts.values())])
    .$if(targets !== null, (query) =>
      query.where(
        'budget_id',
        'in',
        rows.map(({ id }) => id),
      ),
    )
    .execute()
  const spent = new Map(windows.map((row) => [`${row.budget_id} ${row.window_start_ms}`, row]))
  const adjusted = await readAdjusted(db, [...new Set(starts.values())])
  const users = byBudget(windows)
  return rows.map(({ amount, ...row }) => {
    const { id, name, subject, version } = row
    const [kind, per, unit] = [row.kind as SubjectKind, row.per as BudgetPeriod, row.unit as BudgetUnit]
    const startMs = starts.get(per) ?? 0
    const window = spent.get(`${id} ${startMs}`)
    const used = (unit === 'usd' ? window?.spent_nano : window?.spent_tokens) ?? 0
    const adjustments = adjusted.of(id, unit, startMs)
    const budget = {
      id,
      name,
      kind,
      subject,
      per,
      unit,
      limit: amount,
      version,
      spent: Math.max(0, used),
      ...adjustments,
    }
    if (kind !== 'user') return budget
    const own = users.get(`${id} ${startMs}`) ?? []
    const spentOf = ({ spent_nano: nano, spent_tokens: tokens }: WindowRow) =>
      Math.max(0, unit === 'usd' ? nano : tokens)
    const stored = new Map<string, StoredUser>(own.map(({ digest, row }) => [digest, { digest, spent: spentOf(row) }]))
    for (const [digest, { plus, minus }] of adjusted.ofUsers(id, unit, startMs)) {
      stored.set(digest, { ...(stored.get(digest) ?? { digest, spent: 0 }), plus, minus })
    }
    return { ...budget, users: [...stored.values()] }
  })
}

type WindowRow = Selectable<BudgetWindowTable>

/** What end users have spent, by the budget and the beginning of its window. */
function byBudget(rows: readonly WindowRow[]) {
  const users = new Map<string, { readonly digest: string; readonly row: WindowRow }[]>()
  for (const row of rows) {
    const { budgetId, digest } = partsOfBudgetId(row.budget_id)
    if (digest === null) continue
    const place = `${budgetId} ${row.window_start_ms}`
    const known = users.get(place)
    if (known === undefined) users.set(place, [{ digest, row }])
    else known.push({ digest, row })
  }
  return users
}
