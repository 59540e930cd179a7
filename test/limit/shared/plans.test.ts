// What of the limits in Redis applies to whom.
import { test } from 'tap'
import { Plans } from '../../../src/limit/shared/plans.js'

const NONE = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }

test('a key has its own limits first, then those of the gateway', (t) => {
  const limits = { requestsPerMinute: 5, requestWindowSeconds: 90, tokensPerMinute: 500, concurrency: 2 }
  const plan = new Plans({
    limits: { requestsPerMinute: 10, tokensPerMinute: 1000, concurrency: 4 },
    keys: [{ name: 'team-a', limits }],
  }).of(0)
  t.match(plan, { name: 'key:team-a', keyCap: 2 })
  t.same(plan.slots, [
    { owner: 'key:team-a', cap: 2 },
    { owner: 'gateway', cap: 4 },
  ])
  t.same(
    plan.requests.map(({ scope, key, bucket }) => [scope, key, bucket.limit, bucket.windowSec]),
    [
      ['key', '{sluice}:bucket:key:team-a:requests', 5, 90],
      ['gateway', '{sluice}:bucket:gateway:requests', 10, 60],
    ],
  )
  t.same(
    plan.tokens.map(({ scope, bucket }) => [scope, bucket.limit]),
    [
      ['key', 500],
      ['gateway', 1000],
    ],
  )
  t.end()
})

test('limits that are not set are not asked for, and callers without a key take turns as one', (t) => {
  const plans = new Plans({ limits: NONE, keys: [{ name: 'team-a', limits: { ...NONE, concurrency: 1 } }] })
  t.match(plans.of(-1), { name: 'keyless', keyCap: null, requests: [], tokens: [], slots: [] })
  t.same(plans.of(0).slots, [{ owner: 'key:team-a', cap: 1 }])
  t.end()
})
