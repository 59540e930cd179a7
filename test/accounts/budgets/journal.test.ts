// The journal of an event loop: what is written before a request is sent, and what a start reads of it after a crash.
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { Journal, readJournal } from '../../../src/accounts/budgets/journal.js'
import { type Charge } from '../../../src/accounts/types.js'
import { mountSmallDisk, NO_SMALL_DISK } from '../../helpers/small-disk.js'

const START_MS = 1_764_547_200_000

function charge(nano: number, budgetId = 'budget_a', windowStartMs = START_MS): Charge {
  return { budgetId, windowStartMs, nano, tokens: 0 }
}

function setUp(t: Test, base = tmpdir()) {
  const root = mkdtempSync(join(base, 'sluice-journal-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const folder = join(root, 'deep', 'journal')
  const journal = new Journal(folder, 'one')
  const path = join(folder, 'one.journal')
  return { root, folder, path, journal, text: () => readFileSync(path, 'utf8') }
}

test('a reservation is in the file when it is made, and what waits before it as well', async (t) => {
  const { journal, path, text } = setUp(t)
  t.notOk(existsSync(path), 'no file without a reservation')
  t.ok(journal.flush())
  t.ok(journal.reserve(1, [charge(50)]))
  t.same(text(), `["r",1,[["budget_a",${START_MS},50,0]]]\n`)
  t.equal(statSync(path).mode & 0o777, 0o600)
  journal.extend(1, [charge(20)])
  journal.settle(1, 1, [charge(60)])
  t.equal(text().split('\n').length, 2, 'they wait')
  t.ok(journal.reserve(2, [charge(5)]))
  t.equal(text().split('\n').length, 5)
  t.equal(journal.length, text().length)
  t.ok(await journal.sync())
  journal.remove()
  t.notOk(existsSync(path))
})

test('a start adds settlements that are not stored, and what is still held', async (t) => {
  const { journal, text } = setUp(t)
  journal.reserve(1, [charge(50), charge(50, 'budget_b')])
  journal.reserve(2, [charge(10)])
  journal.reserve(3, [charge(7)])
  journal.settle(1, 1, [charge(30), charge(30, 'budget_b')])
  journal.extend(3, [charge(3, 'budget_a', START_MS + 1)])
  journal.settle(2, 2, [charge(4)])
  journal.flush()
  t.same(readJournal(text(), 0), {
    sequence: 2,
    charges: [charge(41), charge(30, 'budget_b'), charge(3, 'budget_a', START_MS + 1)],
  })
  t.same(readJournal(text(), 1), { sequence: 2, charges: [charge(11), charge(3, 'budget_a', START_MS + 1)] })
  t.same(readJournal(text(), 2).charges, [charge(7), charge(3, 'budget_a', START_MS + 1)])
})

test('what a power cut has left of a record is passed over', async (t) => {
  const { journal, path, text } = setUp(t)
  journal.reserve(1, [charge(50)])
  appendFileSync(path, `\0\0\0\0["r",9,[["budget_a"\n["s",1,[["budget_a",${START_MS},30,0]],1]\n["r",2,[["bud`)
  t.same(readJournal(text(), 0), { sequence: 1, charges: [charge(30)] })
  t.same(readJournal('', 5), { sequence: 5, charges: [] })
})

test('a folder that cannot be had refuses reservations, until it can', async (t) => {
  const { journal, root, text } = setUp(t)
  writeFileSync(join(root, 'deep'), 'a file in its place')
  t.notOk(journal.reserve(1, [charge(50)]))
  t.ok(await journal.sync())
  journal.remove()
  rmSync(join(root, 'deep'))
  t.ok(journal.reserve(2, [charge(5)]))
  t.same(text(), `["r",2,[["budget_a",${START_MS},5,0]]]\n`, 'the one that was refused is not there')
})

test('a full disk refuses reservations and loses no settlement', async (t) => {
  const disk = mountSmallDisk(1)
  if (disk === null) return void t.comment(NO_SMALL_DISK)
  const { journal, text } = setUp(t, disk)
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
  t.same(readJournal(text(), 0).charges, [charge(30 + 50 * (n - 1))], 'each record is whole')
})
