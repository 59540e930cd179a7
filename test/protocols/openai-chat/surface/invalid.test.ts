// The client is told which field, and what is wrong with it.
import { test } from 'tap'
import { invalid, notCarried } from '../../../../src/protocols/openai-chat/surface/invalid.js'

test('names the field, or the body where there is none', (t) => {
  t.match(invalid('a.0.b', 'is required').data, {
    code: 'invalid_request',
    param: 'a.0.b',
    message: "'a.0.b' is required.",
  })
  t.match(invalid('', 'is empty').data, { param: null, message: 'The body is empty.' })
  t.match(notCarried('a', 'a file').data.message, "'a' is a file")
  t.end()
})
