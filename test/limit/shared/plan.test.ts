// What of the limits in Redis applies to whom.
import { test } from 'tap'
import { gatewayPlan, keyPlan } from '../../../src/limit/shared/plan.js'

const NONE = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }

test('a key has its own limits first, then those of the gateway', (t) => {
  const gateway = gatewayPlan({ requestsPerMinute: 10, tokensPerMinute: 1000, concurrency: 4 })
  const limits = { requestsPerMinute: 5, requestWindowSeconds: 90, tokensPerMinute: 500, concurrency: 2 }
  const plan = keyPlan({ name: 'team-a', limits }, gateway)
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
  const gateway = gatewayPlan(NONE)
  t.match(gateway, { name: 'keyless', keyCap: null, requests: [], tokens: [], slots: [] })
  const plan = keyPlan({ name: 'team-a', limits: { ...NONE, concurrency: 1 } }, gateway)
  t.same(plan.slots, [{ owner: 'key:team-a', cap: 1 }])
  t.end()
})
