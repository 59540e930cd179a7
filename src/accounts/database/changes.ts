// The order of all changes. Each begins by taking the next revision, which holds back every other change until its transaction ends, on
// every node; and ends with its entry, which is its audit as well. So revisions are committed in order, and whoever has read up to one
// has missed nothing before it.
import { GatewayError } from '../../errors.js'
import { type Change, type Page } from '../store.js'
import { type AuditEntry, type AuditRecord } from '../types.js'
import { type Database } from './rows.js'

/** Entries beyond these are forgotten, the oldest first: some 100 MB. */
export const MAX_ENTRIES = 100_000

/** A change that has begun. */
export type Revision = { readonly revision: number; readonly keyCount: number }

/** The row of what is changed must be read after this. */
export async function beginChange(db: Database): Promise<Revision> {
  const state = await db
    .updateTable('state')
    .set((row) => ({ revision: row('revision', '+', 1) }))
    .returning(['revision', 'key_count'])
    .executeTakeFirstOrThrow()
  return { revision: state.revision, keyCount: state.key_count }
}

/** Ends a change. `targetId`: the key or team that is now another, or is gone. */
export async function recordChange(
  db: Database,
  revision: number,
  { targetId, ...entry }: AuditEntry & { readonly targetId: string | null },
): Promise<void> {
  await db
    .insertInto('changes')
    .values({
      revision,
      at_ms: entry.atMs,
      by_name: entry.by,
      action: entry.action,
      target: entry.target,
      target_id: targetId,
      before: entry.before === null ? null : JSON.stringify(entry.before),
      after: entry.after === null ? null : JSON.stringify(entry.after),
    })
    .execute()
  await db
    .deleteFrom('changes')
    .where('revision', '<=', revision - MAX_ENTRIES)
    .execute()
}

/** @throws precondition_failed for a record that was changed since its caller read it */
export function checkVersion({ version }: { readonly version: number }, { ifVersion }: Change): void {
  if (ifVersion !== null && ifVersion !== version) throw new GatewayError('precondition_failed')
}

/** The newest first. */
export async function listAudit(
  db: Database,
  { after, limit }: Page<number>,
): Promise<{ entries: AuditRecord[]; next: number | null }> {
  const rows = await db
    .selectFrom('changes')
    .selectAll()
    .$if(after !== null, (query) => query.where('revision', '<', after ?? 0))
    .orderBy('revision', 'desc')
    .limit(limit + 1)
    .execute()
  const entries = rows.slice(0, limit).map((row) => ({
    seq: row.revision,
    atMs: row.at_ms,
    by: row.by_name,
    action: row.action,
    target: row.target,
    before: recordIn(row.before),
    after: recordIn(row.after),
  }))
  return { entries, next: rows.length > limit ? (entries.at(-1)?.seq ?? null) : null }
}

function recordIn(text: string | null): object | null {
  return text === null ? null : (JSON.parse(text) as object)
}
