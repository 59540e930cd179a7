// A bucket in shared memory: two views of one cell are one bucket.
import { test } from 'tap'
import { AtomicBucket } from '../../../src/limit/local/atomic-bucket.js'

const MINUTE_NS = 60_000_000_000n

test('two views of one cell share what is left, other cells are untouched', (t) => {
  const cells = new BigInt64Array(new SharedArrayBuffer(24))
  const [here, there] = [new AtomicBucket(60, cells, 1), new AtomicBucket(60, cells, 1)]
  t.ok(here.take(40, MINUTE_NS))
  t.notOk(there.take(21, MINUTE_NS))
  t.ok(there.take(20, MINUTE_NS))
  t.same(here.state(MINUTE_NS), { limit: 60, remaining: 0, resetMs: 60_000 })
  t.equal(there.retryAfterMs(1, MINUTE_NS), 1000)
  here.giveBack(10)
  t.equal(there.state(MINUTE_NS).remaining, 10)
  there.charge(30, MINUTE_NS)
  t.same(here.state(MINUTE_NS), { limit: 60, remaining: 0, resetMs: 80_000 })
  t.same([cells[0], cells[2]], [0n, 0n])
  t.end()
})

test('a moment that only a clock set back can explain becomes an empty bucket', (t) => {
  const cells = new BigInt64Array(new SharedArrayBuffer(8))
  const bucket = new AtomicBucket(60, cells, 0)
  bucket.take(60, 100n * MINUTE_NS)
  t.notOk(bucket.take(1, MINUTE_NS))
  t.equal(bucket.state(MINUTE_NS).resetMs, 60_000)
  t.equal(bucket.state(2n * MINUTE_NS).remaining, 60)
  t.end()
})
