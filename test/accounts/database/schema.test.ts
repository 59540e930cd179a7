// The schema's versions, compiled for each database.
import { createHash } from 'node:crypto'
import { test } from 'tap'
import { migrationsFor } from '../../../src/accounts/database/schema.js'

/** A version that was released must never change: files that have it would not be what this code takes them for. */
const RELEASED: Readonly<Record<'sqlite' | 'postgres', readonly string[]>> = {
  sqlite: [],
  postgres: [],
}

test('every version compiles for every database, and released ones stay as they are', async (t) => {
  for (const [dialect, released] of Object.entries(RELEASED)) {
    const migrations = migrationsFor(dialect as keyof typeof RELEASED)
    t.equal(migrations.length, migrationsFor('sqlite').length, 'the same versions')
    const sums = migrations.map((text) => createHash('sha256').update(text).digest('hex').slice(0, 16))
    t.same(sums.slice(0, released.length), released)
    for (const text of migrations) t.notMatch(text, /\?|\$\d/, 'nothing is left to be filled in')
  }
})

test('names are ordered by their bytes in every database', async (t) => {
  t.match(migrationsFor('postgres')[0], '"name" text collate "C" not null unique')
  t.match(migrationsFor('sqlite')[0], '"name" text not null unique')
})
