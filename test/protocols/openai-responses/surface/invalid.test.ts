// Errors of this folder: path and problem.
import { test } from 'tap'
import { invalid, notCarried } from '../../../../src/protocols/openai-responses/surface/invalid.js'

test('an error names the field, or the body', async (t) => {
  t.match(invalid('a.b', 'is wrong').data, { code: 'invalid_request', param: 'a.b', message: "'a.b' is wrong." })
  t.match(invalid('', 'is wrong').data, { param: null, message: 'The body is wrong.' })
})

test('what only this wire carries may succeed at another target', async (t) => {
  t.match(notCarried('a', 'odd').data, {
    param: 'a',
    retryable: true,
    message: /^'a' is odd, which the API of the chosen/,
  })
})
