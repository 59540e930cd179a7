// The scripts are those of their folder, and all their keys are in one slot of a cluster.
import { readdirSync } from 'node:fs'
import { test } from 'tap'
import {
  groundKeys,
  namesInRedis,
  placeOf,
  readSpendScripts,
  windowKeys,
} from '../../../../src/accounts/budgets/shared/spend-scripts.js'
import { digestOfUser, MAX_BUDGET_USERS, userBudgetId } from '../../../../src/accounts/budgets/user-slots.js'
import { RESOURCES } from '../../../../src/package-files.js'

test('every file of the folder is a script, or the part that all have', (t) => {
  const files = readdirSync(new URL('lua/budgets/', RESOURCES)).map((file) => file.replace(/\.lua$/, ''))
  const scripts = readSpendScripts()
  t.same([...scripts.keys(), 'ground'].sort(), files.sort())
  for (const text of scripts.values()) t.match(text, /^-- The common part/)
  t.end()
})

test('all keys have one hash tag, and no two windows have the same', (t) => {
  const places = [
    { budgetId: 'budget_a', windowStartMs: 0 },
    { budgetId: 'budget_a', windowStartMs: 1 },
    { budgetId: 'budget_b', windowStartMs: 1_764_547_200_000 },
  ]
  const keys = [...groundKeys('node1'), ...places.flatMap((place) => windowKeys(place))]
  for (const key of keys) t.match(key, /^\{sluice\}:spend:/)
  t.equal(new Set(keys).size, keys.length)
  for (const place of places) t.same(placeOf(windowKeys(place)[0]), place)
  t.end()
})

test('an end user has a name in Redis that only the nodes can tell, the same on all of them', (t) => {
  const id = userBudgetId('budget_a', digestOfUser('anna@example.com'))
  const [one, other, unknown] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2), null].map((secret) =>
    namesInRedis(() => secret),
  )
  const name = one?.(id) ?? ''
  t.match(name, /^budget_a\/[\w-]{22}$/)
  t.not(name, id)
  t.equal(namesInRedis(() => Buffer.alloc(32, 1))(id), name)
  t.not(other?.(id), name)
  t.equal(unknown?.('budget_a'), 'budget_a', 'a budget has its own')
  t.throws(() => unknown?.(id))
  t.end()
})

test('the scripts tell as many end users apart as one node alone does', (t) => {
  const [, max] = /MAX_USERS = (\d+)/.exec(readSpendScripts().get('claim') ?? '') ?? []
  t.equal(Number(max), MAX_BUDGET_USERS)
  t.end()
})
