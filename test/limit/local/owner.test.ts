import { test } from 'tap'
import { createBuckets, ownerOf, UNLIMITED } from '../../../src/limit/local/owner.js'

test('a request takes from the sets in their order, and the first is shown', (t) => {
  const cells = new BigInt64Array(6)
  const some = { requestsPerMinute: 10, tokensPerMinute: null, concurrency: null }
  const all = { requestsPerMinute: 20, tokensPerMinute: 100, concurrency: null, requestWindowSeconds: 10 }
  const key = createBuckets('key', some, { cells, owner: 1 })
  const gateway = createBuckets('gateway', all, { cells, owner: 0 })
  const owner = ownerOf([key, gateway])
  t.same(
    owner.requests.map(({ scope, bucket }) => [scope, bucket.limit, bucket.windowSec]),
    [
      ['key', 10, 60],
      ['gateway', 20, 10],
    ],
  )
  t.same(
    owner.tokens.map(({ scope }) => scope),
    ['gateway'],
  )
  t.equal(owner.own, key)
  owner.requests[0]?.bucket.take(1, 1n)
  t.ok(cells[2] !== 0n && cells[0] === 0n, 'each has its own cells')
  t.same([UNLIMITED.requests, UNLIMITED.tokens, UNLIMITED.own.requests], [[], [], null])
  t.end()
})
