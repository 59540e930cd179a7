// The journal of an event loop: what is in its file before a request is sent, and what becomes of it on a disk that takes nothing.
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { Journal } from '../../../src/accounts/budgets/journal.js'
import { readJournal } from '../../../src/accounts/budgets/journal-records.js'
import { type Charge } from '../../../src/accounts/types.js'
import { mountSmallDisk, NO_SMALL_DISK } from '../../helpers/small-disk.js'

const START_MS = 1_764_547_200_000

function charge(nano: number): Charge {
  return { budgetId: 'budget_a', windowStartMs: START_MS, nano, tokens: 0 }
}

function setUp(t: Test, base = tmpdir()) {
  const root = mkdtempSync(join(base, 'sluice-journal-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const folder = join(root, 'deep', 'journal')
  const journal = new Journal(folder, 'one')
  const path = join(folder, 'one.journal')
  /** What a start would add. */
  const read = () => readJournal(readFileSync(path), 0).charges
  return { root, path, journal, read }
}

test('a reservation is in the file when it is made, and what waits before it as well', async (t) => {
  const { journal, path, read } = setUp(t)
  t.notOk(existsSync(path), 'no file without a reservation')
  t.ok(journal.flush())
  t.ok(journal.reserve(1, [charge(50)]))
  t.same(read(), [charge(50)])
  t.equal(statSync(path).mode & 0o777, 0o600)
  journal.extend(1, [charge(20)])
  journal.settle(1, 1, [charge(60)])
  t.same(read(), [charge(50)], 'they wait')
  t.ok(journal.reserve(2, [charge(5)]))
  t.same(read(), [charge(65)])
  t.equal(journal.length, statSync(path).size)
  t.ok(await journal.sync())
  journal.remove()
  t.notOk(existsSync(path))
})

test('a folder that cannot be had refuses reservations, until it can', async (t) => {
  const { journal, root, read } = setUp(t)
  writeFileSync(join(root, 'deep'), 'a file in its place')
  t.notOk(journal.reserve(1, [charge(50)]))
  t.ok(await journal.sync())
  journal.remove()
  rmSync(join(root, 'deep'))
  t.ok(journal.reserve(2, [charge(5)]))
  t.same(read(), [charge(5)], 'the one that was refused is not there')
})

test('a full disk refuses reservations and loses no settlement', async (t) => {
  const disk = mountSmallDisk(1)
  if (disk === null) return void t.comment(NO_SMALL_DISK)
  const { journal, read } = setUp(t, disk)
  t.ok(journal.reserve(1, [charge(50)]))
  const filling = join(disk, 'filling')
  writeFileSync(filling, '')
  try {
    for (;;) appendFileSync(filling, Buffer.alloc(4096))
  } catch {
    // Full.
  }
  let n = 1
  while (journal.reserve(n + 1, [charge(50)])) n += 1
  journal.settle(1, 1, [charge(30)])
  t.notOk(journal.flush() && journal.reserve(n + 1, [charge(1)]), 'it is full')
  rmSync(filling)
  t.ok(journal.flush())
  t.same(read(), [charge(30 + 50 * (n - 1))], 'each record is whole')
})
