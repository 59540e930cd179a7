// Heads and bytes of answers.
import { test } from 'tap'
import { ERROR_CATALOGUE, errorData } from '../../../src/errors.js'
import { type ErrorCode, type ErrorData } from '../../../src/model/error.js'
import { errorAnswer } from '../../../src/pipeline/delivery/answer.js'
import { type Answer } from '../../../src/pipeline/sink.js'
import { FakeSink } from '../../helpers/fake-sink.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'
import { ANTHROPIC, OPENAI, surfaceOf } from '../../helpers/pipeline-wires.js'

function headersOf(answer: Answer | undefined): Record<string, string> {
  return Object.fromEntries(answer?.headers ?? [])
}

const PLAIN = {
  surface: null,
  requestId: 'r',
  subject: { model: null, hasKey: true },
  headers: [],
  hasDetails: false,
} as const

test('a result names its target, its attempts, the limits and the time the gateway took', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ stream: false })
  rig.nowMs += 250
  rig.call.whole()
  await turn()
  t.match(headersOf(sink.answers[0]), {
    'x-sluice-target': 'north/up',
    'x-sluice-attempts': '1',
    'x-sluice-overhead-ms': '0.000',
    'x-ratelimit-limit-tokens': '1000000',
  })
})

test('the gateway’s own time leaves out every upstream that was tried', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ model: 'pair', stream: false })
  rig.nowMs += 400
  rig.call.cut()
  await turn()
  rig.nowMs += 300
  rig.call.whole()
  await turn()
  t.match(headersOf(sink.answers[0]), { 'x-sluice-attempts': '2', 'x-sluice-overhead-ms': '0.000' })
  t.equal(rig.record.overheadMs, 0)
})

test('what the target cannot carry is named', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ model: 'other', stream: false, body: { logit_bias: { 50256: -100 } } })
  rig.call.stream()
  await turn()
  t.match(headersOf(sink.answers[0])['x-sluice-dropped'], /logit_bias/)
  t.match(rig.record.dropped, [/logit_bias/])
})

test('no status of an upstream reaches a client that would mislead it', async (t) => {
  for (const surface of [OPENAI, ANTHROPIC] as const) {
    for (const status of [301, 302, 307, 399, 408, 499, 600, 999]) {
      const rig = new PipelineRig()
      const sink = await rig.ask({ surface, model: 'one', stream: false })
      rig.call.head(status).send('{"error":{"message":"no"}}').end()
      await turn()
      t.ok([502, 504].includes(sink.answers[0]?.status ?? 0), `${surface} ${status}: ${sink.answers[0]?.status}`)
      t.equal(rig.record.status, sink.answers[0]?.status)
      t.same(breaches(rig, [sink]), [])
    }
  }
})

test('an error has Retry-After: its own time, or a second if the gateway is full', async (t) => {
  const told = errorAnswer(errorData('rate_limited', { retryAfterMs: 1500 }), { ...PLAIN, headers: [['x-a', 'b']] })
  t.match(headersOf(told), { 'x-a': 'b', 'retry-after': '2', 'retry-after-ms': '1500' })
  t.match(headersOf(errorAnswer(errorData('draining'), PLAIN)), { 'retry-after': '1' })
  t.notOk('retry-after' in headersOf(errorAnswer(errorData('invalid_request'), PLAIN)))
})

test('an error says whether a retry can help, whatever its status suggests', async (t) => {
  const verdictOf = (error: ErrorData) => headersOf(errorAnswer(error, PLAIN))['x-should-retry']
  for (const code of Object.keys(ERROR_CATALOGUE) as ErrorCode[]) {
    t.equal(verdictOf(errorData(code)), String(ERROR_CATALOGUE[code].retryable), code)
  }
  t.equal(verdictOf(errorData('rate_limited', { retryable: false })), 'false', 'a quota that is used up')
  t.equal(verdictOf(errorData('upstream_rejected', { status: 500, retryable: true })), 'true')
  const conflict = errorData('upstream_rejected', { status: 409, upstreamStatus: 409 })
  t.equal(verdictOf(conflict), undefined, 'a conflict at the provider is left to the client')
})

test('a path of no surface gets the plain envelope', async (t) => {
  const { status, body } = errorAnswer(errorData('not_found'), PLAIN)
  t.equal(status, 404)
  t.match(JSON.parse(Buffer.from(body).toString()), { error: { code: 'not_found', type: 'not_found' } })
  const own = errorAnswer(errorData('not_found'), { ...PLAIN, surface: surfaceOf(ANTHROPIC) })
  t.match(JSON.parse(Buffer.from(own.body).toString()), { type: 'error', error: { type: 'not_found_error' } })
})

test('with errorDetails an error includes its details beside the envelope', async (t) => {
  const error = errorData('upstream_rejected', {
    upstreamStatus: 422,
    upstreamCode: 'too_hot',
    cause: new Error('secret'),
  })
  const { body } = errorAnswer(error, { ...PLAIN, surface: surfaceOf(OPENAI), hasDetails: true })
  const told = JSON.parse(Buffer.from(body).toString())
  t.match(told.error, { code: 'too_hot' })
  t.strictSame(told.details, {
    ...{ code: 'upstream_rejected', message: error.message, param: null, retryable: false },
    ...{ upstream: { status: 422, type: null, code: 'too_hot' }, request_id: 'r' },
  })
  const rig = new PipelineRig({ errorDetails: true })
  const sink = await rig.ask({ body: { messages: 7 } })
  t.match(sink.json, { error: { param: 'messages' }, details: { code: 'invalid_request', request_id: 'req-1' } })
  const quiet = await new PipelineRig().ask({ body: { messages: 7 } })
  t.notOk('details' in quiet.json)
})

test('a sink that breaks at its answer still settles, as failed, with the cause for the log', async (t) => {
  const rig = new PipelineRig()
  const sink = new FakeSink()
  sink.breaksAt = 'reply'
  await rig.ask({ sink, stream: false })
  rig.call.whole()
  await turn()
  t.match(rig.record, { outcome: 'failed', error: { code: 'internal' }, cause: { message: /broke at reply/ } })
  t.same(breaches(rig, [sink]), [])
})
