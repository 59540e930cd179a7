// The secret of browser tokens that a database keeps: one for all nodes, whoever comes first, and the same after every restart.
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import tap, { type Test, test } from 'tap'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { readSharedSecret } from '../../../src/accounts/directory/shared-secret.js'
import { type AccountsStart } from '../../../src/accounts/messages.js'
import { openNode } from '../../helpers/accounts-rig.js'
import { startPostgres } from '../../helpers/postgres-server.js'

/** What event loops of a node that has started sign with, in hex. */
async function secretOf(t: Test, database: AccountsStart['database']): Promise<string> {
  const directory = createDirectoryMemory(10)
  t.equal(readSharedSecret(directory.tokenSecret), null)
  const node = await openNode(t, { database, directory, fileKeys: [], clockOffset: null })
  await node.close()
  return Buffer.from(readSharedSecret(directory.tokenSecret) ?? []).toString('hex')
}

test('a file has one secret of 32 random bytes, and another file another', async (t) => {
  const folder = t.testdir()
  const path = join(folder, 'accounts.db')
  const first = await secretOf(t, { store: 'sqlite', path })
  t.match(first, /^[0-9a-f]{64}$/)
  // libsql holds the lock of a file until its thread ends.
  const copy = join(folder, 'copy.db')
  copyFileSync(path, copy)
  t.equal(await secretOf(t, { store: 'sqlite', path: copy }), first)
  t.not(await secretOf(t, { store: 'sqlite', path: join(folder, 'other.db') }), first)
})

test('nodes that start at once agree on one', async (t) => {
  const server = await startPostgres(tap)
  const url = await server.createDatabase()
  // The schema itself is made by one node at a time.
  const secrets = await Promise.all(Array.from({ length: 4 }, () => secretOf(t, { store: 'postgres', url })))
  t.equal(new Set(secrets).size, 1)
  t.match(secrets[0], /^[0-9a-f]{64}$/)
})
