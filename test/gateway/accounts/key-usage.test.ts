// What the holder of a key learns of it, and how often the database is asked for that.
import { test } from 'tap'
import { type BudgetUsage } from '../../../src/accounts/budgets/types.js'
import { type KeyUsage } from '../../../src/accounts/rollups/reports.js'
import { noCounts } from '../../../src/accounts/rollups/types.js'
import { type Account } from '../../../src/accounts/types.js'
import { GatewayError } from '../../../src/errors.js'
import { KeyUsageReports } from '../../../src/gateway/accounts/key-usage.js'
import { rejectionOf } from '../../helpers/thrown.js'

const NO_LIMITS = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }
const FILE_KEY = { name: 'old', keySha256: 'f'.repeat(64), models: ['*'] }
const BUDGET: BudgetUsage = {
  ...{ name: 'key:app1:month', per: 'month', unit: 'usd', limit: 50_000_000_000, spent: 2_000_000_000 },
  ...{ reserved: 500_000_000, resetsAtMs: Date.parse('2026-12-01') },
}
const WORDS: BudgetUsage = {
  ...BUDGET,
  per: 'total',
  unit: 'tokens',
  limit: 10,
  spent: 12,
  reserved: 0,
  resetsAtMs: null,
}

function keyOf(name: string, over: Partial<Account> = {}) {
  const account: Account = {
    ...{ id: `key_${name}`, name, team: null, models: ['*'], limits: NO_LIMITS, tags: [], trustUser: false },
    ...{ disabled: false, expiresAtMs: null, ...over },
  }
  return { index: 0, name, owner: account.id, account }
}

function usd(dollars: number): KeyUsage {
  const sum = { ...noCounts(), requests: 1, costNano: dollars * 1_000_000_000 }
  return { today: sum, month: { ...sum, requests: 2 } }
}

type Pending = { readonly owner: string; answer(usage: KeyUsage): void; fail(): void }

function setUp({ hasStore = true } = {}) {
  const asked: Pending[] = []
  const clock = { nowMs: 0 }
  const store = {
    reportKeyUsage: (owner: string) =>
      new Promise<KeyUsage>((answer, reject) => {
        asked.push({ owner, answer, fail: () => reject(new GatewayError('overloaded')) })
      }),
  }
  const reports = new KeyUsageReports({
    store: () => (hasStore ? store : null),
    budgetsOf: async (keyId) => (keyId === 'key_app1' ? [BUDGET, WORDS] : []),
    fileKeys: () => [{ ...FILE_KEY, limits: { ...NO_LIMITS, requestsPerMinute: 5, requestWindowSeconds: 10 } }],
    nowMs: () => clock.nowMs,
  })
  return { reports, asked, clock }
}

test('a key of the database has its sums, limits and budgets', async (t) => {
  const { reports, asked } = setUp()
  const team = { id: 'team_1', name: 'search', models: ['*'], limits: NO_LIMITS }
  const shown = reports.of(keyOf('app1', { team, limits: { ...NO_LIMITS, concurrency: 3 } }))
  t.equal(asked[0]?.owner, 'key_app1')
  asked[0]?.answer(usd(2))
  const counts = { attempts: 0, errors: 0, inputTokens: 0, outputTokens: 0, cachedTokens: 0, usd: 2, unpriced: 0 }
  t.strictSame(await shown, {
    ...{ key: 'app1', team: 'search', today: { requests: 1, ...counts }, month: { requests: 2, ...counts } },
    limits: { requestsPerMinute: null, tokensPerMinute: null, concurrency: 3 },
    budgets: [
      {
        ...{ name: 'key:app1:month', per: 'month', timezone: 'UTC', usd: 50, spent: 2, reserved: 0.5, left: 47.5 },
        resetsAt: '2026-12-01T00:00:00.000Z',
      },
      {
        ...{ name: 'key:app1:month', per: 'total', timezone: 'UTC', tokens: 10, spent: 12, reserved: 0, left: 0 },
        resetsAt: null,
      },
    ],
  })
})

test('a key of the configuration file has sums and limits by its name and its hash', async (t) => {
  const { reports, asked } = setUp()
  const shown = reports.of({ index: 0, name: 'old', owner: FILE_KEY.keySha256 })
  t.equal(asked[0]?.owner, 'file:old')
  asked[0]?.answer(usd(1))
  t.match(await shown, {
    ...{ key: 'old', team: null, today: { usd: 1 }, budgets: [] },
    limits: { requestsPerMinute: 5, requestWindowSeconds: 10, tokensPerMinute: null, concurrency: null },
  })
  const removed = reports.of({ index: 0, name: 'old', owner: 'a'.repeat(64) })
  t.match(await removed, { limits: NO_LIMITS })
  t.match(await rejectionOf(reports.of({ index: -1, name: null, owner: null })), { code: 'not_found' })
})

test('a burst of a hundred asks the database once, and again after a second', async (t) => {
  const { reports, asked, clock } = setUp()
  const burst = Array.from({ length: 100 }, () => reports.of(keyOf('app1')))
  t.equal(asked.length, 1)
  asked[0]?.answer(usd(1))
  for (const each of await Promise.all(burst)) t.match(each, { today: { usd: 1 } })
  clock.nowMs = 999
  t.match(await reports.of(keyOf('app1')), { today: { usd: 1 } })
  t.equal(asked.length, 1)
  clock.nowMs = 1000
  const later = reports.of(keyOf('app1'))
  t.equal(asked.length, 2)
  asked[1]?.answer(usd(3))
  t.match(await later, { today: { usd: 3 } })
})

test('a few keys wait for the database; more are refused until one has its answer', async (t) => {
  const { reports, asked } = setUp()
  const waiting = ['a', 'b', 'c', 'd'].map((name) => reports.of(keyOf(name)))
  t.match(await rejectionOf(reports.of(keyOf('e'))), { code: 'overloaded', status: 503, retryAfterMs: 1000 })
  t.equal(asked.length, 4)
  const joined = reports.of(keyOf('a'))
  asked[0]?.answer(usd(7))
  t.match(await waiting[0], { key: 'a', today: { usd: 7 } })
  t.match(await joined, { key: 'a' }, 'who asks for one that is being read waits with it')
  const next = reports.of(keyOf('e'))
  t.equal(asked[4]?.owner, 'key_e')
  for (const each of asked.slice(1)) each.answer(usd(1))
  await Promise.all([...waiting, next])
})

test('a failure is answered to those that waited, and kept for no others', async (t) => {
  const { reports, asked } = setUp()
  const failing = [reports.of(keyOf('app1')), reports.of(keyOf('app1'))]
  asked[0]?.fail()
  for (const each of failing) t.match(await rejectionOf(each), { status: 503 })
  const again = reports.of(keyOf('app1'))
  asked[1]?.answer(usd(1))
  t.match(await again, { today: { usd: 1 } })
  t.match(await rejectionOf(setUp({ hasStore: false }).reports.of(keyOf('a'))), { status: 503 })
})
