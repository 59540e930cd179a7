// What one event loop has of the keys of the database, and where their limits are.
import { createHash } from 'node:crypto'
import { test } from 'tap'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { DirectoryWriter } from '../../../src/accounts/directory/writer.js'
import { accountPlaces, LoopAccounts } from '../../../src/gateway/accounts/loop-accounts.js'
import { keyOf } from '../../../src/gateway/jobs.js'
import { hammerAccount } from '../../helpers/directory-hammer.js'
import { createConfig } from '../../helpers/pipeline-config.js'

function setUp() {
  const memory = createDirectoryMemory(4)
  const clock = { ms: 1000 }
  return { writer: new DirectoryWriter(memory), accounts: new LoopAccounts(memory, () => clock.ms), clock }
}

test('a key is found by its secret while that is valid, by its index and by its id', (t) => {
  const { writer, accounts, clock } = setUp()
  const digest = createHash('sha256').update('s').digest('hex')
  writer.put(hammerAccount(0, 1, { id: 'key_a' }), [{ digest, validUntilMs: 2000 }])
  const listed = accounts.find(digest)
  t.equal(listed?.account.id, 'key_a')
  t.equal(accounts.byIndex(listed?.index ?? -1), listed)
  t.equal(accounts.bySlot(0), listed)
  t.equal(accounts.byId('key_a'), listed)
  clock.ms = 2000
  t.equal(accounts.find(digest), null)
  t.equal(accounts.byId('key_a'), listed)
  t.end()
})

test('each key that was used is told once, with the time', (t) => {
  const { accounts } = setUp()
  t.same(accounts.takeUses(), [])
  for (const id of ['key_a', 'key_b', 'key_a']) accounts.noteUsed(id)
  t.same(accounts.takeUses(), [
    { id: 'key_a', atMs: 1000 },
    { id: 'key_b', atMs: 1000 },
  ])
  t.same(accounts.takeUses(), [])
  t.end()
})

test('places of keys and teams of the database come behind those of the file', (t) => {
  t.same(accountPlaces(7, null), { keyRoom: 7, accounts: null })
  t.same(accountPlaces(7, { maxKeys: 10, maxTeams: 3 }), {
    keyRoom: 20,
    accounts: { firstKey: 7, keys: 10, firstTeam: 17, teams: 3 },
  })
  t.end()
})

test('what was accepted for a key of the database runs under it as it is then, and not at all when it may do nothing', (t) => {
  const { writer, accounts } = setUp()
  const config = createConfig({})
  t.equal(keyOf(config, accounts, 'key_a'), null)
  writer.put(hammerAccount(0, 5000, { id: 'key_a' }), [])
  t.match(keyOf(config, accounts, 'key_a'), { owner: 'key_a', name: 'app0', account: { id: 'key_a' } })
  writer.put(hammerAccount(0, 999, { id: 'key_a' }), [])
  t.equal(keyOf(config, accounts, 'key_a'), null, 'it has expired')
  writer.put(hammerAccount(0, 5000, { id: 'key_a', disabled: true }), [])
  t.equal(keyOf(config, accounts, 'key_a'), null)
  const [own] = config.keys
  t.match(keyOf(config, accounts, own?.keySha256 ?? ''), { index: 0, name: own?.name })
  t.end()
})
