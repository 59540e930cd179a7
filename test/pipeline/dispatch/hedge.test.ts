// Two targets for one stream: who wins, what becomes of the other, and that nothing is left of either.
import { mock } from 'node:test'
import { type Test, test } from 'tap'
import { type FakeCall } from '../../helpers/fake-call.js'
import { type FakeSink } from '../../helpers/fake-sink.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'
import { type RigOptions } from '../../helpers/pipeline-config.js'
import { OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'
import { sentBytes } from '../../helpers/sent-bytes.js'

const { head, content, finish, marker } = STREAMS[OPENAI]
const AFTER_MS = 500

function setUp(t: Test, options: RigOptions = {}): PipelineRig {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  return new PipelineRig(options)
}

async function pass(rig: PipelineRig, ms: number): Promise<void> {
  rig.nowMs += ms
  mock.timers.tick(ms)
  await turn()
}

/** One request whose first token is late, so that both are under way. */
async function race(rig: PipelineRig): Promise<{ sink: FakeSink; first: FakeCall; second: FakeCall }> {
  const sink = await rig.ask({ model: 'hedged' })
  const first = rig.call.head().send(head.replace('"c1"', '"first"'))
  await pass(rig, AFTER_MS)
  return { sink, first, second: rig.call }
}

test('a first token in time starts no second attempt', async (t) => {
  const rig = setUp(t)
  const sink = await rig.ask({ model: 'hedged' })
  await pass(rig, AFTER_MS - 1)
  rig.call.stream()
  await pass(rig, AFTER_MS)
  t.equal(rig.calls.length, 1)
  t.same(rig.metrics.retries, [])
  t.same(breaches(rig, [sink]), [])
})

test('the second target has the client if its content is first; of the first not a byte goes out', async (t) => {
  const rig = setUp(t)
  const { sink, first, second } = await race(rig)
  t.equal(second.request.provider.name, 'south')
  second.head().send(head, content[0])
  t.equal(first.aborts, 1, 'at once')
  second.send(content[1], content[2], finish, marker).end()
  await turn()
  t.notOk(sink.text.includes('first'))
  t.match(Object.fromEntries(sink.heads[0]?.headers ?? []), { 'x-sluice-target': 'south/up', 'x-sluice-attempts': '2' })
  t.match(rig.record, { provider: 'south', outcome: 'complete', usageSource: 'provider', usage: { inputTokens: 11 } })
  t.same(rig.metrics.attempts, ['aborted', 'ok'])
  t.same(rig.metrics.retries, ['south hedge'])
  t.same(breaches(rig, [sink]), [])
})

test('the first target may still win: the record, the headers and the usage are its own', async (t) => {
  const rig = setUp(t)
  const { sink, first, second } = await race(rig)
  second.head().send(head)
  first.send(content[0])
  t.equal(second.aborts, 1)
  first.send(content[1], finish, marker).end()
  await turn()
  t.match(Object.fromEntries(sink.heads[0]?.headers ?? []), { 'x-sluice-target': 'north/up' })
  t.match(rig.record, { provider: 'north', outcome: 'complete', usageSource: 'provider', attempts: 2 })
  t.equal(sink.text.split('"role"').length, 2, 'one opening')
  t.same(breaches(rig, [sink]), [])
})

test('when one fails the other continues; when both fail the client gets the failure of the first', async (t) => {
  for (const order of ['first', 'second'] as const) {
    const rig = setUp(t)
    const scene = await race(rig)
    const [early, late] = order === 'first' ? [scene.first, scene.second] : [scene.second, scene.first]
    early.cut()
    await turn()
    t.equal(scene.sink.answers.length, 0, order)
    late.head().send(content[0], finish, marker).end()
    await turn()
    t.equal(rig.record.outcome, 'complete')
    t.same(breaches(rig, [scene.sink]), [], order)
    mock.timers.reset()
  }
  const rig = setUp(t)
  const { sink, first, second } = await race(rig)
  first.timeOut()
  second.cut()
  await turn()
  // The one that was second is still in its turn.
  rig.call.cut()
  await turn()
  t.ok((sink.answers[0]?.status ?? 0) >= 502)
  t.same(breaches(rig, [sink]), [])
})

test('when both fail, the first one’s failure says whether a further target may help', async (t) => {
  const rig = setUp(t)
  const sink = await rig.ask({ model: 'hedged' })
  const first = rig.call
  await pass(rig, AFTER_MS)
  first.head(400).send('{"error":{"message":"bad field"}}').end()
  rig.call.cut()
  await turn()
  t.equal(sink.answers[0]?.status, 400)
  t.equal(rig.calls.length, 2, 'what is wrong with the request is wrong everywhere')
  t.same(breaches(rig, [sink]), [])
})

test('the second target is written its own body, and is not asked to think where that is known to fail', async (t) => {
  const rig = setUp(t)
  const bodies: ArrayBufferLike[] = []
  const { encode } = rig.parts.offload
  Object.assign(rig.parts.offload, {
    encode: (task: Parameters<typeof encode>[0]) => {
      bodies.push(task.body.buffer)
      return encode(task)
    },
  })
  rig.parts.thinking.note({ provider: 'south', model: 'up' } as never)
  const sink = await rig.ask({ model: 'hedged', body: { reasoning_effort: 'high' } })
  const first = rig.call
  await pass(rig, AFTER_MS)
  const asked = [first, rig.call].map(({ request }) => JSON.parse(sentBytes(request.body).toString()).reasoning_effort)
  t.same(asked, ['high', undefined])
  t.not(bodies[0], bodies[1], 'a worker may take the second one’s away')
  rig.call.stream()
  await turn()
  t.same(breaches(rig, [sink]), [])
})

test('a second target whose body is ready too late is not called', async (t) => {
  const rig = setUp(t)
  const sink = await rig.ask({ model: 'hedged' })
  rig.holds.add('encode')
  await pass(rig, AFTER_MS)
  rig.call.stream()
  await turn()
  await rig.release()
  t.equal(rig.calls.length, 1)
  t.equal(rig.record.outcome, 'complete')
  t.same(breaches(rig, [sink]), [])
})

const STRIKE = { breaker: { consecutiveFailures: 1 } }

/** A target whose breaker has opened, and now waits for a probe. */
async function trip(rig: PipelineRig, model: string): Promise<FakeSink> {
  const sink = await rig.ask({ model })
  rig.call.cut()
  await turn()
  rig.nowMs += 5000
  return sink
}

test('a probe that the budget denies leaves its place to the next request', async (t) => {
  const rig = setUp(t, { ...STRIKE, providerSlots: 10 })
  const { sink, second } = await race(rig)
  second.stream()
  await turn()
  const sinks = [sink, await trip(rig, 'at-south'), await rig.ask({ model: 'hedged' })]
  await pass(rig, AFTER_MS)
  t.same(rig.metrics.retries, ['south hedge', 'south denied'])
  sinks.push(await rig.ask({ model: 'at-south' }))
  t.equal(rig.call.request.provider.name, 'south')
  for (const call of rig.calls) call.stream()
  await turn()
  t.same(breaches(rig, sinks), [])
})

test('a second target that is a probe has passed with its first content', async (t) => {
  const rig = setUp(t, { ...STRIKE, providerSlots: 10 })
  const sinks = [await trip(rig, 'at-south')]
  const { sink, second } = await race(rig)
  second.head().send(head, content[0])
  await turn()
  const calls = rig.calls.length
  sinks.push(sink, await rig.ask({ model: 'at-south' }), await rig.ask({ model: 'at-south' }))
  t.equal(rig.calls.length, calls + 2, 'its end may be minutes away')
  for (const call of rig.calls) call.send(content[1], finish, marker).end().stream()
  await turn()
  t.same(breaches(rig, sinks), [])
})

test('a first target that is a probe and lost the race has not passed', async (t) => {
  const rig = setUp(t, { ...STRIKE, providerSlots: 10 })
  const sinks = [await trip(rig, 'one')]
  const { sink, second } = await race(rig)
  t.equal(second.request.provider.name, 'south')
  second.stream()
  await turn()
  sinks.push(sink, await rig.ask({ model: 'one' }), await rig.ask({ model: 'one' }))
  t.equal(sinks.at(-1)?.answers[0]?.status, 503, 'one probe at a time')
  for (const call of rig.calls) call.stream()
  await turn()
  t.same(breaches(rig, sinks), [])
})

test('a client that leaves, and a drain, stop both', async (t) => {
  for (const leave of [(sink: FakeSink) => sink.leave(), (_: FakeSink, rig: PipelineRig) => rig.pipeline.endAll()]) {
    const rig = setUp(t)
    const { sink, first, second } = await race(rig)
    leave(sink, rig)
    await turn()
    t.same([first.aborts, second.aborts], [1, 1])
    t.same(rig.metrics.attempts, ['aborted', 'aborted'])
    t.ok(rig.record.usage.inputTokens > 0, 'what was sent costs')
    t.same(breaches(rig, [sink]), [])
    mock.timers.reset()
  }
})

test('a failure of the winner after its content is in-band, and the loser stays away', async (t) => {
  const rig = setUp(t)
  const { sink, second } = await race(rig)
  second.head().send(head, content[0]).cut()
  await pass(rig, AFTER_MS)
  t.equal(rig.calls.length, 2)
  t.equal(rig.record.outcome, 'upstream_cut')
  t.same(breaches(rig, [sink]), [])
})

test('no more than the share of streams is doubled, and none that does not stream', async (t) => {
  const rig = setUp(t, { concurrency: 1000, providerSlots: 1000 })
  const sinks: FakeSink[] = []
  for (let i = 0; i < 100; i++) {
    sinks.push(await rig.ask({ model: 'hedged' }))
    await pass(rig, AFTER_MS)
    for (const call of rig.calls) if (!call.isOver) call.stream()
    await turn()
  }
  const extra = rig.calls.length - 100
  t.ok(extra >= 4 && extra <= 6, `${extra}`)
  t.ok(rig.metrics.retries.includes('south denied'))
  const calls = rig.calls.length
  sinks.push(await rig.ask({ model: 'hedged', stream: false }))
  await pass(rig, AFTER_MS)
  t.equal(rig.calls.length, calls + 1)
  rig.call.whole()
  await pass(rig, 1000)
  t.same(breaches(rig, sinks), [])
})

test('a second target that is full, out or cannot be encoded for is skipped', async (t) => {
  const full = setUp(t, { providerSlots: 1 })
  const other = await full.ask({ model: 'at-south' })
  const sink = await full.ask({ model: 'hedged' })
  await pass(full, AFTER_MS)
  t.equal(full.calls.length, 2)
  for (const call of full.calls) call.stream()
  await turn()
  t.same(breaches(full, [other, sink]), [])
  mock.timers.reset()

  const lost = setUp(t)
  const asked = await lost.ask({ model: 'hedged' })
  lost.holds.add('encode')
  await pass(lost, AFTER_MS)
  await lost.refuse()
  lost.call.stream()
  await turn()
  t.equal(lost.record.outcome, 'complete')
  t.equal(lost.record.provider, 'north')
  t.same(breaches(lost, [asked]), [])
})

test('by percentile, no second attempt is made before enough streams were seen', async (t) => {
  const rig = setUp(t)
  const sinks: FakeSink[] = []
  const serve = async (ms: number): Promise<number> => {
    const before = rig.calls.length
    sinks.push(await rig.ask({ model: 'usual' }))
    await pass(rig, ms)
    const calls = rig.calls.length - before
    for (const call of rig.calls) if (!call.isOver) call.stream()
    await pass(rig, 1000)
    return calls
  }
  for (let i = 0; i < 20; i++) t.equal(await serve(100), 1)
  t.equal(await serve(99), 1)
  t.equal(await serve(100), 2)
  t.same(breaches(rig, sinks), [])
})

test('a winner after hidden reasoning keeps the time of its first token', async (t) => {
  for (const winner of ['first', 'second'] as const) {
    const rig = setUp(t)
    const startedAtMs = rig.nowMs
    const sink = await rig.ask({ model: 'hedged', surface: 'prompt-stream', body: { prompt: 'Hi' } })
    const first = rig.call.head().send(head)
    const thought = content[0].replace('"content"', '"reasoning_content"')
    await pass(rig, 100)
    first.send(thought)
    await pass(rig, AFTER_MS - 100)
    const second = rig.call.head().send(head)
    await pass(rig, 100)
    second.send(thought)
    await pass(rig, 100)
    const call = winner === 'first' ? first : second
    call.send(content[1], finish, marker).end()
    await turn()
    t.equal(rig.record.timeToFirstTokenMs, winner === 'first' ? 100 : AFTER_MS + 100, winner)
    t.ok(rig.nowMs > startedAtMs)
    t.same(breaches(rig, [sink]), [])
    mock.timers.reset()
  }
})
