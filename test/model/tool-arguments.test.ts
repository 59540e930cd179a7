// Tool-call arguments as an object.
import { test } from 'tap'
import { parseToolArguments } from '../../src/model/tool-arguments.js'

test('reads an object, takes nothing for an empty one, and anything else for null', async (t) => {
  t.same(parseToolArguments('{"a":[1]}'), { a: [1] })
  t.same(parseToolArguments(''), {})
  t.same(parseToolArguments(' \n'), {})
  for (const ill of ['[1]', '1', 'null', '"x"', '{"a":', 'x']) t.equal(parseToolArguments(ill), null, ill)
})
