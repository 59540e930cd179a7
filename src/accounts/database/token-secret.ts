// The secret that signs browser tokens where the configuration has none: made once, by whichever node comes first, and the same for all of
// them from then on.
import { type RandomBytes } from '../secret.js'
import { type Database } from './rows.js'

const PURPOSE = 'browser-tokens'
const SECRET_BYTES = 32

/** 32 bytes. */
export async function tokenSecretOf(db: Database, random: RandomBytes): Promise<Buffer> {
  const known = await readSecret(db)
  if (known !== null) return known
  const secret = Buffer.from(random(SECRET_BYTES)).toString('hex')
  await db
    .insertInto('signing_secrets')
    .values({ purpose: PURPOSE, secret })
    .onConflict((conflict) => conflict.column('purpose').doNothing())
    .execute()
  return (await readSecret(db)) ?? Buffer.from(secret, 'hex')
}

async function readSecret(db: Database): Promise<Buffer | null> {
  const row = await db.selectFrom('signing_secrets').select('secret').where('purpose', '=', PURPOSE).executeTakeFirst()
  return row === undefined ? null : Buffer.from(row.secret, 'hex')
}
