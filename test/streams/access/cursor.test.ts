// Cursors of all clients.
import { test } from 'tap'
import { offsetAfter, offsetAfterNumber } from '../../../src/streams/access/cursor.js'

const LAST = Number.MAX_SAFE_INTEGER

test('a reader goes on after the frame that it has, and without a cursor at the first', async (t) => {
  t.equal(offsetAfter(''), 0)
  t.equal(offsetAfter('0'), 1)
  t.equal(offsetAfter('17'), 18)
  t.equal(offsetAfter('0017'), 18)
})

test('a cursor is digits alone', async (t) => {
  for (const text of ['-1', '+1', '1.0', '1e3', ' 1', '1 ', '0x1', 'abc', '1,2', '١', '1\n', 'null']) {
    t.equal(offsetAfter(text), null, JSON.stringify(text))
  }
})

test('an absurdly long cursor is one beyond every stream, never NaN and never the first frame', async (t) => {
  for (const text of [String(LAST), '9'.repeat(400)]) t.equal(offsetAfter(text), LAST, text)
})

test('as a member of JSON it is a whole number', async (t) => {
  t.equal(offsetAfterNumber(undefined), 0)
  t.equal(offsetAfterNumber(null), 0)
  t.equal(offsetAfterNumber(0), 1)
  t.equal(offsetAfterNumber(17), 18)
  t.equal(offsetAfterNumber(LAST), LAST)
  for (const value of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, LAST + 1, '17', '', true, {}, []]) {
    t.equal(offsetAfterNumber(value), null, JSON.stringify(value))
  }
})
