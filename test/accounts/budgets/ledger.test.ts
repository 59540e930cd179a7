// The way of reservations and settlements to the database: written down first, stored once, and kept until that is known.
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { readJournal } from '../../../src/accounts/budgets/journal/records.js'
import { JournalSpace } from '../../../src/accounts/budgets/journal/space.js'
import { type Entry, Ledger, type LedgerOptions } from '../../../src/accounts/budgets/ledger.js'
import { createBudgetMemory } from '../../../src/accounts/budgets/memory.js'
import { type Charge, type SpendBatch } from '../../../src/accounts/types.js'
import { mountSmallDisk, NO_SMALL_DISK } from '../../helpers/small-disk.js'

function charge(nano: number): Charge {
  return { budgetId: 'budget_a', windowStartMs: 0, nano, tokens: 0 }
}

type SetUp = Pick<LedgerOptions, 'maxJournalBytes' | 'space' | 'onState' | 'isUnknown'> & { readonly base?: string }

/** A ledger over a database that keeps a sum, and fails when it is told to. */
function setUp(t: Test, { maxJournalBytes = 1_000_000, base = tmpdir(), ...more }: SetUp = {}) {
  const root = mkdtempSync(join(base, 'sluice-ledger-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const folder = join(root, 'journal')
  const database = { sum: 0, sequences: new Map<string, number>(), fails: false, calls: [] as SpendBatch[][] }
  let count = 0
  const ledger = new Ledger({
    ...{ folder, maxJournalBytes, ...more },
    createId: () => {
      count += 1
      return `j${count}`
    },
    async store(batches, gone) {
      database.calls.push([...batches])
      if (database.fails) throw new Error('away')
      for (const { journal, sequence, charges } of batches) {
        if ((database.sequences.get(journal) ?? 0) >= sequence) continue
        database.sequences.set(journal, sequence)
        for (const { nano } of charges) database.sum += nano
      }
      for (const id of gone) database.sequences.delete(id)
    },
  })
  const open = (nano: number): Entry => ledger.open([charge(nano)])
  const files = (): string[] => readdirSync(folder).sort()
  /** What a start would add to the sum. */
  const replayed = (): number => {
    let sum = 0
    for (const file of files()) {
      const bytes = readFileSync(join(folder, file))
      const { charges } = readJournal(bytes, database.sequences.get(file.replace('.journal', '')) ?? 0)
      for (const { nano } of charges) sum += nano
    }
    return sum
  }
  return { root, folder, ledger, database, open, files, replayed }
}

test('settlements are stored in batches, each once, and whatever is not stored is in the journal', async (t) => {
  const { ledger, database, open, replayed } = setUp(t)
  const [first, second, third] = [open(10), open(20), open(30)]
  ledger.settle(first, [charge(8)])
  ledger.settle(second, [charge(15)])
  t.ok(await ledger.store())
  t.equal(database.sum, 23)
  t.equal(replayed(), 30, 'the third, as it was held')
  ledger.settle(third, [charge(29)])
  t.ok(await ledger.store())
  t.equal(database.sum, 52)
  t.equal(replayed(), 0)
  t.ok(await ledger.store())
  t.equal(database.calls.length, 2, 'nothing to store is no call')
})

test('what is reserved in one turn is in the journal before anybody is told so', async (t) => {
  const { open, replayed, folder } = setUp(t)
  const entries = [open(10), open(20)]
  t.notOk(existsSync(folder), 'it waits')
  const [first] = await Promise.all(entries.map(async ({ written }) => ((await written) ? replayed() : -1)))
  t.equal(first, 30)
  t.ok(await open(1).written)
  t.equal(replayed(), 31)
})

test('who cannot be written down is told so, and nothing more is written of it', async (t) => {
  const { root, ledger, open, replayed, database } = setUp(t)
  writeFileSync(join(root, 'journal'), 'a file in place of the folder')
  const [left, settled] = [open(10), open(20)]
  ledger.settle(settled, [charge(5)])
  t.same([await left.written, await settled.written], [false, false])
  ledger.extend(left, [charge(3)])
  ledger.settle(left, [charge(9)])
  rmSync(join(root, 'journal'))
  t.ok(await open(1).written)
  t.equal(replayed(), 6, 'what was settled, and what is held')
  t.ok(await ledger.store())
  t.equal(database.sum, 5)
})

test('a batch whose answer is missing is sent again as it was, before anything later', async (t) => {
  const { ledger, database, open } = setUp(t)
  ledger.settle(open(10), [charge(10)])
  database.fails = true
  t.notOk(await ledger.store())
  ledger.settle(open(5), [charge(5)])
  t.notOk(await ledger.store())
  database.fails = false
  t.ok(await ledger.store())
  t.ok(await ledger.store())
  t.equal(database.sum, 15)
  t.same(
    database.calls.map((batches) => batches.map(({ sequence, charges }) => [sequence, charges[0]?.nano])),
    [[[1, 10]], [[1, 10]], [[1, 10]], [[2, 5]]],
  )
})

test('nothing is stored whose records cannot be written: a crash would count it twice', async (t) => {
  const disk = mountSmallDisk(1)
  if (disk === null) return void t.comment(NO_SMALL_DISK)
  const { ledger, database, open, replayed } = setUp(t, { base: disk })
  const entries = Array.from({ length: 200 }, () => open(10))
  t.ok((await Promise.all(entries.map(({ written }) => written))).every(Boolean))
  const filling = join(disk, 'filling')
  writeFileSync(filling, '')
  try {
    for (;;) appendFileSync(filling, Buffer.alloc(4096))
  } catch {
    // Full.
  }
  for (const entry of entries) ledger.settle(entry, [charge(9)])
  t.notOk(await ledger.store())
  t.same(database.calls, [])
  t.equal(replayed(), 2000, 'a crash now counts them once, as they were held')
  rmSync(filling)
  t.ok(await ledger.store())
  t.equal(database.sum, 1800)
  t.equal(replayed(), 0)
})

test('a journal that has grown is followed by another, and deleted when all of it is stored', async (t) => {
  const { ledger, open, files, replayed, database } = setUp(t, { maxJournalBytes: 100 })
  const long = open(10)
  for (let i = 0; i < 3; i++) ledger.settle(open(1), [charge(1)])
  t.ok(await ledger.store())
  for (let i = 0; i < 3; i++) ledger.settle(open(1), [charge(1)])
  t.ok(await ledger.store())
  t.ok(files().includes('j1.journal'), 'one of its reservations is open')
  t.ok(files().length < 4, 'those in between are gone')
  ledger.settle(long, [charge(10)])
  t.ok(await ledger.store())
  t.notOk(files().includes('j1.journal'))
  t.equal(replayed(), 0)
  t.equal(database.sum, 16)
  await ledger.close()
  t.same(files(), [])
  t.same([...database.sequences], [], 'the database forgets them as well')
})

test('while the database is away journals are full in the end; when it is back they are stored, and reservations go on', async (t) => {
  const states: string[] = []
  const space = new JournalSpace(createBudgetMemory(1), 400_000)
  const { ledger, database, files, replayed } = setUp(t, { space, onState: (state) => void states.push(state) })
  database.fails = true
  let spent = 0
  for (let isFull = false; !isFull; ) {
    const entries = Array.from({ length: 100 }, () => ledger.open([charge(1)]))
    for (const entry of entries) {
      if (await entry.written) {
        ledger.settle(entry, [charge(1)])
        spent += 1
      } else isFull = true
    }
  }
  t.ok(spent > 1000)
  await ledger.store()
  t.ok(space.bytes < 500_000, `${space.bytes}`)
  t.equal(replayed(), spent, 'nothing that was settled is lost')
  for (let i = 0; i < 3; i++) t.equal(await ledger.open([charge(1)]).written, false)
  t.same(states, ['full'])
  database.fails = false
  while (!(await ledger.open([charge(1)]).written)) await new Promise((resolve) => setTimeout(resolve, 20))
  t.equal(database.sum, spent)
  t.same(states, ['full', 'ok'])
  t.same(files().length, 1, 'the full one is gone')
})

test('what cannot be written is told once, and again when it can', async (t) => {
  const states: string[] = []
  const { folder, ledger } = setUp(t, { onState: (state) => void states.push(state) })
  writeFileSync(folder, 'no folder')
  for (let i = 0; i < 3; i++) t.equal(await ledger.open([charge(1)]).written, false)
  t.same(states, ['unwritable'])
  rmSync(folder)
  t.equal(await ledger.open([charge(1)]).written, true)
  t.same(states, ['unwritable', 'ok'])
})

test('nothing is reserved while it is not known what is spent, and nothing of that is ever written', async (t) => {
  let isUnknown = true
  const { folder, ledger } = setUp(t, { isUnknown: () => isUnknown })
  const entry = ledger.open([charge(1)])
  t.equal(await entry.written, false)
  ledger.extend(entry, [charge(1)])
  ledger.settle(entry, [charge(1)])
  await ledger.store()
  t.notOk(existsSync(folder))
  isUnknown = false
  t.equal(await ledger.open([charge(1)]).written, true)
})

test('calls that overlap are made one after the other', async (t) => {
  const { ledger, database, open, replayed } = setUp(t)
  const calls: Promise<boolean>[] = []
  for (let i = 0; i < 5; i++) {
    ledger.settle(open(1), [charge(1)])
    calls.push(ledger.store())
  }
  t.same(await Promise.all(calls), [true, true, true, true, true])
  t.equal(database.sum, 5)
  t.equal(replayed(), 0)
})

test('closing deletes a journal of which everything was stored before', async (t) => {
  const { ledger, database, open, files } = setUp(t)
  ledger.settle(open(10), [charge(7)])
  await ledger.store()
  t.equal(files().length, 1)
  await ledger.close()
  t.same(files(), [])
  t.same([...database.sequences], [])
})

test('closing stores everything; what it cannot store stays in the journal', async (t) => {
  const { ledger, open, replayed, database } = setUp(t)
  ledger.settle(open(10), [charge(4)])
  const running = open(7)
  database.fails = true
  await ledger.close()
  t.equal(replayed(), 11)
  ledger.extend(running, [charge(1)])
})
