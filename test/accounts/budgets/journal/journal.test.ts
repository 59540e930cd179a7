// The journal of an event loop: what is in its file before a request is sent, and what becomes of it on a disk that takes nothing.
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { Journal } from '../../../../src/accounts/budgets/journal/journal.js'
import { readJournal } from '../../../../src/accounts/budgets/journal/records.js'
import { type Charge } from '../../../../src/accounts/types.js'
import { mountSmallDisk, NO_SMALL_DISK } from '../../../helpers/small-disk.js'

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

test('what waits is written with the next flush, in its order', async (t) => {
  const { journal, path, read } = setUp(t)
  t.notOk(existsSync(path), 'no file without a reservation')
  t.ok(journal.flush())
  journal.reserve(1, [charge(50)])
  t.notOk(existsSync(path), 'it waits')
  t.ok(journal.flush())
  t.same(read(), [charge(50)])
  t.equal(statSync(path).mode & 0o777, 0o600)
  journal.extend(1, [charge(20)])
  journal.settle(1, 1, [charge(60)])
  journal.reserve(2, [charge(5)])
  t.same(read(), [charge(50)], 'they wait')
  t.ok(journal.flush())
  t.same(read(), [charge(65)])
  t.equal(journal.length, statSync(path).size)
  t.ok(await journal.sync())
  journal.remove()
  t.notOk(existsSync(path))
})

test('a folder that cannot be had refuses reservations, until it can', async (t) => {
  const { journal, root, read } = setUp(t)
  writeFileSync(join(root, 'deep'), 'a file in its place')
  journal.reserve(1, [charge(50)])
  t.notOk(journal.flush())
  t.ok(await journal.sync())
  journal.remove()
  rmSync(join(root, 'deep'))
  journal.reserve(2, [charge(5)])
  t.ok(journal.flush())
  t.same(read(), [charge(5)], 'the one that was refused is not there')
})

test('a full disk refuses reservations and loses no settlement', async (t) => {
  const disk = mountSmallDisk(1)
  if (disk === null) return void t.comment(NO_SMALL_DISK)
  const { journal, read } = setUp(t, disk)
  const reserve = (n: number, nano: number): boolean => {
    journal.reserve(n, [charge(nano)])
    return journal.flush()
  }
  t.ok(reserve(1, 50))
  const filling = join(disk, 'filling')
  writeFileSync(filling, '')
  try {
    for (;;) appendFileSync(filling, Buffer.alloc(4096))
  } catch {
    // Full.
  }
  let n = 1
  while (reserve(n + 1, 50)) n += 1
  journal.settle(1, 1, [charge(30)])
  t.notOk(reserve(n + 1, 1) || reserve(n + 2, 1), 'it is full')
  rmSync(filling)
  t.ok(journal.flush())
  t.same(read(), [charge(30 + 50 * (n - 1))], 'each record is whole')
})
