// Providers that operators have paused. Each call within a transaction of its caller's; who did it is in the audit, which its caller
// writes.
import { type By } from '../store.js'
import { type Database } from './rows.js'

/** In the order of their names. */
export async function listPaused(db: Database): Promise<string[]> {
  const rows = await db.selectFrom('paused_providers').select('name').orderBy('name').execute()
  return rows.map(({ name }) => name)
}

/** One that is paused already keeps its time. */
export async function setPaused(
  db: Database,
  { name, isPaused, by, atMs }: By & { readonly name: string; readonly isPaused: boolean; readonly atMs: number },
): Promise<void> {
  if (isPaused) {
    await db
      .insertInto('paused_providers')
      .values({ name, by_name: by, at_ms: atMs })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute()
  } else await db.deleteFrom('paused_providers').where('name', '=', name).execute()
}
