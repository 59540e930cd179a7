// Which gateways share their budgets, and what they say of it.
import { test } from 'tap'
import { type ClaimsNews } from '../../../src/accounts/budgets/shared/node-claims.js'
import { type Config } from '../../../src/config/types.js'
import { noteClaims, sharesBudgets } from '../../../src/gateway/accounts/shared-claims.js'

const URL = 'redis://127.0.0.1:6379'

test('budgets are shared where others may use the database and there is a Redis', (t) => {
  const shares = (store: string, singleNode: boolean, url: string | null) =>
    sharesBudgets({ accounts: { store, singleNode }, redis: { url } } as Config)
  t.equal(shares('postgres', false, URL), true)
  t.equal(shares('postgres', true, URL), false)
  t.equal(shares('postgres', false, null), false)
  t.equal(shares('sqlite', false, URL), false)
  t.equal(shares('off', false, URL), false)
  t.end()
})

test('calls, debts and changes of the connection are in metrics and log', (t) => {
  const said: unknown[] = []
  const note =
    (what: string) =>
    (...rest: unknown[]) =>
      void said.push([what, ...rest])
  const metrics = { redisCall: note('call'), redisState: note('state'), budgetDebt: note('debt') }
  const log = { info: note('info'), warn: note('warn') }
  const current = { log, config: { budgets: { onRedisDown: 'closed' } } }
  let tell: (news: ClaimsNews) => void = () => undefined
  noteClaims({ ground: { metrics }, current } as unknown as Parameters<typeof noteClaims>[0], {
    onClaims(listener) {
      tell = listener
    },
  })
  tell({ state: null, calls: [{ seconds: 0.1, isOk: false }], debtNano: 5 })
  tell({ state: { isUp: false, reason: 'gone' }, calls: [], debtNano: 0 })
  tell({ state: { isUp: true, reason: null }, calls: [], debtNano: 0 })
  t.same(said, [
    ['call', 'budgets', 0.1, false],
    ['debt', 5],
    ['state', 'budgets', false],
    ['warn', { onRedisDown: 'closed', reason: 'gone' }, 'redis unavailable (budgets)'],
    ['state', 'budgets', true],
    ['info', {}, 'redis available (budgets)'],
  ])
  t.end()
})
