// The scripts are those of their folder, and all their keys are in one slot of a cluster.
import { readdirSync } from 'node:fs'
import { test } from 'tap'
import {
  groundKeys,
  placeOf,
  readSpendScripts,
  windowKeys,
} from '../../../../src/accounts/budgets/shared/spend-scripts.js'
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
