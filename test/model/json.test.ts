// JSON as a type.
import { test } from 'tap'
import { isJsonArray, isJsonObject, mergeUnder } from '../../src/model/json.js'

test('distinguishes objects and arrays from everything else', async (t) => {
  t.equal(isJsonObject({}), true)
  for (const other of [null, [], 'x', 1, true, undefined]) t.equal(isJsonObject(other), false)
  t.equal(isJsonArray([]), true)
  for (const other of [null, {}, 'x', 1, true, undefined]) t.equal(isJsonArray(other), false)
})

test('merges objects at every depth, replaces all else, changes neither side', async (t) => {
  const under = { a: { b: { c: 1 }, d: [1, 2] }, e: 1, f: { g: 1 } }
  const before = structuredClone(under)
  t.same(mergeUnder(under, { a: { b: { x: 2 }, d: [3] }, f: null, h: {} }), {
    a: { b: { c: 1, x: 2 }, d: [3] },
    e: 1,
    f: null,
    h: {},
  })
  t.same(under, before)
  const hostile = JSON.parse('{"__proto__":{"polluted":1}}') as Record<string, never>
  t.same(Object.keys(mergeUnder({}, hostile)), ['__proto__'])
  t.equal('polluted' in {}, false)
})
