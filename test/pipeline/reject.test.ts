// How errors become answers and outcomes.
import { test } from 'tap'
import { ERROR_CATALOGUE, errorData, GatewayError } from '../../src/errors.js'
import { type ErrorCode } from '../../src/model/error.js'
import { OUTCOMES } from '../../src/model/event.js'
import { outcomeOf } from '../../src/pipeline/reject.js'
import { breaches, FakeSink, KEY, OPENAI, PipelineRig, STREAMS, surfaceOf, turn } from '../helpers/pipeline.js'

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
})

test('an error of the upstream in mid-stream is told in the client’s form, and is never a success', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask()
  const { content, failure, finish, marker } = STREAMS[OPENAI]
  rig.call.head().send(content[0], failure, finish, marker).end()
  await turn()
  t.match(rig.record, { outcome: 'upstream_cut', status: 200, error: { message: 'It broke.' } })
  t.ok(sink.text.trimEnd().endsWith('}'), 'nothing follows the error')
  t.same(breaches(rig, [sink]), [])
})

test('a request that never became an exchange has the same envelope, line and count', async (t) => {
  const rig = new PipelineRig()
  for (const [surface, key] of [
    [surfaceOf(OPENAI), KEY],
    [null, null],
  ] as const) {
    const sink = new FakeSink()
    rig.nowMs += 5
    const error = new GatewayError('payload_too_large')
    const rejection = {
      requestId: 'r',
      surface,
      key,
      hasKey: key !== null,
      error,
      requestBytes: 12,
      acceptedAtMs: rig.nowMs - 5,
    }
    rig.pipeline.reject(rejection, sink)
    t.equal(sink.answers[0]?.status, 413)
    t.match(rig.record, {
      surface: surface?.id ?? 'other',
      keyName: key?.name ?? null,
      outcome: 'rejected',
      status: 413,
      requestBytes: 12,
      totalMs: 5,
    })
  }
  t.equal(rig.metrics.started, 2)
  t.equal(rig.metrics.settled.length, 2)
})
