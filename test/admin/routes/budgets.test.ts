// Budgets by the admin API, over the real listener and a real database: in dollars and tokens, with what is spent and left.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { BudgetIndex } from '../../../src/accounts/budgets/budget-index.js'
import { BudgetCells } from '../../../src/accounts/budgets/cells.js'
import { windowAt } from '../../../src/accounts/budgets/windows.js'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { openNode } from '../../helpers/accounts-rig.js'
import { adminContext, READ_KEY, startAdmin } from '../../helpers/admin.js'

async function setUp(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-admin-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const directory = createDirectoryMemory(10)
  const start = {
    database: { store: 'sqlite', path: join(folder, 'accounts.db') } as const,
    ...{ directory, fileKeys: [], clockOffset: null },
  }
  const node = await openNode(t, start)
  const { context, events } = adminContext([], { accounts: () => node.store })
  const index = new BudgetIndex(directory.budgets, () => false)
  return { ...(await startAdmin(t, context)), events, index, cells: new BudgetCells(directory.budgets) }
}

test('a budget is created once, shown with what is left, changed by its version, and deleted', async (t) => {
  const { ask, events, cells, index } = await setUp(t)
  const body = { name: 'all', scope: 'gateway', per: 'month', usd: 50.5 }
  const created = await ask('POST', '/budgets', { body })
  const now = new Date()
  t.match(created, {
    status: 201,
    json: { ...body, id: /^budget_/, timezone: 'UTC', spent: 0, reserved: 0, left: 50.5 },
  })
  t.equal(created.json.resetsAt, new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1)).toISOString())
  t.equal((await ask('POST', '/budgets', { body })).status, 200)
  t.equal((await ask('POST', '/budgets', { body: { ...body, usd: 51 } })).status, 409)
  const window = windowAt('month', Date.now())
  cells.take(0, window, 2_000_000_000)
  cells.take(0, window, 500_000_000)
  cells.settle(0, window, { held: 2_000_000_000, spent: 1_250_000_001 })
  const seen = await ask('GET', '/budgets/all', { key: READ_KEY })
  t.match(seen.json, { spent: 1.250000001, reserved: 0.5, left: 48.749999999 }, 'what event loops spend shows at once')
  t.equal(seen.etag, created.etag)
  const changed = await ask('PATCH', '/budgets/all', { body: { usd: 1 }, ifMatch: created.etag })
  t.match(changed, { status: 200, json: { usd: 1, spent: 1.250000001, left: 0 } })
  t.equal((await ask('PATCH', '/budgets/all', { body: { usd: 2 }, ifMatch: created.etag })).status, 412)
  t.equal((await ask('PATCH', '/budgets/all', { body: { tokens: 2 } })).status, 400)
  t.equal((await ask('DELETE', '/budgets/all', { ifMatch: created.etag })).status, 412)
  t.equal((await ask('DELETE', '/budgets/all', { ifMatch: changed.etag })).status, 204)
  t.equal((await ask('GET', '/budgets/all')).status, 404)
  t.ok(index.isEmpty, 'event loops know of none')
  t.same(
    events.map(({ action }) => action),
    ['budget.create', 'budget.update', 'budget.delete'],
  )
})

test('what is no budget is refused, with the member at fault', async (t) => {
  const { ask } = await setUp(t)
  const body = { name: 'all', scope: 'gateway', per: 'day', usd: 1 }
  const refusals: readonly (readonly [changes: object, param: string])[] = [
    [{ usd: 0 }, 'usd'],
    [{ usd: 9_000_001 }, 'usd'],
    [{ usd: 1e-10 }, 'usd'],
    [{ tokens: 5 }, 'usd'],
    [{ usd: undefined }, 'usd'],
    [{ usd: undefined, tokens: 1.5 }, 'tokens'],
    [{ per: 'year' }, 'per'],
    [{ timezone: 'Europe/Berlin' }, 'timezone'],
    [{ scope: 'everyone' }, 'scope'],
    [{ name: 'key:app1:day' }, 'name'],
  ]
  for (const [changes, param] of refusals) {
    const answer = await ask('POST', '/budgets', { body: { ...body, ...changes } })
    t.match(answer, { status: 400, json: { error: { code: 'invalid_request', param } } }, JSON.stringify(changes))
  }
  t.equal((await ask('POST', '/budgets', { body: { ...body, scope: 'key:none' } })).status, 404)
})

test('a key or team has budgets of its own, by their names among the others', async (t) => {
  const { ask } = await setUp(t)
  const budgets = [
    { tokens: 1000, per: 'day' },
    { usd: 50, per: 'month' },
  ]
  const key = { name: 'app1', budgets }
  t.match(await ask('POST', '/keys', { body: key }), { status: 201, json: { budgets } })
  t.match(await ask('POST', '/keys', { body: key }), { status: 200, json: { budgets } })
  t.match(await ask('POST', '/teams', { body: { name: 'blue', budgets: [budgets[1]] } }), { status: 201 })
  const listed = await ask('GET', '/budgets?limit=2')
  t.match(listed.json, {
    data: [
      { name: 'key:app1:day:tokens', tokens: 1000 },
      { name: 'key:app1:month', usd: 50 },
    ],
    next: 'key:app1:month',
  })
  t.match((await ask('GET', '/budgets/team:blue:month')).json, { scope: 'team:blue', usd: 50 })
  t.match(await ask('PATCH', '/keys/app1', { body: { budgets: [{ usd: 60, per: 'month' }] } }), {
    json: { budgets: [{ usd: 60, per: 'month' }] },
  })
  t.match(await ask('PATCH', '/teams/blue', { body: { budgets: [] } }), { json: { budgets: [] } })
  t.equal((await ask('GET', '/budgets/team:blue:month')).status, 404)
  const wrong = await ask('POST', '/keys', { body: { name: 'app2', budgets: [{ per: 'day' }] } })
  t.match(wrong, { status: 400, json: { error: { param: 'budgets.0.usd' } } })
})

test('an adjustment counts at once, and is in the audit with its reason', async (t) => {
  const { ask, events } = await setUp(t)
  await ask('POST', '/budgets', { body: { name: 'all', scope: 'gateway', per: 'total', usd: 10 } })
  t.match(await ask('POST', '/budgets/all/adjust', { body: { usd: 4, reason: 'used elsewhere' } }), {
    status: 200,
    json: { spent: 4, left: 6, resetsAt: null },
  })
  t.match(await ask('POST', '/budgets/all/adjust', { body: { usd: -1.5, reason: 'refund' } }), { json: { spent: 2.5 } })
  t.equal((await ask('POST', '/budgets/all/adjust', { body: { usd: -3, reason: 'too much' } })).status, 400)
  t.equal((await ask('POST', '/budgets/all/adjust', { body: { usd: 1 } })).status, 400, 'without a reason')
  t.equal((await ask('POST', '/budgets/none/adjust', { body: { usd: 1, reason: 'x' } })).status, 404)
  t.match(events.at(-1), { action: 'budget.adjust', target: 'all', after: { spent: 2_500_000_000, reason: 'refund' } })
})

test('without a database there are no budgets', async (t) => {
  const { ask } = await startAdmin(t, adminContext([]).context)
  t.same((await ask('GET', '/budgets')).json, { data: [], next: null })
  t.equal((await ask('GET', '/budgets/a')).status, 404)
  const body = { name: 'a', scope: 'gateway', per: 'day', usd: 1 }
  t.equal((await ask('POST', '/budgets', { body })).status, 409)
  t.equal((await ask('DELETE', '/budgets/a')).status, 409)
})
