// Whole results, and the documented bodies of errors.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { encodeError, encodeResponse } from '../../../src/protocols/prompt-stream/answer.js'
import { FALLBACK } from '../../helpers/protocol-fixtures.js'

test('a result is the text alone', async (t) => {
  const content = [
    { type: 'reasoning', text: 'hm', signature: null, redacted: null },
    { type: 'text', text: 'a' },
    { type: 'text', text: 'b' },
  ] as const
  const response = { meta: FALLBACK, content, finishReason: 'stop', stopSequence: null, usage: null } as const
  t.strictSame(encodeResponse(response), { result: 'ab' })
})

test('a missing token, a wrong one, an unknown model and all else have their bodies', async (t) => {
  t.strictSame(encodeError(errorData('unauthenticated'), 'r', { model: null, hasKey: false }), {
    status: 401,
    body: { message: 'Token is missing!' },
  })
  t.strictSame(encodeError(errorData('unauthenticated'), 'r'), { status: 401, body: { message: 'Invalid token!' } })
  t.strictSame(encodeError(errorData('model_not_found'), 'r', { model: 'gtp-4', hasKey: true }), {
    status: 400,
    body: { error: 'Unsupported model: gtp-4' },
  })
  t.equal(encodeError(errorData('model_not_found'), 'r').status, 404)
  t.strictSame(encodeError(errorData('overloaded', { message: 'Full.' }), 'r', { model: 'm', hasKey: true }), {
    status: 503,
    body: { error: 'Full.' },
  })
})
