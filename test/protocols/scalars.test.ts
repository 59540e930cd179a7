// Values of the wrong type are null.
import { test } from 'tap'
import { booleanOf, numberOf, stringOf, textOf } from '../../src/protocols/scalars.js'

test('a value of another type is null, an empty string is text to nobody', (t) => {
  t.strictSame([stringOf(''), stringOf(1), stringOf(undefined)], ['', null, null])
  t.strictSame([textOf('a'), textOf(''), textOf(null)], ['a', null, null])
  t.strictSame([numberOf(0), numberOf('0')], [0, null])
  t.strictSame([booleanOf(false), booleanOf(0)], [false, null])
  t.end()
})
