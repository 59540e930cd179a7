// What the playground reads of what somebody has typed.
import { test } from 'tap'
import { readTools } from '../../../src/console/playground/chat-api.js'

test('tools are a JSON list, or nothing', async (t) => {
  t.same(readTools(' \n'), [])
  t.same(readTools('[{"name":"a"}]'), [{ name: 'a' }])
  for (const text of ['{}', 'null', '"a"']) t.throws(() => readTools(text), /It is no list/)
  t.throws(() => readTools('[{'), SyntaxError)
})
