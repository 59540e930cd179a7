// Errors as the counters call them, and refused keys as clients hear of them.
import { test } from 'tap'
import { errorData, GatewayError } from '../../../src/errors.js'
import { blameKey, resultOf } from '../../../src/pipeline/attempt/attempt-result.js'

test('each fault of an upstream has its word, and all else is a refusal', async (t) => {
  t.equal(resultOf('upstream_unreachable'), 'unreachable')
  t.equal(resultOf('upstream_timeout'), 'timeout')
  t.equal(resultOf('upstream_malformed'), 'malformed')
  t.equal(resultOf('upstream_cut'), 'cut')
  t.equal(resultOf('upstream_overloaded'), 'rejected')
  t.equal(resultOf('rate_limited'), 'rejected')
})

const OPERATORS = { apiKey: 'sk-x', headers: {}, callerKey: null }

test("a refusal of the gateway's key is upstream_auth, without the provider's type or code", (t) => {
  const words = { message: 'No.', upstreamType: 'authentication_error', upstreamCode: 'invalid_api_key' }
  for (const status of [401, 403]) {
    const { data } = blameKey(
      new GatewayError('upstream_rejected', { ...words, status, upstreamStatus: status }),
      OPERATORS,
    )
    t.match(data, { code: 'upstream_auth', status: 502, retryable: false, upstreamStatus: status })
    t.match(data, { upstreamType: null, upstreamCode: null })
  }
  const inStream = blameKey(new GatewayError('upstream_rejected', { status: 401 }), OPERATORS)
  t.equal(inStream.data.upstreamStatus, 401, 'an error within a stream is known to be the upstream’s')
  const cause = new Error('why')
  const denied = blameKey(new GatewayError('upstream_rejected', { status: 403, message: 'Region.', cause }), OPERATORS)
  t.equal(denied.data.message, 'The provider denied the gateway access (403): Region.')
  t.equal(denied.cause, cause)
  t.end()
})

test("a refusal of the caller's own key, and any other refusal, is left as it is", (t) => {
  const refused = new GatewayError('upstream_rejected', { status: 401, upstreamStatus: 401 })
  t.equal(blameKey(refused, { ...OPERATORS, callerKey: 'sk-mine' }), refused)
  for (const status of [400, 402, 404, 407, 500]) {
    const other = new GatewayError('upstream_rejected', { status, upstreamStatus: status })
    t.equal(blameKey(other, OPERATORS), other)
  }
  const ours = GatewayError.of(errorData('unauthenticated'))
  t.equal(blameKey(ours, OPERATORS), ours)
  t.end()
})
