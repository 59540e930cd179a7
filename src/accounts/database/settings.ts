// What all nodes share beside keys, teams and budgets: the secret that signs browser tokens where the configuration has none, and the one by
// which end users are named in Redis, each made once by whichever node comes first; and which providers operators have paused. Each call
// within a transaction of its caller's.
import { type RandomBytes } from '../secret.js'
import { type By } from '../store.js'
import { type Database } from './rows.js'

export type SecretPurpose = 'browser-tokens' | 'budgets'

const SECRET_BYTES = 32

/** 32 bytes. */
export async function sharedSecretOf(db: Database, purpose: SecretPurpose, random: RandomBytes): Promise<Buffer> {
  const known = await readSecret(db, purpose)
  if (known !== null) return known
  const secret = Buffer.from(random(SECRET_BYTES)).toString('hex')
  await db
    .insertInto('signing_secrets')
    .values({ purpose, secret })
    .onConflict((conflict) => conflict.column('purpose').doNothing())
    .execute()
  return (await readSecret(db, purpose)) ?? Buffer.from(secret, 'hex')
}

async function readSecret(db: Database, purpose: SecretPurpose): Promise<Buffer | null> {
  const row = await db.selectFrom('signing_secrets').select('secret').where('purpose', '=', purpose).executeTakeFirst()
  return row === undefined ? null : Buffer.from(row.secret, 'hex')
}

/** Providers that are paused, in the order of their names. */
export async function listPaused(db: Database): Promise<string[]> {
  const rows = await db.selectFrom('paused_providers').select('name').orderBy('name').execute()
  return rows.map(({ name }) => name)
}

/** One that is paused already keeps its time. Who did it is in the audit as well, which its caller writes. */
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
