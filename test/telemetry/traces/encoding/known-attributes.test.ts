// Attributes that are encoded once: what they remember, and what they do not.
import { test } from 'tap'
import { createKnownAttributes, KnownValues } from '../../../../src/telemetry/traces/encoding/known-attributes.js'
import { encodeAttribute } from '../../../../src/telemetry/traces/encoding/span-batch.js'

test('a value that comes again is cleaned and encoded once, a long one each time', (t) => {
  let cleaned = 0
  const known = new KnownValues<string>('name', (text) => {
    cleaned += 1
    return text.replace('secret', '***')
  })
  t.same(known.of('a secret'), encodeAttribute('name', 'a ***'))
  t.equal(known.of('a secret'), known.of('a secret'))
  t.equal(cleaned, 1)
  const long = 'x'.repeat(201)
  t.same(known.of(long), known.of(long))
  t.equal(cleaned, 3)
  t.end()
})

test('it remembers no more than so many values, which clients choose', (t) => {
  const known = new KnownValues<number>('n')
  const first = known.of(0)
  for (let value = 1; value < 500; value++) known.of(value)
  t.equal(known.of(0), first)
  known.of(500)
  t.not(known.of(0), first)
  t.same(known.of(0), first)
  t.end()
})

test('what clients and providers name is cleaned, words of our own are not looked at', (t) => {
  const known = createKnownAttributes(() => '***')
  const cleaned = [known.model, known.target, known.path, known.agent, known.requestModel, known.answerModel]
  for (const values of cleaned) t.match(Buffer.from(values.of('name')).toString(), /\*\*\*/)
  t.match(Buffer.from(known.outcome.of('complete')).toString(), /complete/)
  t.end()
})
