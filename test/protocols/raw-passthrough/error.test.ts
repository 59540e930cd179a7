// Failures in the words of the API that the route is a part of.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { type ErrorCode } from '../../../src/model/error.js'
import { encodeError } from '../../../src/protocols/raw-passthrough/error.js'

test('a word by status, and what is wrong', async (t) => {
  const table: readonly (readonly [ErrorCode, number, string])[] = [
    ['invalid_request', 400, 'bad_request'],
    ['unauthenticated', 401, 'unauthorized'],
    ['forbidden', 403, 'forbidden'],
    ['model_not_found', 404, 'not_found'],
    ['rate_limited', 429, 'rate_limited'],
    ['client_gone', 499, 'bad_request'],
    ['internal', 500, 'internal_error'],
    ['upstream_timeout', 504, 'internal_error'],
  ]
  for (const [code, status, error] of table) {
    t.same(encodeError(errorData(code, { message: 'm' })), { status, body: { error, details: 'm' } }, code)
  }
})
