// What a look-up finds is tested with reader.ts; here, that the table stays in order however often digests come and go.
import { test } from 'tap'
import { DigestTable } from '../../../src/accounts/directory/digest-table.js'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { DirectoryReader } from '../../../src/accounts/directory/reader.js'
import { digestOfKey } from '../../helpers/directory-hammer.js'
import { thrownBy } from '../../helpers/thrown.js'

const TARGET = { slot: 0, epoch: 0, validUntilMs: null }

test('digests that come and go leave nothing behind: the table ends as it began', (t) => {
  const memory = createDirectoryMemory(8)
  const table = new DigestTable(memory)
  const { room } = table
  let random = 1
  const there = new Set<number>()
  for (let round = 0; round < 20_000; round++) {
    random = (random * 48_271) % 2_147_483_647
    const k = random % room
    if (there.delete(k)) table.remove(digestOfKey(k))
    else {
      table.set(digestOfKey(k), TARGET)
      there.add(k)
    }
    if (table.room !== room - there.size) return t.bailout('room is lost')
  }
  for (const k of there) table.remove(digestOfKey(k))
  table.remove(digestOfKey(0))
  t.equal(table.room, room)
  t.same(new Set(new Int32Array(memory.table).subarray(0, -1)), new Set([0]))
  t.end()
})

test('a digest that is set again has one entry, and a full table takes no other', (t) => {
  const memory = createDirectoryMemory(1)
  const table = new DigestTable(memory)
  const { room } = table
  for (let i = 0; i < 10; i++) table.set(digestOfKey(0), { ...TARGET, validUntilMs: i })
  t.equal(table.room, room - 1)
  for (let k = 1; k < room; k++) table.set(digestOfKey(k), TARGET)
  t.match(
    thrownBy(() => table.set(digestOfKey(99), TARGET)),
    { code: 'storage_full' },
  )
  t.equal(new DirectoryReader(memory).find(digestOfKey(99), 0), null)
  t.end()
})
