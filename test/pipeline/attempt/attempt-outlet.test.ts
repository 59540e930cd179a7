// Where the work of a relay goes: what counts as a token, and what becomes of a whole answer.
import { test } from 'tap'
import { ResponseDesk } from '../../../src/responses/response-desk.js'
import { type ResponseStore } from '../../../src/responses/store.js'
import { FakeDesk } from '../../helpers/fake-desk.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'
import { ANTHROPIC, OPENAI, STREAMS, WHOLES } from '../../helpers/pipeline-wires.js'
import { CAPS, createDeadStore, createMemoryStore, createSlowStore, TEXTS } from '../../helpers/responses.js'

test('only content moves the time limits of the call on', async (t) => {
  const rig = new PipelineRig()
  await rig.ask()
  const { head, content, finish } = STREAMS[OPENAI]
  rig.call.head().send(head, ': ping\n\n')
  t.equal(rig.call.tokens, 0)
  rig.call.send(content[0], content[1])
  t.equal(rig.call.tokens, 2)
  rig.call.send(finish)
  t.equal(rig.call.tokens, 2)
  rig.pipeline.endAll()
})

test('what opens a stream, and keeps it alive, is no token on any wire or relay', async (t) => {
  const ping = 'event: ping\ndata: {"type":"ping"}\n\n'
  for (const surface of [ANTHROPIC, OPENAI] as const) {
    const rig = new PipelineRig()
    await rig.ask({ surface, model: 'other' })
    const { head, content } = STREAMS[ANTHROPIC]
    rig.call.head().send(ping, head, ping, ': comment\n\n')
    t.equal(rig.call.tokens, 0, surface)
    rig.call.send(content[0] ?? '', ping, content[1] ?? '')
    t.equal(rig.call.tokens, 2, surface)
    rig.pipeline.endAll()
  }
})

test('a full worker pool at the end of an answer is our own fault: no other provider works for it', async (t) => {
  const rig = new PipelineRig()
  rig.holds.add('aggregate')
  const sink = await rig.ask({ surface: ANTHROPIC, model: 'pair', stream: false })
  rig.call.stream()
  await turn()
  await rig.refuse()
  t.equal(rig.calls.length, 1)
  t.equal(sink.answers[0]?.status, 503)
  t.same(rig.metrics.attempts, ['ok'])
  t.equal(rig.record.usageSource, 'provider', 'the provider has done its work')
  t.same(breaches(rig, [sink]), [])
})

test('an answer that cannot be read is the provider’s fault: the next one is asked', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ surface: ANTHROPIC, model: 'pair', stream: false })
  rig.call.whole('{"choices": 7}')
  await turn()
  t.equal(rig.calls.length, 2)
  rig.call.stream()
  await turn()
  t.equal(sink.answers[0]?.status, 200)
  t.same(rig.metrics.attempts, ['malformed', 'ok'])
  t.same(breaches(rig, [sink]), [])
})

const STORED = 'openai-responses'

function deskOf(store: ResponseStore, onStoreDown: 'fail' | 'forward' = 'fail'): ResponseDesk {
  return new ResponseDesk({
    store,
    texts: TEXTS,
    retentionMs: 1000,
    caps: CAPS,
    onStoreDown,
    nowMs: () => 0,
    warn: () => undefined,
  })
}

function asking(stream: boolean) {
  return { surface: STORED, whole: { model: 'pair', input: 'Hi', stream } }
}

test('the end of a stream waits for its store; all before it does not', async (t) => {
  const { store, release, waiting } = createSlowStore(createMemoryStore().store)
  const rig = new PipelineRig({ desk: deskOf(store) })
  const sink = await rig.ask(asking(true))
  rig.call.stream()
  await turn()
  t.match(sink.text, /response\.output_item\.done/)
  t.notMatch(sink.text, /response\.completed/)
  t.equal(waiting.length, 1)
  t.equal(rig.records.length, 0)
  release()
  await turn()
  t.match(sink.text, /response\.completed/)
  t.equal(rig.record.outcome, 'complete')
  t.same(breaches(rig, [sink]), [])
})

