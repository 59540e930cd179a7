// A stream that its budgets can no longer pay is cut cleanly: whole for its client, stopped for its provider, paid, and shared with nobody.
import { test } from 'tap'
import { ResponseDesk } from '../../../../src/responses/response-desk.js'
import { FakeDesk } from '../../../helpers/fake-desk.js'
import { PipelineRig, turn } from '../../../helpers/pipeline.js'
import { breaches } from '../../../helpers/pipeline-breaches.js'
import { ANTHROPIC, event, OPENAI, STREAMS, type Wire } from '../../../helpers/pipeline-wires.js'
import { CAPS, createMemoryStore, createSlowStore, TEXTS } from '../../../helpers/responses.js'

const WAYS: readonly (readonly [surface: Wire, model: string])[] = [
  [OPENAI, 'one'],
  [OPENAI, 'other'],
  [ANTHROPIC, 'other'],
  [ANTHROPIC, 'one'],
]
const REASON = { [OPENAI]: '"finish_reason":"length"', [ANTHROPIC]: '"stop_reason":"max_tokens"' }
const NOTHING = { nano: 0, tokens: 0 }

/** A piece of content of 400 bytes, which are 100 tokens. */
function piece(wire: Wire): string {
  return STREAMS[wire].content[0].replace('Hel', 'x'.repeat(400))
}

function setUp(tokens: number) {
  const desk = new FakeDesk({ nano: null, tokens })
  return { desk, rig: new PipelineRig({ budgets: desk }) }
}

for (const [surface, model] of WAYS) {
  test(`the end is the client’s own: ${surface} from ${model}`, async (t) => {
    const { desk, rig } = setUp(400)
    const sink = await rig.ask({ surface, model, body: { max_tokens: 5000 } })
    const { call } = rig
    call.head().send(STREAMS[call.wire].head)
    for (let i = 0; i < 3; i++) call.send(piece(call.wire))
    await turn()
    t.notOk(rig.records.length, 'it is paid so far')
    call.send(piece(call.wire))
    await turn()
    t.match(rig.record, { outcome: 'limit', status: 200, error: null })
    t.ok(sink.text.includes(REASON[surface]), sink.text.slice(-600))
    t.ok(sink.text.includes(STREAMS[surface].endMarker))
    if (surface === ANTHROPIC)
      t.match(sink.text, /"content_block_stop","index":0[\s\S]*max_tokens/, 'its block is ended')
    t.notMatch(sink.text, /error/)
    t.equal(sink.text.split('x'.repeat(400)).length - 1, 4, 'all that has come is delivered')
    t.equal(call.aborts, 1)
    call.send(piece(call.wire))
    await turn()
    t.same(breaches(rig, [sink]), [])
    t.same(desk.reserved, NOTHING)
    t.ok(desk.spent.tokens >= 400 && desk.spent.tokens < 460, 'at most one read more than there was')
    t.same(rig.metrics.attempts, ['ok'], 'the provider has done nothing wrong')
  })
}

test('as long as something is left the stream goes on, far beyond what was reserved at first', async (t) => {
  const { desk, rig } = setUp(1e6)
  for (let i = 0; i < 30; i++) rig.learned.of({ provider: 'north', model: 'up' }).noteOutput(50, 0)
  await rig.ask({ body: { max_tokens: 64_000 } })
  rig.call.head().send(STREAMS[OPENAI].head)
  for (let i = 0; i < 50; i++) rig.call.send(piece(OPENAI))
  rig.call.send(STREAMS[OPENAI].finish + STREAMS[OPENAI].marker).end()
  await turn()
  t.equal(rig.record.outcome, 'complete')
  t.ok(desk.extensions > 10)
  t.same(desk.reserved, NOTHING)
})

test('an end that the provider has written is not written again', async (t) => {
  for (const [surface, model] of WAYS) {
    const { rig } = setUp(300)
    const sink = await rig.ask({ surface, model, body: { max_tokens: 5000 } })
    const { head, finish, marker } = STREAMS[rig.call.wire]
    const last = piece(rig.call.wire).repeat(4)
    rig.call
      .head()
      .send(head + last + finish + marker)
      .end()
    await turn()
    t.equal(rig.record.outcome, 'complete')
    t.notOk(sink.text.includes(REASON[surface]))
    t.equal(sink.text.split(STREAMS[surface].endMarker).length, surface === OPENAI ? 2 : 3)
  }
})

test('the index of the block that is open is the provider’s', async (t) => {
  const { rig } = setUp(400)
  const sink = await rig.ask({ surface: ANTHROPIC, model: 'other', body: { max_tokens: 5000 } })
  const { head } = STREAMS[ANTHROPIC]
  const next = [
    event({ type: 'content_block_stop', index: 0 }),
    event({ type: 'content_block_start', index: 1, content_block: { type: 'text', text: '' } }),
  ]
  rig.call.head().send(head + piece(ANTHROPIC) + next.join(''))
  for (let i = 0; i < 4; i++) rig.call.send(piece(ANTHROPIC).replace('"index":0', '"index":1'))
  await turn()
  t.equal(rig.record.outcome, 'limit')
  const end = sink.text.slice(sink.text.lastIndexOf('xxx'))
  t.match(end, /"type":"content_block_stop","index":1/)
  t.notMatch(end, /"index":0/)
})

test('an answer that is cut is stored before its client has the end of it', async (t) => {
  const { store, release, waiting } = createSlowStore(createMemoryStore().store)
  const responses = { store, texts: TEXTS, retentionMs: 1000, caps: CAPS, onStoreDown: 'fail' as const }
  const stored = new ResponseDesk({ ...responses, nowMs: () => 0, warn: () => undefined })
  const desk = new FakeDesk({ nano: null, tokens: 400 })
  const rig = new PipelineRig({ budgets: desk, desk: stored })
  const sink = await rig.ask({ surface: 'openai-responses', whole: { model: 'one', input: 'Hi', stream: true } })
  rig.call.head().send(STREAMS[OPENAI].head)
  for (let i = 0; i < 4; i++) rig.call.send(piece(OPENAI))
  await turn()
  t.equal(waiting.length, 1)
  t.notMatch(sink.text, /response\.incomplete/)
  t.same(desk.reserved, NOTHING, 'paid already')
  release()
  await turn()
  t.match(sink.text, /response\.incomplete/)
  t.match(sink.text, /"reason":"max_output_tokens"/)
  t.match(rig.record, { outcome: 'limit', error: null })
  t.same(breaches(rig, [sink]), [])
})
