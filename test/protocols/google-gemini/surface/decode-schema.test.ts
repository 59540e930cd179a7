// The vendor's own schemas as JSON Schema.
import { test } from 'tap'
import { decodeSchema } from '../../../../src/protocols/google-gemini/surface/decode-schema.js'

test('types, nullability, numbers and what is inside become JSON Schema', async (t) => {
  t.same(
    decodeSchema({
      type: 'OBJECT',
      propertyOrdering: ['a'],
      required: ['a'],
      properties: {
        a: { type: 'STRING', nullable: true, maxLength: '40', example: 'x' },
        type: { type: 'ARRAY', minItems: '1', items: { type: 'INTEGER', format: 'int32' } },
        kind: { type: 'STRING', format: 'enum', enum: ['u', 'v'], nullable: true },
        either: { anyOf: [{ type: 'NUMBER' }, { type: 'BOOLEAN' }] },
        list: { type: ['STRING', 'NULL'] },
      },
    }),
    {
      type: 'object',
      required: ['a'],
      properties: {
        a: { type: ['string', 'null'], maxLength: 40 },
        type: { type: 'array', minItems: 1, items: { type: 'integer', format: 'int32' } },
        kind: { type: ['string', 'null'], enum: ['u', 'v', null] },
        either: { anyOf: [{ type: 'number' }, { type: 'boolean' }] },
        list: { type: ['string', 'null'] },
      },
    },
  )
})

test('what is no schema stays, and JSON Schema does too', async (t) => {
  t.same(decodeSchema(true), true)
  const schema = { type: 'object', properties: { a: { $ref: '#/$defs/a' } }, $defs: { a: { minLength: 'x' } } }
  t.same(decodeSchema(schema), schema)
  t.same(decodeSchema({ properties: 7, anyOf: 8, minLength: '-1' }), { properties: 7, anyOf: 8, minLength: '-1' })
})
