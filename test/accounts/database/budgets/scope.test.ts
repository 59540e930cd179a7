// Scopes as operators write them; the suites of the stores have what becomes of them in a database.
import { test } from 'tap'
import { digestOfUser } from '../../../../src/accounts/budgets/user-slots.js'
import { isOfUsers, partOf, scopeOf } from '../../../../src/accounts/database/budgets/scope.js'
import { type BudgetRecord } from '../../../../src/accounts/types.js'
import { thrownBy } from '../../../helpers/thrown.js'

const NAMES = { key_name: null, team_name: null }

function budgetOf(scope: string): BudgetRecord {
  const terms = { unit: 'usd', limit: 1, per: 'day' } as const
  return { ...terms, id: 'budget_x', name: 'x', scope, isInline: false, createdAtMs: 0, version: 1 }
}

test('a scope names keys and teams as they are called now, or by id where they are gone', (t) => {
  t.equal(scopeOf({ ...NAMES, kind: 'gateway', subject: '' }), 'gateway')
  t.equal(scopeOf({ ...NAMES, kind: 'key', subject: 'key_1', key_name: 'app' }), 'key:app')
  t.equal(scopeOf({ ...NAMES, kind: 'team', subject: 'team_1' }), 'team:team_1')
  t.equal(scopeOf({ ...NAMES, kind: 'model', subject: 'gpt*' }), 'model:gpt*')
  t.equal(scopeOf({ ...NAMES, kind: 'user', subject: '' }), 'user')
  t.equal(scopeOf({ ...NAMES, kind: 'user', subject: 'key_1', key_name: 'app' }), 'user:key:app')
  t.equal(scopeOf({ ...NAMES, kind: 'user', subject: 'team_1', team_name: 'blue' }), 'user:team:blue')
  t.end()
})

test('a budget has parts where it tells end users apart, and nowhere else', (t) => {
  t.same(
    ['user', 'user:key:app', 'key:user', 'tag:user'].map((scope) => isOfUsers({ scope })),
    [true, true, false, false],
  )
  t.equal(partOf(budgetOf('user'), 'anna'), `budget_x/${digestOfUser('anna')}`)
  t.equal(partOf(budgetOf('user'), null), 'budget_x')
  t.equal(partOf(budgetOf('gateway'), null, true), 'budget_x')
  t.match(
    thrownBy(() => partOf(budgetOf('gateway'), 'anna')),
    { code: 'invalid_request', param: 'user' },
  )
  t.match(
    thrownBy(() => partOf(budgetOf('user:team:blue'), null, true)),
    { param: 'user' },
  )
  t.end()
})
