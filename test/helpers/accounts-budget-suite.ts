// What every store must hold of budgets, and of what is spent of them.
import { test } from 'tap'
import { digestOfUser, userBudgetId } from '../../src/accounts/budgets/user-slots.js'
import { windowAt, windowStartMs } from '../../src/accounts/budgets/windows.js'
import { type SpendBatch } from '../../src/accounts/types.js'
import { everyEntry, newKey, newTeam, type OpenAccounts } from './accounts-rig.js'
import { rejectionOf } from './thrown.js'

const BY = { by: 'admin' }
const ANY = { by: 'admin', ifVersion: null }
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
const FIRST_PAGE = { after: null, limit: 100 }
const USD = 1_000_000_000

/** Budgets, and what is spent of them. */
export function budgetSuite(kind: string, open: OpenAccounts): void {
  test(`${kind}: a budget is created once, changed by its version, and deleted with what was spent`, async (t) => {
    const { node } = await open(t)
    const { store } = node
    const input = { name: 'all', scope: 'gateway', unit: 'usd', limit: 9_000_000 * USD, per: 'month' } as const
    const { budget, isNew } = await store.createBudget(input, BY)
    t.ok(isNew)
    t.match(budget, { ...input, id: /^budget_/, spent: 0, reserved: 0, isInline: false })
    t.same(await store.createBudget(input, BY), { budget, isNew: false })
    t.match(await rejectionOf(store.createBudget({ ...input, limit: 5 }, BY)), { code: 'conflict' })
    t.same(await store.getBudget('all'), budget)
    const changed = await store.updateBudget(
      'all',
      { unit: 'usd', limit: 7 },
      { by: 'admin', ifVersion: budget.version },
    )
    t.match(changed, { id: budget.id, limit: 7 })
    const stale = { by: 'admin', ifVersion: budget.version }
    t.match(await rejectionOf(store.updateBudget('all', { unit: 'usd', limit: 8 }, stale)), {
      code: 'precondition_failed',
    })
    t.match(await rejectionOf(store.deleteBudget('all', stale)), { code: 'precondition_failed' })
    t.match(await rejectionOf(store.updateBudget('all', { unit: 'tokens', limit: 8 }, ANY)), {
      code: 'invalid_request',
    })
    await store.addSpend([batchOf('j', 1, [budget.id, 0, 5])], [])
    await store.deleteBudget('all', ANY)
    t.equal(await store.getBudget('all'), null)
    t.match(await rejectionOf(store.deleteBudget('all', ANY)), { code: 'not_found' })
    const anew = await store.createBudget({ ...input, per: 'total' }, BY)
    t.match(anew.budget, { spent: 0, limit: input.limit }, 'a new one inherits nothing')
    const actions = (await everyEntry(store)).map(({ action }) => action)
    t.same(actions, ['budget.create', 'budget.delete', 'budget.update', 'budget.create'])
  })

  test(`${kind}: a budget of a key or team belongs to its id, and goes with it`, async (t) => {
    const { node } = await open(t)
    const { store } = node
    await store.createTeam(newTeam('blue'), BY)
    const { key } = await store.createKey(newKey('app1', { team: 'blue' }), BY)
    const terms = { unit: 'tokens', limit: 100, per: 'day' } as const
    t.match(await store.createBudget({ ...terms, name: 'b1', scope: 'key:app1' }, BY), {
      budget: { scope: 'key:app1' },
    })
    t.match(await store.createBudget({ ...terms, name: 'b1', scope: `key:${key.id}` }, BY), { isNew: false })
    await store.createBudget({ ...terms, name: 'b2', scope: 'team:blue' }, BY)
    for (const scope of ['key:none', 'team:app1']) {
      t.match(await rejectionOf(store.createBudget({ ...terms, name: 'x', scope }, BY)), { code: 'not_found' }, scope)
    }
    for (const scope of ['', 'keys', 'users', 'user:', 'user:tag:x', 'model:']) {
      t.match(
        await rejectionOf(store.createBudget({ ...terms, name: 'x', scope }, BY)),
        { code: 'invalid_request' },
        scope,
      )
    }
    await store.createBudget({ ...terms, name: 'b3', scope: 'model:gpt*' }, BY)
    await store.createBudget({ ...terms, name: 'b4', scope: 'tag:night' }, BY)
    const page = await store.listBudgets({ after: 'b1', limit: 2 })
    t.match(page, { budgets: [{ name: 'b2', scope: 'team:blue' }, { scope: 'model:gpt*' }], next: 'b3' })
    t.match(await store.listBudgets({ after: 'b3', limit: 2 }), { budgets: [{ scope: 'tag:night' }], next: null })
    await store.deleteKey('app1', ANY)
    t.equal(await store.getBudget('b1'), null)
    await store.deleteTeam('blue', ANY)
    t.equal(await store.getBudget('b2'), null)
    t.ok(await store.getBudget('b3'))
  })

  test(`${kind}: a budget of end users tells them apart, over a restart too, and goes with its key`, async (t) => {
    const { node, reopen } = await open(t)
    const { store } = node
    await store.createTeam(newTeam('blue'), BY)
    await store.createKey(newKey('app1', { team: 'blue' }), BY)
    const terms = { unit: 'usd', limit: 100, per: 'month' } as const
    const { budget } = await store.createBudget({ ...terms, name: 'b1', scope: 'user:key:app1' }, BY)
    t.match(budget, { scope: 'user:key:app1', users: 0, spent: 0 })
    t.match(await store.createBudget({ ...terms, name: 'b2', scope: 'user:team:blue' }, BY), {
      budget: { scope: 'user:team:blue' },
    })
    t.match(await store.createBudget({ ...terms, name: 'b3', scope: 'user' }, BY), { budget: { scope: 'user' } })
    const start = windowStartMs('month', windowAt('month', Date.now()))
    await store.addSpend([batchOf('j', 1, [userBudgetId(budget.id, digestOfUser('anna')), start, 40])], [])
    const refund = { unit: 'usd', amount: -10, reason: 'gift' } as const
    t.match(await rejectionOf(store.adjustBudget('b1', refund, BY)), { code: 'invalid_request', param: 'user' })
    t.match(await rejectionOf(store.adjustBudget('b1', { ...refund, user: 'ben' }, BY)), { code: 'invalid_request' })
    await store.adjustBudget('b1', { ...refund, amount: 5, user: 'ben' }, BY)
    t.match(await store.getBudget('b1', 'ben'), { spent: 5, users: null })
    const again = (await reopen()).store
    t.match(await again.getBudget('b1', 'anna'), { spent: 40, users: null })
    t.match(await again.getBudget('b1', 'cleo'), { spent: 0 })
    t.match(await again.getBudget('b1'), { spent: 45, users: 2 })
    await again.createBudget({ ...terms, name: 'b4', scope: 'gateway' }, BY)
    t.match(await rejectionOf(again.getBudget('b4', 'anna')), { code: 'invalid_request', param: 'user' })
    await again.deleteKey('app1', ANY)
    t.equal(await again.getBudget('b1'), null)
    await again.deleteTeam('blue', ANY)
    t.equal(await again.getBudget('b2'), null)
    t.ok(await again.getBudget('b3'))
  })

  test(`${kind}: budgets that are given with a key or team belong to it, and keep what was spent`, async (t) => {
    const { node } = await open(t)
    const { store } = node
    const month = { unit: 'usd', limit: 50 * USD, per: 'month' } as const
    const day = { unit: 'tokens', limit: 1000, per: 'day' } as const
    const input = newKey('app1', { budgets: [month, day] })
    const { key } = await store.createKey(input, BY)
    t.same(key.budgets, [day, month], 'in the order of their periods')
    t.match(await store.createKey(input, BY), { secret: null }, 'the same again')
    t.match(await rejectionOf(store.createKey(newKey('app1'), BY)), { code: 'conflict' })
    const listed = await store.listBudgets(FIRST_PAGE)
    t.same(
      listed.budgets.map(({ name, scope, isInline }) => [name, scope, isInline]),
      [
        ['key:app1:day:tokens', 'key:app1', true],
        ['key:app1:month', 'key:app1', true],
      ],
    )
    await store.adjustBudget('key:app1:month', { unit: 'usd', amount: 20 * USD, reason: 'moved' }, BY)
    const less = { ...month, limit: 40 * USD }
    const updated = await store.updateKey('app1', { budgets: [less] }, ANY)
    t.same(updated.budgets, [less])
    t.match(await store.getBudget('key:app1:month'), { limit: 40 * USD, spent: 20 * USD })
    t.equal(await store.getBudget('key:app1:day:tokens'), null)
    const tagged = await store.updateKey('app1', { tags: ['x'] }, ANY)
    t.same(tagged.budgets, [less], 'absent: as they were')
    await store.updateBudget('key:app1:month', { unit: 'usd', limit: 1 }, ANY)
    const seen = await store.getKey('app1')
    t.match(seen, { budgets: [{ limit: 1 }] })
    t.not(seen?.version, tagged.version, 'the key is another one for its readers')
    await store.deleteBudget('key:app1:month', ANY)
    t.match(await store.getKey('app1'), { budgets: [] })
    const twice = newKey('app2', { budgets: [month, { ...month, limit: 1 }] })
    t.match(await rejectionOf(store.createKey(twice, BY)), { code: 'invalid_request', param: 'budgets' })
    t.equal(await store.getKey('app2'), null)
    const { team } = await store.createTeam(newTeam('blue', { budgets: [month] }), BY)
    t.same(team.budgets, [month])
    t.match(await store.createTeam(newTeam('blue', { budgets: [month] }), BY), { isNew: false })
    t.same((await store.listTeams(FIRST_PAGE)).teams[0]?.budgets, [month])
    t.same((await store.updateTeam('blue', { budgets: [] }, ANY)).budgets, [])
    t.equal(await store.getBudget('team:blue:month'), null)
  })

  test(`${kind}: what is spent is added once, to its own window, and is there after a start`, async (t) => {
    const rig = await open(t)
    const { store } = rig.node
    const { budget } = await store.createBudget(
      { name: 'all', scope: 'gateway', unit: 'usd', limit: USD, per: 'total' },
      BY,
    )
    const day = await store.createBudget({ name: 'day', scope: 'gateway', unit: 'tokens', limit: 100, per: 'day' }, BY)
    const today = Math.floor(Date.now() / DAY_MS) * DAY_MS
    const batch = batchOf('one', 2, [budget.id, 0, 30], [day.budget.id, today, 5], [day.budget.id, today - DAY_MS, 50])
    await store.addSpend([batch, batchOf('two', 1, [budget.id, 0, 3], ['budget_gone', 0, 9])], [])
    await store.addSpend([batch], [])
    await store.addSpend([batchOf('one', 3, [budget.id, 0, 4])], ['two'])
    const again = await rig.reopen()
    t.match(await again.store.getBudget('all'), { spent: 37 })
    t.match(await again.store.getBudget('day'), { spent: 5 }, 'tokens of this window')
  })

  test(`${kind}: an adjustment counts at once, and a refund is of no more than was spent`, async (t) => {
    const rig = await open(t)
    const { store } = rig.node
    const terms = { name: 'all', scope: 'gateway', unit: 'usd', limit: USD, per: 'hour' } as const
    await store.createBudget(terms, BY)
    const adjust = (amount: number, unit: 'usd' | 'tokens' = 'usd') =>
      store.adjustBudget('all', { unit, amount, reason: 'refund' }, { by: 'ann' })
    await adjust(50)
    await adjust(-20)
    t.match(await store.getBudget('all'), { spent: 30, limit: USD })
    t.match(await rejectionOf(adjust(-31)), { code: 'invalid_request', param: 'usd' })
    t.match(await rejectionOf(adjust(1, 'tokens')), { code: 'invalid_request', param: 'tokens' })
    t.match((await everyEntry(store))[0], {
      ...{ by: 'ann', action: 'budget.adjust', target: 'all', before: { spent: 50 } },
      after: { spent: 30, reason: 'refund' },
    })
    rig.advance(HOUR_MS)
    t.match(await store.getBudget('all'), { spent: 0 }, 'the next window')
    t.match(await rejectionOf(adjust(-1)), { code: 'invalid_request' })
  })
}

type Spent = readonly [budgetId: string, windowStartMs: number, amount: number]

/** The same number of nano-dollars and tokens. */
function batchOf(journal: string, sequence: number, ...spent: readonly Spent[]): SpendBatch {
  const charges = spent.map(([budgetId, windowStartMs, amount]) => {
    return { budgetId, windowStartMs, nano: amount, tokens: amount }
  })
  return { journal, sequence, charges }
}
