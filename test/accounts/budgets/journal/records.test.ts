// The records of a journal: what a start reads of them after a crash, whatever has become of the file.
import { test } from 'tap'
import { JournalRecords, MAGIC, readJournal } from '../../../../src/accounts/budgets/journal/records.js'
import { type Charge } from '../../../../src/accounts/types.js'

const START_MS = 1_764_547_200_000

function charge(nano: number, budgetId = 'budget_a', windowStartMs = START_MS): Charge {
  return { budgetId, windowStartMs, nano, tokens: 0 }
}

/** The bytes of a file with these records. */
function file(write: (records: JournalRecords) => void): Buffer {
  const records = new JournalRecords()
  write(records)
  return Buffer.concat([MAGIC, records.bytes])
}

test('a start adds settlements that are not stored, and what is still held', async (t) => {
  const bytes = file((records) => {
    records.reserve(1, [charge(50), charge(50, 'budget_b')])
    records.reserve(2, [charge(10)])
    records.reserve(3, [charge(7)])
    records.settle(1, 1, [charge(30), charge(30, 'budget_b')])
    records.extend(3, [charge(3, 'budget_a', START_MS + 1)])
    records.settle(2, 2, [charge(4)])
  })
  t.same(readJournal(bytes, 0), {
    sequence: 2,
    charges: [charge(41), charge(3, 'budget_a', START_MS + 1), charge(30, 'budget_b')],
  })
  t.same(readJournal(bytes, 1), { sequence: 2, charges: [charge(11), charge(3, 'budget_a', START_MS + 1)] })
  t.same(readJournal(bytes, 2).charges, [charge(7), charge(3, 'budget_a', START_MS + 1)])
})

test('amounts, tokens, windows and names of every length are read as they were written', async (t) => {
  const names = ['', 'a', 'budget_12345', 'budget_ä_日本', 'x'.repeat(128)]
  const most = Number.MAX_SAFE_INTEGER
  const charges = names.map((budgetId, i) => ({ budgetId, windowStartMs: i * 3_600_000, nano: most - i, tokens: i }))
  const bytes = file((records) => {
    for (const [i, each] of charges.entries()) records.settle(i + 1, i + 1, [each])
  })
  t.same(readJournal(bytes, 0), { sequence: names.length, charges })
})

test('a settlement of a window that is over is not added to the present one', async (t) => {
  const bytes = file((records) => {
    for (const n of [1, 2, 3]) records.reserve(n, [charge(50, 'budget_a', START_MS + (n % 2))])
    for (const n of [1, 2, 3]) records.settle(n, n, [charge(10 ** n, 'budget_a', START_MS + (n % 2))])
  })
  t.same(readJournal(bytes, 0).charges, [charge(1010, 'budget_a', START_MS + 1), charge(100)])
})

test('more records than there is memory for at first', async (t) => {
  const bytes = file((records) => {
    for (let n = 1; n <= 1000; n++) records.reserve(n, [charge(n), charge(1, `budget_${n}`)])
  })
  const { charges } = readJournal(bytes, 0)
  t.equal(charges.length, 1001)
  t.same(charges[0], charge(500_500))
})

test('reservations can be taken away; what else waits stays, and their places are known to the next one', async (t) => {
  const records = new JournalRecords()
  records.reserve(1, [charge(1)])
  records.settle(7, 1, [charge(40)])
  records.reserve(2, [charge(20, 'budget_b')])
  records.settle(8, 2, [charge(5), charge(6, 'budget_c')])
  records.dropReservations()
  records.reserve(3, [charge(300, 'budget_b')])
  const { charges, sequence } = readJournal(Buffer.concat([MAGIC, records.bytes]), 0)
  t.same(charges, [charge(45), charge(6, 'budget_c'), charge(300, 'budget_b')])
  t.equal(sequence, 2)
})

test('of a file that ends anywhere, all records that are whole are read', async (t) => {
  const records = new JournalRecords()
  const ends = [MAGIC.length]
  for (let n = 1; n <= 3; n++) {
    records.reserve(n, [charge(10 ** n)])
    ends.push(MAGIC.length + records.bytes.length)
  }
  const bytes = Buffer.concat([MAGIC, records.bytes])
  for (let end = 0; end <= bytes.length; end++) {
    const whole = ends.filter((each) => each <= end).length - 1
    const sum = [0, 10, 110, 1110][Math.max(0, whole)]
    t.equal(readJournal(bytes.subarray(0, end), 0).charges[0]?.nano ?? 0, sum, `${end} bytes`)
  }
})

test('what a power cut has left of records is passed over, whatever its length', async (t) => {
  const records = new JournalRecords()
  records.reserve(1, [charge(50)])
  const before = Buffer.from(records.bytes)
  records.clear()
  records.settle(1, 1, [charge(30)])
  const after = Buffer.from(records.bytes)
  for (let length = 0; length <= 2 * after.length; length++) {
    const lost = length < after.length ? after.subarray(0, length) : Buffer.alloc(length - after.length)
    const bytes = Buffer.concat([MAGIC, before, lost, after])
    t.same(readJournal(bytes, 0), { sequence: 1, charges: [charge(30)] }, `${length} bytes between`)
  }
})

test('a record of which any byte is another one is none', async (t) => {
  const bytes = file((records) => records.reserve(1, [charge(50)]))
  for (let at = MAGIC.length; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at] = (damaged[at] ?? 0) ^ 0x10
    t.same(readJournal(damaged, 0).charges, [], `byte ${at}`)
  }
})

test('a file that another version has written is refused; one that was lost has nothing', async (t) => {
  t.throws(() => readJournal(Buffer.from('["r",1,[["budget_a",0,50,0]]]\n'), 0), /no journal of this version/)
  t.throws(() => readJournal(Buffer.from('SLUICEJ\x02'), 0), /no journal of this version/)
  t.same(readJournal(Buffer.alloc(0), 5), { sequence: 5, charges: [] })
  t.same(readJournal(Buffer.alloc(100), 5), { sequence: 5, charges: [] })
})
