// Which outcome an error is.
import { test } from 'tap'
import { ERROR_CATALOGUE, errorData } from '../../src/errors.js'
import { type ErrorCode } from '../../src/model/error.js'
import { OUTCOMES } from '../../src/model/event.js'
import { outcomeOf } from '../../src/pipeline/outcome.js'

test('every error code has an outcome of the vocabulary, before content and after', async (t) => {
  for (const code of Object.keys(ERROR_CATALOGUE) as ErrorCode[]) {
    for (const hasContent of [false, true]) {
      const outcome = outcomeOf(errorData(code), hasContent)
      t.ok(OUTCOMES.includes(outcome) && outcome !== 'complete', `${code}: ${outcome}`)
    }
  }
})

test('before content a refusal is rejected; in mid-stream all that an upstream does wrong cuts it', async (t) => {
  t.equal(outcomeOf(errorData('upstream_rejected'), false), 'rejected')
  t.equal(outcomeOf(errorData('upstream_rejected'), true), 'upstream_cut')
  t.equal(outcomeOf(errorData('upstream_malformed'), true), 'upstream_cut')
  t.equal(outcomeOf(errorData('upstream_timeout'), true), 'stalled')
  t.equal(outcomeOf(errorData('internal'), true), 'failed')
})

test('limit is a limit of ours; one of the upstream’s is not', async (t) => {
  t.equal(outcomeOf(errorData('rate_limited'), false), 'limit')
  t.equal(outcomeOf(errorData('rate_limited', { upstreamStatus: 429 }), false), 'rejected')
  t.equal(outcomeOf(errorData('rate_limited', { upstreamCode: 'insufficient_quota' }), false), 'rejected')
  t.equal(outcomeOf(errorData('rate_limited'), true), 'upstream_cut')
  for (const hasContent of [false, true]) t.equal(outcomeOf(errorData('budget_exceeded'), hasContent), 'limit')
})
