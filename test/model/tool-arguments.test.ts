// Tool-call arguments, and results, as an object.
import { test } from 'tap'
import { parseObject, parseToolArguments } from '../../src/model/tool-arguments.js'

test('reads an object, takes nothing for an empty one, and anything else for null', async (t) => {
  t.same(parseToolArguments('{"a":[1]}'), { a: [1] })
  t.same(parseToolArguments(''), {})
  t.same(parseToolArguments(' \n'), {})
  for (const ill of ['[1]', '1', 'null', '"x"', '{"a":', 'x']) t.equal(parseToolArguments(ill), null, ill)
  t.same(parseObject('{"a":null}'), { a: null })
  t.equal(parseObject(''), null)
})

test('an object that is nested too deeply to be written again stays text', async (t) => {
  const nested = (levels: number) => `${'{"a":['.repeat(levels / 2)}${']}'.repeat(levels / 2)}`
  t.same(parseToolArguments(nested(128)), JSON.parse(nested(128)))
  for (const levels of [130, 40_000]) t.equal(parseToolArguments(nested(levels)), null, String(levels))
})
