// JSON as a type.
import { test } from 'tap'
import { isJsonArray, isJsonObject } from '../../src/model/json.js'

test('tells objects and arrays from all else', async (t) => {
  t.equal(isJsonObject({}), true)
  for (const other of [null, [], 'x', 1, true, undefined]) t.equal(isJsonObject(other), false)
  t.equal(isJsonArray([]), true)
  for (const other of [null, {}, 'x', 1, true, undefined]) t.equal(isJsonArray(other), false)
})
