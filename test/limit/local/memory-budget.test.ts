// The budget of arriving requests: exact over threads, both caps, and each reservation given back once.
import { Worker } from 'node:worker_threads'
import { test } from 'tap'
import { createMemoryCells, MemoryBudget, type MemoryOptions } from '../../../src/limit/local/memory-budget.js'
import { type MemoryJob } from '../../helpers/memory-thread.js'

const KIB = 1024

function setUp(options: Partial<MemoryOptions> = {}, cells = createMemoryCells(3)) {
  const changes: number[] = []
  const rejected: string[] = []
  const budget = new MemoryBudget(cells, {
    use: 'receiving',
    caps: { maxBytes: 10 * KIB, maxBytesPerKey: 4 * KIB, requestBytes: 3 * KIB },
    keyPlaces: [0, 1],
    onChange: (bytes) => changes.push(bytes),
    onRejected: (scope) => rejected.push(scope),
    ...options,
  })
  return { budget, changes, rejected, cells }
}

test('a key takes no more than its cap, and all together no more than theirs', (t) => {
  const { budget, rejected } = setUp()
  const ofKey = (index: number) => budget.open(index)
  t.equal(ofKey(0).grow(4 * KIB), null)
  t.match(ofKey(0).grow(1), {
    data: {
      code: 'rate_limited',
      status: 429,
      retryAfterMs: 1000,
      message: /4096 bytes of server\.maxReceivingBytesPerKey/,
    },
  })
  t.equal(ofKey(1).grow(4 * KIB), null)
  t.equal(ofKey(-1).grow(2 * KIB), null, 'a caller without a key counts in all alone')
  t.match(ofKey(-1).grow(1), {
    data: { code: 'overloaded', status: 503, retryAfterMs: 1000, message: /10240 bytes of server\.maxReceivingBytes/ },
  })
  t.same(rejected, ['key', 'gateway'])
  t.equal(budget.heldBytes(), 10 * KIB)
  t.end()
})

test('what is refused for want of room in all leaves the key with what it had', (t) => {
  const { budget } = setUp()
  const others = budget.open(-1)
  others.grow(9 * KIB)
  const own = budget.open(0)
  t.equal(own.grow(KIB), null)
  t.equal(own.grow(2 * KIB)?.data.code, 'overloaded')
  others.release()
  t.equal(own.grow(4 * KIB), null, 'the key has not lost what it was refused')
  t.equal(budget.heldBytes(), 4 * KIB)
  t.end()
})

test('however many keys take what they can, there is room for one more', (t) => {
  const caps = { maxBytes: 4096 * KIB, maxBytesPerKey: 1024 * KIB, requestBytes: KIB }
  const keys = 20
  const keyPlaces = Array.from({ length: keys }, (_, place) => place)
  const { budget, rejected } = setUp({ caps, keyPlaces }, createMemoryCells(keys))
  const taken = keyPlaces.map((key) => {
    let units = 0
    while (budget.open(key).grow(KIB) === null) units += 1
    return units
  })
  t.same(taken.slice(0, 6), [1024, 1024, 1024, 512, 256, 128])
  t.same(rejected.slice(0, 5), ['key', 'key', 'key', 'key', 'key'])
  const { data } = budget.open(3).grow(KIB) ?? {}
  t.match(data, { code: 'rate_limited', status: 429, retryAfterMs: 1000 })
  t.match(
    data?.message,
    /of this key .* use as much of the 4194304 bytes of server\.maxReceivingBytes as is left for all/,
  )
  // Each in turn, as long as one of them gets any: what they end up with is even.
  const even = setUp({ caps, keyPlaces }, createMemoryCells(keys)).budget
  const shares = keyPlaces.map(() => 0)
  for (let got = true; got; ) {
    got = false
    for (const key of keyPlaces) {
      if (even.open(key).grow(KIB) !== null) continue
      shares[key] = (shares[key] ?? 0) + 1
      got = true
    }
  }
  t.ok(
    shares.every((units) => units === 195 || units === 196),
    shares.join(),
  )
  t.ok(even.heldBytes() <= 4096 * KIB - 195 * KIB)
  t.end()
})

