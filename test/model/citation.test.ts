// Where a citation belongs, and whose own form it has.
import { test } from 'tap'
import { type Citation, ownValue, placeOf } from '../../src/model/citation.js'

const CITATION: Citation = { kind: 'citation', url: null, title: null, citedText: null, span: null, own: null }

test('a citation without a span is of all of its block, wherever that begins', async (t) => {
  t.same(placeOf(CITATION, 7, 5), { start: 7, end: 12 })
  t.same(placeOf({ ...CITATION, span: { start: 1, end: 3 } }, 7, 5), { start: 8, end: 10 })
})

test('its own form is for its own wire alone', async (t) => {
  const cited = { ...CITATION, own: { wire: 'a', value: { x: 1 } } }
  t.same(ownValue(cited, 'a'), { x: 1 })
  t.equal(ownValue(cited, 'b'), null)
  t.equal(ownValue(CITATION, 'a'), null)
})