test('a whole answer waits for its store', async (t) => {
  const { store, release } = createSlowStore(createMemoryStore().store)
  const rig = new PipelineRig({ desk: deskOf(store) })
  const sink = await rig.ask(asking(false))
  rig.call.stream()
  await turn()
  t.equal(sink.answers.length, 0)
  release()
  await turn()
  t.equal(sink.answers[0]?.status, 200)
  t.same(breaches(rig, [sink]), [])
})

test('an answer that cannot be stored ends with an error, and no other provider is asked; or it is sent', async (t) => {
  for (const onStoreDown of ['fail', 'forward'] as const) {
    const rig = new PipelineRig({ desk: deskOf(createDeadStore(), onStoreDown) })
    const streamed = await rig.ask(asking(true))
    rig.call.stream()
    await turn()
    const whole = await rig.ask(asking(false))
    rig.call.stream()
    await turn()
    t.equal(rig.calls.length, 2, onStoreDown)
    t.same(rig.metrics.attempts, ['ok', 'ok'], 'the provider has done its work')
    if (onStoreDown === 'forward') {
      t.match(streamed.text, /response\.completed/)
      t.equal(whole.answers[0]?.status, 200)
    } else {
      t.match(streamed.text, /event: error[\s\S]*event: response\.failed/)
      t.notMatch(streamed.text, /response\.completed/)
      t.match(whole.answers[0], { status: 503, error: { code: 'storage_unavailable' } })
    }
    t.same(breaches(rig, [streamed, whole]), [])
  }
})

test('a client that leaves while its answer is stored gets nothing more, and the answer is stored', async (t) => {
  const { store: memory } = createMemoryStore()
  const { store, release } = createSlowStore(memory)
  const rig = new PipelineRig({ desk: deskOf(store) })
  const sink = await rig.ask(asking(false))
  rig.call.stream()
  await turn()
  sink.handle?.cancel()
  release()
  await turn()
  t.equal(rig.record.outcome, 'client_gone')
  t.equal(memory.size, 1)
  t.same(breaches(rig, [sink]), [])
})

test('what an answer had and its client’s form has not is named in the header and in the record', async (t) => {
  const citations = [{ type: 'char_location', cited_text: 'x' }]
  const body = { type: 'message', content: [{ type: 'text', text: 'Hi', citations }], stop_reason: 'end_turn' }
  const rig = new PipelineRig()
  const sink = await rig.ask({ surface: OPENAI, model: 'other', stream: false })
  rig.call.whole(JSON.stringify(body))
  await turn()
  t.equal(sink.answers[0]?.status, 200)
  t.equal(new Map(sink.answers[0]?.headers).get('x-sluice-dropped'), 'citations')
  t.same(rig.record.dropped, ['citations'])
  t.same(breaches(rig, [sink]), [])
})

test('an answer that ends at a cap which a budget has lowered is cut, any other is complete', async (t) => {
  const answer = (reason: string) => WHOLES[OPENAI].replace('"stop"', `"${reason}"`)
  for (const [tokens, reason, outcome] of [
    [200, 'length', 'limit'],
    [200, 'stop', 'complete'],
    [1e6, 'length', 'complete'],
  ] as const) {
    const whole = new PipelineRig({ budgets: new FakeDesk({ nano: null, tokens }) })
    const sink = await whole.ask({ stream: false, body: { max_tokens: 5000 } })
    whole.call.whole(answer(reason))
    await turn()
    t.match(whole.record, { outcome, status: 200, error: null }, `${tokens} ${reason}`)
    t.equal(sink.answers[0]?.isCut, outcome === 'limit' ? true : undefined)
    t.same(breaches(whole, [sink]), [])
    const stream = new PipelineRig({ budgets: new FakeDesk({ nano: null, tokens }) })
    await stream.ask({ body: { max_tokens: 5000 } })
    const { head, content, finish, marker } = STREAMS[OPENAI]
    stream.call
      .head()
      .send(head + content[0] + finish.replace('"stop"', `"${reason}"`) + marker)
      .end()
    await turn()
    t.match(stream.record, { outcome, error: null }, `stream, ${tokens} ${reason}`)
  }
})