test('a key alone, callers without keys, and a budget of few requests are not shared', (t) => {
  const caps = { maxBytes: 8 * KIB, maxBytesPerKey: 8 * KIB, requestBytes: 2 * KIB }
  const one = setUp({ caps, keyPlaces: [0] }).budget
  t.equal(one.open(0).grow(8 * KIB), null)
  t.equal(
    setUp({ caps })
      .budget.open(-1)
      .grow(8 * KIB),
    null,
  )
  t.equal(
    setUp({ caps })
      .budget.open(0)
      .grow(5 * KIB)?.data.code,
    'rate_limited',
  )
  t.equal(
    setUp({ caps: { ...caps, requestBytes: 2 * KIB + 1 } })
      .budget.open(0)
      .grow(8 * KIB),
    null,
  )
  t.end()
})

test('a reservation grows to a size and is released once', (t) => {
  const { budget, changes } = setUp()
  const one = budget.open(0)
  for (const bytes of [1, 1000, 1025, 3000, 2000]) t.equal(one.grow(bytes), null)
  t.equal(budget.heldBytes(), 3 * KIB)
  one.release()
  one.release()
  t.equal(budget.heldBytes(), 0)
  t.same(changes, [KIB, KIB, KIB, -3 * KIB])
  t.equal(budget.open(0).grow(4 * KIB), null)
  t.end()
})

test('a claim says whose limit forbids it, changes nothing then, and counts as no rejection', (t) => {
  const { budget, rejected } = setUp()
  const one = budget.open(0)
  t.equal(one.claim(3 * KIB), null)
  t.equal(one.claim(1), null, 'it has as much')
  t.equal(one.claim(4 * KIB + 1), 'key')
  const others = budget.open(-1)
  others.claim(7 * KIB)
  t.equal(one.claim(4 * KIB), 'gateway')
  t.equal(others.claim(8 * KIB), 'gateway')
  t.equal(budget.heldBytes(), 10 * KIB)
  t.same(rejected, [])
  one.release()
  t.equal(budget.heldBytes(), 7 * KIB)
  t.end()
})

test('a key that would leave too little for others is at its own limit', (t) => {
  const { budget } = setUp({ caps: { maxBytes: 16 * KIB, maxBytesPerKey: 16 * KIB, requestBytes: KIB } })
  t.equal(budget.open(0).claim(9 * KIB), 'key')
  t.equal(budget.open(0).claim(8 * KIB), null)
  t.end()
})

test('a reservation shrinks to a size, and grows again', (t) => {
  const { budget, changes } = setUp()
  const one = budget.open(0)
  one.claim(4 * KIB)
  one.shrink(5 * KIB)
  one.shrink(4 * KIB)
  t.equal(budget.heldBytes(), 4 * KIB)
  one.shrink(KIB + 1)
  t.equal(budget.heldBytes(), 2 * KIB)
  t.equal(one.claim(4 * KIB), null)
  one.release()
  one.shrink(0)
  t.equal(budget.heldBytes(), 0)
  t.same(changes, [4 * KIB, -2 * KIB, 2 * KIB, -4 * KIB])
  t.end()
})

test('a key with another index after a reload releases in the place it reserved from', (t) => {
  const before = setUp()
  const held = before.budget.open(0)
  held.grow(4 * KIB)
  const after = setUp({ keyPlaces: [2, 0] }, before.cells)
  t.equal(after.budget.open(1).grow(1)?.data.code, 'rate_limited', 'the same key')
  held.release()
  t.equal(after.budget.open(1).grow(4 * KIB), null)
  t.end()
})

test('threads that reserve and release concurrently never exceed the cap and leave nothing behind', async (t) => {
  const cells = createMemoryCells(1)
  const job: MemoryJob = { cells, capBytes: 8 * KIB, bytes: 3 * KIB, rounds: 20_000 }
  const reports = await Promise.all(
    Array.from({ length: 4 }, () => {
      const worker = new Worker(new URL('../../helpers/memory-thread.js', import.meta.url), { workerData: job })
      return new Promise<{ most: number }>((resolve, reject) => {
        worker.once('message', resolve)
        worker.once('error', reject)
      })
    }),
  )
  t.equal(reports.length, 4)
  t.ok(Math.max(...reports.map(({ most }) => most)) <= 8 * KIB)
  t.same(new Int32Array(cells), new Int32Array([0, 0]))
})
