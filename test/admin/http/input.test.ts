// What operators send, judged by the schemas: numbers in a query, defaults, mistakes by their name and never by their value.
import { test } from 'tap'
import { Type } from 'typebox'
import { readBody, readQuery } from '../../../src/admin/http/input.js'
import { GatewayError } from '../../../src/errors.js'

const SCHEMA = Type.Object(
  {
    name: Type.Optional(Type.String({ maxLength: 5 })),
    limit: Type.Integer({ minimum: 1, maximum: 10, default: 7 }),
    tags: Type.Optional(Type.Array(Type.String())),
  },
  { additionalProperties: false },
)

function refusalOf(act: () => unknown) {
  try {
    act()
  } catch (thrown) {
    if (thrown instanceof GatewayError)
      return { code: thrown.data.code, param: thrown.data.param, text: thrown.message }
  }
  return null
}

test('a query is text that may spell a number; what is absent has its default', async (t) => {
  t.same(readQuery(SCHEMA, ''), { limit: 7 })
  t.same(readQuery(SCHEMA, 'limit=3&name=a%20b'), { limit: 3, name: 'a b' })
  t.match(
    refusalOf(() => readQuery(SCHEMA, 'limit=many')),
    { code: 'invalid_request', param: 'limit' },
  )
  t.match(
    refusalOf(() => readQuery(SCHEMA, 'limit=1&limit=2')),
    { param: 'limit', text: /twice/ },
  )
  t.match(
    refusalOf(() => readQuery(SCHEMA, 'limt=3')),
    { param: 'limt', text: /did you mean "limit"/ },
  )
})

test('a body is one JSON object, whose numbers are numbers', async (t) => {
  const body = (text: string) => Buffer.from(text)
  t.same(readBody(SCHEMA, body('{"tags":["a"]}')), { limit: 7, tags: ['a'] })
  t.match(
    refusalOf(() => readBody(SCHEMA, body('{"limit":"3"}'))),
    { param: 'limit' },
  )
  t.match(
    refusalOf(() => readBody(SCHEMA, body('{"tags":["a",5]}'))),
    { param: 'tags.1' },
  )
  for (const text of ['', '[]', 'null', '{', '{"a":1} x']) {
    t.match(
      refusalOf(() => readBody(SCHEMA, body(text))),
      { code: 'invalid_request', param: null },
      text,
    )
  }
  t.match(
    refusalOf(() => readBody(SCHEMA, Buffer.from([0x7b, 0xff, 0x7d]))),
    { code: 'invalid_request' },
  )
})

test('no message repeats a value, which may be a secret', async (t) => {
  const secret = 'sk-canary-0123456789'
  const bodies = [`{"name":"${secret}"}`, `{"limit":"${secret}"}`, `{"a": ${secret}`, `{"tags":"${secret}"}`]
  for (const text of bodies) {
    const refused = refusalOf(() => readBody(SCHEMA, Buffer.from(text)))
    t.ok(refused)
    t.notMatch(refused?.text, secret)
  }
})
