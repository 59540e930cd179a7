// The least value of a schema, for every keyword that vendors take.
import { test } from 'tap'
import { type JsonValue } from '../../src/model/json.js'
import { instanceOf } from '../../src/simulator/schema-instance.js'

const recursive = {
  $ref: '#/$defs/node',
  $defs: { node: { type: 'object', properties: { next: { $ref: '#/$defs/node' } } } },
}
const ROWS: ReadonlyArray<readonly [JsonValue, JsonValue]> = [
  [{ const: 3 }, 3],
  [{ enum: ['b', 'a'] }, 'b'],
  [{ enum: [] }, null],
  [{ type: 'string', default: 'd' }, 'd'],
  [{ type: 'string' }, 'text'],
  [{ type: 'string', minLength: 6 }, 'textxx'],
  [{ type: 'string', format: 'date' }, '2026-01-01'],
  [{ type: 'string', format: 'odd' }, 'text'],
  [{ type: ['integer', 'null'], minimum: 5 }, 5],
  [{ type: 'number' }, 0],
  [{ type: 'BOOLEAN' }, true],
  [{ type: 'null' }, null],
  [{}, null],
  [true, null],
  [{ type: 'array', items: { type: 'string' } }, []],
  [{ type: 'array', items: { type: 'string' }, minItems: 2 }, ['text', 'text']],
  [{ properties: { a: { type: 'number' } } }, { a: 0 }],
  [
    { type: 'object', properties: { a: { type: 'number' }, b: {} }, required: ['a', 'c'] },
    { a: 0, c: null },
  ],
  [{ anyOf: [{ type: 'number' }, { type: 'string' }] }, 0],
  [{ oneOf: [{ type: 'string' }] }, 'text'],
  [
    {
      allOf: [
        { properties: { a: { const: 1 } }, required: ['a'] },
        { properties: { b: { const: 2 } }, required: ['b'] },
        1,
      ],
    },
    { a: 1, b: 2 },
  ],
  [{ allOf: [{ type: 'string' }, { minLength: 5 }] }, 'textx'],
  [{ $ref: '#/$defs/x', $defs: { x: { const: 1 } } }, 1],
  [{ $ref: '#/$defs/x/y' }, null],
]
for (const [schema, value] of ROWS) {
  test(`${JSON.stringify(schema)} is ${JSON.stringify(value)}`, (t) => {
    t.same(instanceOf(schema), value)
    t.end()
  })
}

test('a member called __proto__ is a member', (t) => {
  const schema = JSON.parse('{"type":"object","properties":{"__proto__":{"const":1}}}') as JsonValue
  t.equal(JSON.stringify(instanceOf(schema)), '{"__proto__":1}')
  t.equal(({} as { x?: unknown }).x, undefined)
  t.end()
})

test('a schema that refers to itself ends', (t) => {
  t.ok(JSON.stringify(instanceOf(recursive)).length < 1000)
  t.same(instanceOf(undefined), null)
  t.end()
})
