// A failure's text stands where its clients look for it, and where those of other APIs do.
import { test } from 'tap'
import { ERROR_CATALOGUE, errorData } from '../../../src/errors.js'
import { type ErrorCode } from '../../../src/model/error.js'
import { encodeError } from '../../../src/protocols/provider-chat/error.js'

test('every code has its status, the text and its word', async (t) => {
  for (const code of Object.keys(ERROR_CATALOGUE) as ErrorCode[]) {
    const { status, message } = ERROR_CATALOGUE[code]
    const error = { message, type: code, param: null, code }
    t.same(encodeError(errorData(code)), { status, body: { detail: message, error } })
  }
})

test("an upstream's own words go before ours", async (t) => {
  const error = errorData('upstream_rejected', { status: 404, upstreamType: 'gone', upstreamCode: 'x', param: 'model' })
  t.match(encodeError(error), { status: 404, body: { error: { type: 'gone', code: 'x', param: 'model' } } })
})
