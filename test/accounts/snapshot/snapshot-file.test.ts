// The snapshot as a file: it comes back as it was written, and nothing else is taken for one.

import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { type StoredBudget } from '../../../src/accounts/budgets/writer.js'
import { encodeAccount } from '../../../src/accounts/directory/memory.js'
import {
  budgetLineOf,
  checkPlace,
  firstLineOf,
  headOf,
  keyLineOf,
  readSnapshot,
} from '../../../src/accounts/snapshot/snapshot-file.js'
import { type Account } from '../../../src/accounts/types.js'
import { NO_LIMITS } from '../../helpers/accounts-rig.js'

const PLACE = 'db.test:5432/sluice'
const TEAM = { id: 'team_1', name: 'blue "ü"', models: ['fast'], limits: { ...NO_LIMITS, tokensPerMinute: 7 } }
const ACCOUNT: Account = {
  ...{
    id: 'key_1',
    name: 'app\n1',
    team: TEAM,
    models: ['*'],
    limits: { ...NO_LIMITS, concurrency: 3 },
    tags: ['a,b'],
  },
  ...{ trustUser: true, disabled: false, expiresAtMs: 1_800_000_000_000 },
}
const SECRETS = [
  { digest: 'a'.repeat(64), validUntilMs: null },
  { digest: 'b'.repeat(64), validUntilMs: 1_700_000_000_000 },
]
const BUDGET: StoredBudget = {
  ...({ id: 'budget_1', name: 'key:app1:month', kind: 'key', subject: 'key_1', per: 'month', unit: 'usd' } as const),
  ...{ limit: 50_000_000_000, spent: 40, version: 0, plus: 0, minus: 0, startMs: 0 },
}

function fileOf(t: Test, bytes: string | Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-snapshot-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'accounts.snapshot')
  writeFileSync(path, bytes)
  return path
}

function textOf(seenAtMs: number): string {
  const account = encodeAccount(ACCOUNT).toString()
  const body = firstLineOf(PLACE) + keyLineOf({ account, secrets: SECRETS }) + budgetLineOf(BUDGET)
  return headOf(seenAtMs, createHash('sha256').update(body).digest('hex')) + body
}

test('keys, teams, digests and budgets come back as they were; what is spent is not in it', (t) => {
  const path = fileOf(t, textOf(1_764_547_200_000))
  t.strictSame(readSnapshot(path, PLACE), {
    seenAtMs: 1_764_547_200_000,
    listings: [{ account: ACCOUNT, secrets: SECRETS }],
    budgets: [{ ...BUDGET, spent: 0 }],
  })
  checkPlace(path)
  t.equal(readSnapshot(`${path}.none`, PLACE), null)
  checkPlace(`${path}.none`)
  t.end()
})

test('one that is cut, or has another byte anywhere, is refused and names itself', (t) => {
  const path = fileOf(t, '')
  const bytes = Buffer.from(textOf(1_764_547_200_000))
  for (let i = 0; i < bytes.length; i++) {
    writeFileSync(path, bytes.subarray(0, i))
    t.throws(() => readSnapshot(path, PLACE), { name: 'GatewayError' })
    const other = Buffer.from(bytes)
    other[i] = (other[i] ?? 0) ^ 1
    writeFileSync(path, other)
    t.throws(() => readSnapshot(path, PLACE), { name: 'GatewayError' })
  }
  writeFileSync(path, bytes.subarray(0, -1))
  t.throws(() => readSnapshot(path, PLACE), new RegExp(`^accounts.snapshot: ${path} is damaged\\.`))
  t.end()
})

test('one of another database, and a file of another kind, are refused and left as they are', (t) => {
  const path = fileOf(t, textOf(1_764_547_200_000))
  t.throws(() => readSnapshot(path, 'db.test:5432/other'), /is of another database \(db\.test:5432\/sluice\)/)
  const foreign = fileOf(t, 'a diary\n')
  t.throws(() => readSnapshot(foreign, PLACE), /is not a snapshot of accounts/)
  t.throws(() => checkPlace(foreign), /is not a snapshot of accounts/)
  t.throws(() => checkPlace(fileOf(t, '')), /is not a snapshot of accounts/)
  t.equal(readFileSync(foreign, 'utf8'), 'a diary\n')
  const newer = fileOf(t, textOf(1_764_547_200_000).replace('-snapshot 1 ', '-snapshot 2 '))
  t.throws(() => readSnapshot(newer, PLACE), /is of version 2, and this version of Sluice reads 1/)
  t.end()
})
