// Members that a decoder does not read are told by their path.
import { test } from 'tap'
import { type JsonValue } from '../../../src/model/json.js'
import { findLeftOver, type Shape } from '../../../src/protocols/fit/left-over.js'

function find(value: JsonValue | undefined, shape: Shape): string[] {
  const found = new Set<string>()
  findLeftOver(value, shape, found, 'p')
  return [...found]
}

test('unknown members are named once, without list positions', async (t) => {
  const shape: Shape = { items: { members: { a: true, b: { members: { c: true } } } } }
  const value = [
    { a: { x: 1 }, b: { c: 1, d: 2 } },
    { e: 0, b: { d: 3 } },
  ]
  t.strictSame(find(value, shape), ['p.b.d', 'p.e'])
})

test('null and empty lists say nothing', async (t) => {
  t.strictSame(find({ a: null, b: [], c: false, d: '' }, { members: {} }), ['p.c', 'p.d'])
})

test('objects are known by their type; others are read as a whole', async (t) => {
  const shape: Shape = { byType: { text: { members: { type: true, text: true } } } }
  t.strictSame(find({ type: 'text', text: 'a', more: 1 }, shape), ['p.more'])
  t.strictSame(find({ type: 'other', more: 1 }, shape), [])
  t.strictSame(find({ type: 'constructor', more: 1 }, shape), [])
})

test('values of another kind are left to the decoder, and names of all objects are names like any', async (t) => {
  const shape: Shape = { members: { a: { items: { members: {} } }, b: { members: {} } } }
  t.strictSame(find({ a: 'text', b: [1] }, shape), [])
  t.strictSame(find('text', shape), [])
  t.strictSame(find(undefined, shape), [])
  t.strictSame(find(JSON.parse('{"__proto__":1,"constructor":2}'), shape), ['p.__proto__', 'p.constructor'])
})
