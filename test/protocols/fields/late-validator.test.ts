// A validator that is compiled late: by its first use, once, with the answers of one that was compiled at once.
import { test } from 'tap'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { LateValidator } from '../../../src/protocols/fields/late-validator.js'

const SCHEMA = Type.Object({ name: Type.String({ minLength: 1 }), count: Type.Optional(Type.Integer({ minimum: 0 })) })

test('it accepts and explains what a validator does that was compiled at once', (t) => {
  const late = new LateValidator(SCHEMA)
  const early = Compile(SCHEMA)
  for (const value of [{ name: 'a' }, { name: 'a', count: 2 }, { name: '' }, {}, { name: 'a', count: -1 }, null, []]) {
    t.equal(late.Check(value), early.Check(value), JSON.stringify(value))
    t.same(late.Errors(value), early.Errors(value), JSON.stringify(value))
  }
  t.end()
})

test('nothing reads its schema before the first value is checked, and nothing after it', (t) => {
  let reads = 0
  const counting = new Proxy(SCHEMA, {
    get(target, name, receiver) {
      reads++
      return Reflect.get(target, name, receiver)
    },
  })
  const late = new LateValidator(counting)
  t.equal(reads, 0)
  t.equal(late.Check({ name: 'a' }), true)
  const once = reads
  t.ok(once > 0)
  t.equal(late.Check({ name: 'b' }), true)
  t.equal(reads, once)
  t.end()
})
