// Errors as the counters call them.
import { test } from 'tap'
import { resultOf } from '../../src/pipeline/attempt-result.js'

test('each fault of an upstream has its word, and all else is a refusal', async (t) => {
  t.equal(resultOf('upstream_unreachable'), 'unreachable')
  t.equal(resultOf('upstream_timeout'), 'timeout')
  t.equal(resultOf('upstream_malformed'), 'malformed')
  t.equal(resultOf('upstream_cut'), 'cut')
  t.equal(resultOf('upstream_overloaded'), 'rejected')
  t.equal(resultOf('rate_limited'), 'rejected')
})
