// What somebody who has just been woken is told.
import { test } from 'tap'
import { type ProviderRecord } from '../../../src/console/gateway/provider-record.js'
import { troubleOf } from '../../../src/console/live/trouble.js'

const WELL: ProviderRecord = {
  ...{ name: 'north', protocol: 'p', breaker: 'closed', paused: false, windowMs: 300_000, attempts: 10, failed: 0 },
  ...{ errorShare: 0, rateLimited: 0, firstTokenMs: { p50: 1, p95: 2 } },
}
const NOW_MS = Date.parse('2026-11-30T03:00:00Z')
const SINCE = { sinceMs: NOW_MS - 300_000, limit: 200 }
const NONE = { failed: [], refused: [] }
const failed = (code: string | null, key: string | null, model = 'fast', agoMs = 1000) => ({
  ...{ endedAt: new Date(NOW_MS - agoMs).toISOString(), outcome: 'failed', key, model },
  ...(code === null ? {} : { error: { code, message: 'no' } }),
})

test('nothing is said where nothing is wrong', async (t) => {
  t.same(troubleOf([WELL], NONE, SINCE), { providers: [], failures: null, refusals: null })
  t.equal(
    troubleOf([WELL], { ...NONE, failed: [failed('upstream_cut', 'app', 'fast', 300_001)] }, SINCE).failures,
    null,
    'it is over',
  )
})

test('a provider that is not well is named with what it comes to', async (t) => {
  const sick = { ...WELL, name: 'south', breaker: 'open', failed: 8, rateLimited: 3, errorShare: 0.8 } as const
  const paused = { ...WELL, name: 'west', paused: true, attempts: 0, errorShare: null }
  t.same(troubleOf([WELL, sick, paused], NONE, SINCE).providers, [
    { name: 'south', state: 'open', text: 'breaker open, 8 of 10 attempts failed (80.0 %), 3 of them with 429' },
    { name: 'west', state: 'paused', text: 'paused (healthy)' },
  ])
})

test('requests that failed are counted by error, key and model, the most frequent first', async (t) => {
  const requests = [
    ...[failed('upstream_cut', 'batch'), failed('upstream_timeout', 'app'), failed('upstream_timeout', null)],
    ...[failed(null, 'app', 'smart'), failed('upstream_timeout', 'app')],
  ]
  t.same(troubleOf([], { ...NONE, failed: requests }, SINCE).failures, {
    ...{ count: 5, isAll: true },
    codes: [
      { name: 'upstream_timeout', count: 3 },
      { name: 'upstream_cut', count: 1 },
      { name: 'failed', count: 1 },
    ],
    keys: [
      { name: 'app', count: 3 },
      { name: 'batch', count: 1 },
      { name: '(no key)', count: 1 },
    ],
    models: [
      { name: 'fast', count: 4 },
      { name: 'smart', count: 1 },
    ],
  })
  t.equal(
    troubleOf([], { ...NONE, failed: requests }, { ...SINCE, limit: 5 }).failures?.isAll,
    false,
    'there may have been more',
  )
  const many = Array.from({ length: 9 }, (_, index) => failed('x', `key-${index}`))
  t.equal(troubleOf([], { ...NONE, failed: many }, SINCE).failures?.keys.length, 5)
})

test('what a limit refused is counted apart: it may be as it should', async (t) => {
  const refused = [failed('budget_exceeded', 'app'), failed('rate_limited', 'batch', 'fast', 300_001)]
  t.match(troubleOf([WELL], { ...NONE, refused }, SINCE), {
    failures: null,
    refusals: { count: 1, codes: [{ name: 'budget_exceeded' }], keys: [{ name: 'app' }] },
  })
})
