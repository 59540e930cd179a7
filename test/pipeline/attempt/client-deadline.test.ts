// The client's own time limit: from the header to the last byte.
import { test } from 'tap'
import { deadlineOf, deadlinePassed } from '../../../src/pipeline/attempt/client-deadline.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'
import { KEY } from '../../helpers/pipeline-config.js'
import { OPENAI, STREAMS, surfaceOf } from '../../helpers/pipeline-wires.js'
import { thrownBy } from '../../helpers/thrown.js'

function head(text?: string) {
  const parameterHeaders: Record<string, string> = text === undefined ? {} : { 'x-sluice-timeout-ms': text }
  return { requestId: 'r', surface: surfaceOf(OPENAI), key: KEY, parameterHeaders, acceptedAtMs: 1000 }
}

test('counts from accept; without the header there is none; anything but a number is refused', async (t) => {
  t.equal(deadlineOf(head('1500')), 2500)
  t.equal(deadlineOf(head()), Number.POSITIVE_INFINITY)
  for (const text of ['', '0', '-1', '1.5', '1e3', 'soon', '1, 2', '9999999999']) {
    t.match(
      thrownBy(() => deadlineOf(head(text))),
      { code: 'invalid_request', status: 400, param: 'x-sluice-timeout-ms' },
      text,
    )
  }
  t.equal(deadlinePassed().data.status, 504)
})

const hurried = (ms: number) => ({ parameterHeaders: { 'x-sluice-timeout-ms': String(ms) } })

test('a try gets no more than what is left, and never more than the configuration has', async (t) => {
  const rig = new PipelineRig({ providerSlots: 10, retries: { max: 1 } })
  await rig.ask(hurried(900))
  t.match(rig.call.timeouts, { totalMs: 900, firstTokenMs: 2000 })
  await rig.ask(hurried(900_000))
  t.match(rig.call.timeouts, { totalMs: 4000 })
  await rig.ask({ ...hurried(900), stream: false })
  t.match(rig.call.timeouts, { totalMs: 900, firstTokenMs: 900, betweenTokensMs: 900 })
  rig.nowMs += 300
  for (const call of [...rig.calls]) call.cut()
  await turn()
  rig.pipeline.endAll()
})

test('the next target gets the remaining time; when it is over no target is called and none is blamed', async (t) => {
  const rig = new PipelineRig({ breaker: { consecutiveFailures: 1 } })
  const sink = await rig.ask({ model: 'twins', ...hurried(900) })
  rig.nowMs += 600
  rig.call.cut()
  await turn()
  t.match(rig.call.timeouts, { totalMs: 300 })
  const { name } = rig.call.request.provider
  rig.nowMs += 300
  rig.call.timeOut()
  await turn()
  t.equal(rig.calls.length, 2)
  t.equal(sink.answers[0]?.status, 504)
  t.match(sink.json, { error: { message: /x-sluice-timeout-ms/ } })
  t.same([...rig.parts.breakers.worst()], [['north', 'open']], `not ${name}`)
  t.same(breaches(rig, [sink]), [])
})

test('no pause is begun that would outlast it', async (t) => {
  const rig = new PipelineRig({ retries: { max: 2 } })
  const sink = await rig.ask(hurried(900))
  rig.call.head(429, { 'retry-after': '1' }).end()
  await turn()
  t.equal(sink.answers[0]?.status, 429)
  t.same(breaches(rig, [sink]), [])
})

test('a stream that runs over it ends in-band as stalled', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask(hurried(900))
  rig.call.head().send(STREAMS[OPENAI].content[0])
  rig.nowMs += 900
  rig.call.timeOut()
  await turn()
  t.match(sink.text, /x-sluice-timeout-ms/)
  t.equal(rig.record.outcome, 'stalled')
  t.same(breaches(rig, [sink]), [])
})

test('a wrong header is refused before anybody is asked', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ parameterHeaders: { 'x-sluice-timeout-ms': 'soon' } })
  t.equal(sink.answers[0]?.status, 400)
  t.equal(rig.calls.length, 0)
  t.same(breaches(rig, [sink]), [])
})
