// The error catalogue and the one error that is thrown.
import { test } from 'tap'
import { ERROR_CATALOGUE, errorData, GatewayError, toGatewayError } from '../src/errors.js'

test('every code has an HTTP error status and a sentence', async (t) => {
  for (const [code, entry] of Object.entries(ERROR_CATALOGUE)) {
    t.ok(entry.status >= 400 && entry.status < 600, code)
    t.match(entry.message, /^[A-Z].*\.$/, code)
  }
})

test('makes plain data of the catalogue, with what is special laid over it', async (t) => {
  const plain = errorData('rate_limited')
  t.same(plain, {
    code: 'rate_limited',
    message: 'Rate limit reached.',
    retryable: true,
    status: 429,
    upstreamStatus: null,
    param: null,
    upstreamType: null,
    upstreamCode: null,
    retryAfterMs: null,
  })
  const special = {
    message: 'm',
    retryable: false,
    status: 402,
    upstreamStatus: 402,
    param: 'p',
    upstreamType: 't',
    upstreamCode: 'c',
    retryAfterMs: 5,
  }
  t.same(errorData('upstream_rejected', special), { code: 'upstream_rejected', ...special })
  t.same(structuredClone(plain), plain, 'it survives a crossing of threads')
})

test('carries the data and keeps the cause', async (t) => {
  const cause = new Error('below')
  const error = new GatewayError('internal', { cause })
  t.equal(error.cause, cause)
  t.equal(error.message, 'Internal error.')
  t.notOk('cause' in new GatewayError('internal'))
  const data = errorData('upstream_cut', { param: 'x', upstreamStatus: 200 })
  t.same(GatewayError.of(data).data, data)
})

test('makes internal of anything else that is thrown, its text only as the cause', async (t) => {
  const own = new GatewayError('not_found')
  t.equal(toGatewayError(own), own)
  for (const thrown of [new TypeError('secret'), 'secret', undefined]) {
    const error = toGatewayError(thrown)
    t.equal(error.data.code, 'internal')
    t.notMatch(JSON.stringify(error.data), 'secret')
    t.equal(error.cause, thrown)
  }
})
