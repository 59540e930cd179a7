// What an operator sees of open exchanges and does to them, on a pipeline without a network.
import { test } from 'tap'
import { cancelBy, factsOf, type OperatorExchange, Watch } from '../../src/pipeline/outside-view.js'
import { FakeSink } from '../helpers/fake-sink.js'
import { PipelineRig, turn } from '../helpers/pipeline.js'
import { breaches } from '../helpers/pipeline-breaches.js'
import { STREAMS } from '../helpers/pipeline-wires.js'

const OPENAI_STREAM = STREAMS['openai-chat']
const [FIRST = '', ...LATER] = OPENAI_STREAM.content
const TAIL = OPENAI_STREAM.finish + OPENAI_STREAM.marker

function only(rig: PipelineRig): OperatorExchange {
  const [exchange, ...others] = rig.pipeline.listOpen()
  if (exchange === undefined || others.length > 0) throw new Error('not one exchange is open')
  return exchange
}

async function beginStream(rig: PipelineRig): Promise<void> {
  rig.call.head()
  rig.call.send(OPENAI_STREAM.head + FIRST)
  await turn()
}

function textOf(watch: Watch): string {
  let text = ''
  for (let frames = watch.read(); frames !== null; frames = watch.read()) text += Buffer.from(frames).toString()
  return text
}

test('an exchange waits for a slot, then for its first token, then it streams; at its end it is not listed', async (t) => {
  const rig = new PipelineRig({ concurrency: 1 })
  const first = await rig.ask()
  t.match(factsOf(only(rig)), {
    ...{ requestId: 'req-1', key: 'team-a', model: 'one', target: 'north/up', state: 'first_token', attempts: 1 },
    ...{ transport: 'json', outputTokens: 0, tokensPerSec: null, timeToFirstTokenMs: null, stream: null, ageMs: 0 },
  })
  const second = await rig.ask()
  const waiting = rig.pipeline.listOpen().find(({ request }) => request.requestId === 'req-2')
  if (waiting === undefined) return t.fail('the second one is open')
  t.match(factsOf(waiting), { state: 'waiting', target: null, model: null, attempts: 0 })
  rig.nowMs += 500
  await beginStream(rig)
  rig.nowMs += 1500
  const streaming = rig.pipeline.listOpen().find(({ request }) => request.requestId === 'req-1')
  if (streaming === undefined) return t.fail('the first one is open')
  const facts = factsOf(streaming)
  t.match(facts, { state: 'streaming', transport: 'sse', ageMs: 2000, timeToFirstTokenMs: 500 })
  t.ok(facts.outputTokens > 0)
  t.equal(facts.tokensPerSec, Math.round((facts.outputTokens / 1.5) * 10) / 10)
  rig.call.send(LATER.join('') + TAIL)
  rig.call.end()
  await turn()
  t.same(
    rig.pipeline.listOpen().map(({ request }) => request.requestId),
    ['req-2'],
  )
  t.equal(first.deliveries[0]?.result, 'delivered')
  second.handle?.cancel()
  t.same(rig.pipeline.listOpen(), [])
})

test('a kept stream that nobody reads is parked', async (t) => {
  const rig = new PipelineRig()
  await rig.ask({ sink: Object.assign(new FakeSink(), { isParked: true }) })
  await beginStream(rig)
  t.equal(factsOf(only(rig)).state, 'parked')
  rig.pipeline.endAll()
})

test('a cancel before the stream is a status, in mid-stream an error frame without the end marker', async (t) => {
  const rig = new PipelineRig()
  const early = await rig.ask()
  t.ok(cancelBy(only(rig), 'oncall'))
  t.equal(early.answers[0]?.status, 403, 'which no client retries')
  t.match(Buffer.from(early.answers[0]?.body ?? []).toString(), /operator of the gateway cancelled/)
  const streaming = await rig.ask()
  await beginStream(rig)
  const exchange = only(rig)
  t.ok(cancelBy(exchange, 'oncall'))
  t.notOk(cancelBy(exchange, 'another'), 'it has ended')
  await turn()
  t.equal(rig.call.aborts, 1, 'the provider is cut off')
  t.match(streaming.text, /operator of the gateway cancelled/)
  t.notMatch(streaming.text, /\[DONE\]/)
  t.same(
    rig.records.map(({ outcome, cancelledBy }) => [outcome, cancelledBy]),
    [
      ['client_gone', 'oncall'],
      ['client_gone', 'oncall'],
    ],
  )
  t.same(breaches(rig, [early, streaming]), [])
})

test('a watcher gets what the client gets, and the end; it may come before the first frame', async (t) => {
  const rig = new PipelineRig()
  const client = await rig.ask()
  let notices = 0
  const watch = new Watch(only(rig), () => {
    notices += 1
  })
  t.equal(watch.read(), null)
  await beginStream(rig)
  t.ok(notices > 0)
  t.equal(textOf(watch), client.text)
  t.equal(watch.end, null)
  const late = new Watch(only(rig), () => undefined)
  rig.call.send(LATER.join('') + TAIL)
  rig.call.end()
  await turn()
  t.equal(textOf(late).length > 0, true, 'one that comes later gets what comes from then on')
  t.match(client.text, textOf(watch))
  t.same(watch.end, {
    outcome: 'complete',
    status: 200,
    error: null,
    cause: null,
    responseBytes: client.deliveries[0]?.bytes,
  })
  watch.detach()
  watch.detach()
})

test('a watcher learns the end of an answer without frames, and of a client that leaves', async (t) => {
  const rig = new PipelineRig()
  await rig.ask({ stream: false })
  const whole = new Watch(only(rig), () => undefined)
  cancelBy(only(rig), 'oncall')
  t.match(whole.end, { outcome: 'client_gone', status: 403, error: { code: 'client_gone' } })
  t.equal(whole.read(), null)
  const client = await rig.ask()
  await beginStream(rig)
  const watch = new Watch(only(rig), () => undefined)
  client.leave()
  t.match(watch.end, { outcome: 'client_gone', error: null })
})

test('a watcher that leaves, or that reads nothing, takes nothing from the client', async (t) => {
  const rig = new PipelineRig({ maxReaderLagBytes: 20_000 })
  const client = await rig.ask()
  await beginStream(rig)
  const [leaving, slow] = [new Watch(only(rig), () => undefined), new Watch(only(rig), () => undefined)]
  leaving.detach()
  t.equal(only(rig).watches?.length, 1)
  const before = client.text.length
  for (let i = 0; i < 200; i++) {
    rig.call.send(LATER[0] ?? FIRST)
    await turn()
  }
  t.ok(slow.isCut, 'it is cut like any reader that lags behind')
  t.equal(slow.read(), null)
  t.ok(client.text.length - before > 20_000)
  rig.call.send(TAIL)
  rig.call.end()
  await turn()
  t.equal(rig.record.outcome, 'complete')
  t.same(breaches(rig, [client]), [])
})
