// The path and the words of a field that is rejected.
import { test } from 'tap'
import { Compile } from 'typebox/compile'
import { demand, invalidField, notCarried } from '../../../src/protocols/fields/field-error.js'
import { thrownBy } from '../../helpers/thrown.js'

const schema = Compile({
  type: 'object',
  required: ['a'],
  properties: { a: { type: 'string' }, b: { enum: ['x', 'y'] }, c: { type: 'array', items: { type: 'number' } } },
})

test('the first wrong field is named by its path, with what is accepted there', async (t) => {
  const refusal = (value: unknown, path = 'p') => thrownBy(() => demand(schema, value, path))
  t.match(refusal({}), { code: 'invalid_request', param: 'p.a', message: "'p.a' is required." })
  t.match(refusal({}, ''), { param: 'a' })
  t.match(refusal({ a: 'x', b: 'z' }), { param: 'p.b', message: "'p.b' must be one of x, y." })
  t.match(refusal({ a: 'x', c: [1, '2'] }), { param: 'p.c.1' })
  t.match(refusal(7, ''), { param: null, message: /^The body / })
  demand(schema, { a: 'x' }, 'p')
})

test('what only one wire carries may be carried by another target', async (t) => {
  t.match(notCarried('a.b', 'a thing').data, { param: 'a.b', retryable: true })
  t.match(invalidField('a.b', 'is wrong').data, { param: 'a.b', retryable: false, message: "'a.b' is wrong." })
})
