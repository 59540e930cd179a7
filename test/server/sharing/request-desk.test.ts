// Equal requests that run at once: one upstream request, every one of them its own end.
import { test } from 'tap'
import { turn } from '../../helpers/pipeline.js'
import { OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'
import {
  COALESCE,
  FOREIGN_KEY,
  GRACE_MS,
  recordOf,
  SEAM_MS,
  SHOWS_PLACE,
  type SharedAsking,
  SharingRig,
  WHOLE_STREAM,
} from '../../helpers/sharing-rig.js'

const { head, content, finish, marker } = STREAMS[OPENAI]

test('a request that is equal to one that runs gets its stream from the first frame on', async (t) => {
  const rig = new SharingRig(t, COALESCE)
  const leader = await rig.ask()
  const early = await rig.ask()
  t.equal(rig.calls, 1)
  rig.pipe.call.head().send(head, content[0])
  await turn()
  const late = await rig.ask()
  t.equal(rig.calls, 1)
  t.ok(late.text.length > 0, 'what was said before it came')
  t.equal(late.text, leader.text)
  t.equal(rig.pipe.limiter.active(), 3, 'each has a slot of its own')
  rig.pipe.call.send(content[1], content[2], finish, marker).end()
  await turn()
  for (const client of [leader, early, late]) {
    t.equal(client.text, WHOLE_STREAM)
    t.same(
      client.sink.deliveries.map(({ result }) => result),
      ['delivered'],
    )
    t.same(client.sink.late, [])
  }
  t.equal(leader.header('x-sluice-cache'), 'miss')
  for (const follower of [early, late]) {
    t.equal(follower.header('x-sluice-cache'), 'follower')
    t.equal(follower.header('x-sluice-target'), 'north/up')
    const record = recordOf(rig, follower)
    t.match(record, { outcome: 'complete', shared: { how: 'follower', requestId: leader.requestId }, attempts: 0 })
    t.equal(record?.usage.outputTokens, 0)
  }
  t.match(recordOf(rig, leader), { outcome: 'complete', shared: null, usage: { outputTokens: 7 } })
  t.same(rig.cacheResults, ['miss', 'follower', 'follower'])
  t.same(rig.readers.sort(), ['first delivered', 'follower delivered', 'follower delivered'])
  t.equal(rig.pipe.limiter.active(), 0)
  t.equal(rig.ground.index.size, 0)
  t.equal(rig.ground.streams.size, 0)
})

test('requests of different traces are equal all the same', async (t) => {
  const rig = new SharingRig(t, COALESCE)
  for (const digit of ['1', '2']) {
    const traceparent = `00-4bf92f3577b34da6a3ce929d0e0e473${digit}-00f067aa0ba902b7-01`
    await rig.ask({ parameterHeaders: { traceparent, tracestate: `vendor=${digit}` } })
  }
  t.equal(rig.calls, 1)
})

test('what is not equal, or opts out, runs by itself', async (t) => {
  const rig = new SharingRig(t, COALESCE, { concurrency: 100 })
  await rig.ask()
  const others: SharedAsking[] = [
    { content: 'Ho' },
    { key: FOREIGN_KEY },
    { stream: false },
    { cacheControl: 'no-cache' },
    { parameterHeaders: { 'x-sluice-timeout-ms': '1000' } },
    { parameterHeaders: { beta: '1' } },
    { path: { streams: false, provider: null, callerKey: 'sk-own' } },
    { key: { index: -1, name: null, owner: null } },
    { model: 'pair' },
  ]
  for (const [index, asking] of others.entries()) {
    await rig.ask(asking)
    t.equal(rig.calls, 2 + index, JSON.stringify(asking))
  }
  await rig.ask({ cacheControl: 'no-cache' })
  t.equal(rig.calls, 2 + others.length, 'it follows none, though another has opted out as well')
  await rig.ask({ parameterHeaders: { 'x-sluice-timeout-ms': '1000' } })
  t.equal(rig.calls, 3 + others.length, 'nor does one with the same time limit as another')
})

test('a gateway without coalesce shares nothing', async (t) => {
  const rig = new SharingRig(t, null)
  const first = await rig.ask()
  const second = await rig.ask()
  t.equal(first.desk, null)
  t.equal(second.desk, null)
  t.equal(rig.calls, 2)
})

test('fifty followers, any of them leaving at any moment, change nothing for the others', async (t) => {
  const rig = new SharingRig(t, COALESCE, { concurrency: 100 })
  const clients = [await rig.ask()]
  const steps = [() => rig.pipe.call.head().send(head), ...content.map((each) => () => rig.pipe.call.send(each))]
  for (let i = 0; i < 25; i++) clients.push(await rig.ask())
  for (const [at, step] of steps.entries()) {
    step()
    await turn()
    for (let i = 0; i < 7; i++) clients.push(await rig.ask())
    // The one that came first among them.
    for (const client of clients.slice(at * 5, at * 5 + 5)) await client.leave()
  }
  rig.pipe.call.send(finish, marker).end()
  await turn()
  t.equal(clients.length, 54)
  t.equal(rig.calls, 1)
  t.equal(rig.pipe.call.aborts, 0)
  const gone = clients.filter(({ isGone }) => isGone)
  t.equal(gone.length, 20)
  for (const client of gone) t.ok(WHOLE_STREAM.startsWith(client.text))
  for (const client of clients.filter(({ isGone }) => !isGone)) {
    if (client.text !== WHOLE_STREAM) t.fail(client.text)
  }
  t.equal(rig.pipe.records.length, 54)
  const outcomes = clients.map((client) => recordOf(rig, client)?.outcome)
  t.equal(outcomes.filter((outcome) => outcome === 'client_gone').length, 19, 'the leader settles with the stream')
})

test('when all have left the upstream is aborted, whoever goes last', async (t) => {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
  ]) {
    const rig = new SharingRig(t, COALESCE)
    const clients = [await rig.ask(), await rig.ask(), await rig.ask()]
    rig.pipe.call.head().send(head, content[0])
    await turn()
    for (const index of order) {
      t.equal(rig.pipe.call.aborts, 0)
      await clients[index]?.leave()
      rig.timers.advance(SEAM_MS - 1)
    }
    t.equal(rig.pipe.call.aborts, 0)
    rig.timers.advance(1)
    t.equal(rig.pipe.call.aborts, 1)
    t.equal(rig.pipe.records.length, 3)
    t.equal(rig.ground.index.size, 0)
    t.equal(rig.ground.streams.size, 0)
    t.equal(rig.pipe.limiter.active(), 0)
  }
})

test('before the first frame it goes on for those who wait, and is cancelled with the last of them', async (t) => {
  const rig = new SharingRig(t, COALESCE)
  const leader = await rig.ask()
  const follower = await rig.ask()
  await leader.leave()
  t.equal(rig.pipe.call.aborts, 0)
  t.equal(rig.pipe.records.length, 0)
  const late = await rig.ask()
  t.equal(rig.calls, 1)
  await follower.leave()
  t.equal(rig.pipe.call.aborts, 0)
  rig.pipe.call.stream()
  await turn()
  t.equal(late.text, WHOLE_STREAM)
  t.equal(follower.text, '')

  const [one, two] = [await rig.ask({ content: 'b' }), await rig.ask({ content: 'b' })]
  await one.leave()
  await two.leave()
  t.equal(rig.pipe.call.aborts, 1)
  t.equal(rig.ground.index.size, 0)
  t.equal(rig.pipe.limiter.active(), 0)
})

test("a provider's refusal before the first frame is everybody's", async (t) => {
  const rig = new SharingRig(t, COALESCE)
  const clients = [await rig.ask(), await rig.ask(), await rig.ask()]
  rig.pipe.call.head(429, { 'content-type': 'application/json' }).send('{"error":{"message":"Slow down."}}').end()
  await turn()
  for (const client of clients) t.match(client.sink.answers, [{ status: 429, error: { message: 'Slow down.' } }])
  t.equal(rig.calls, 1)
  await rig.ask()
  t.equal(rig.calls, 2, 'and is not kept')
})

test('a refusal by a limit of ours is not: the next one runs, and the others follow it', async (t) => {
  const rig = new SharingRig(t, COALESCE, { providerSlots: 1 })
  await rig.ask({ content: 'other' })
  const clients = [rig.startAsk({}), rig.startAsk({}), rig.startAsk({})]
  await turn()
  for (const client of clients) t.match(client.sink.answers, [{ status: 503 }])
  t.equal(rig.calls, 1, 'each was refused by itself')
  t.match(
    clients.map((client) => recordOf(rig, client)?.shared),
    [null, null, null],
  )
})

test('a failure in mid-stream reaches every follower in-band', async (t) => {
  const rig = new SharingRig(t, COALESCE)
  const clients = [await rig.ask(), await rig.ask()]
  rig.pipe.call.head().send(head, content[0])
  await turn()
  clients.push(await rig.ask())
  rig.pipe.call.cut()
  await turn()
  for (const client of clients) {
    t.match(client.text, /Hel.*\n\n.*"code":"upstream_cut"/s)
    t.notMatch(client.text, /\[DONE\]/)
    t.equal(recordOf(rig, client)?.outcome, 'upstream_cut')
    t.equal(client.text, clients[0]?.text, 'the same bytes')
  }
})

test('requests that began while they waited, to show their places, share as ever', async (t) => {
  const rig = new SharingRig(t, COALESCE, { concurrency: 2 })
  const running = [await rig.ask({ content: 'one' }), await rig.ask({ content: 'two' })]
  const leader = await rig.ask({ content: 'same', ...SHOWS_PLACE })
  // What a client is shown while it waits is no part of what it asks.
  const follower = await rig.ask({ content: 'same' })
  const last = await rig.ask({ content: 'same', ...SHOWS_PLACE })
  await turn()
  t.same([leader.sink.places.length, follower.sink.places.length, last.sink.places.length], [1, 0, 1])
  t.equal(leader.sink.heads.length, 1, 'it has begun')
  for (const client of running) await client.leave()
  await turn()
  t.equal(rig.calls, 3, 'one for both that have entered')
  rig.pipe.call.stream()
  await turn()
  t.equal(leader.text, WHOLE_STREAM)
  t.equal(follower.text, WHOLE_STREAM)
  await turn()
  t.equal(rig.calls, 4, 'the first is over when the last one enters')
  rig.pipe.call.stream()
  await turn()
  t.equal(last.text, WHOLE_STREAM)
  t.same([rig.pipe.limiter.active(), rig.ground.streams.size, rig.ground.index.size], [0, 0, 0])
})

test('a gateway that keeps no streams and shares no answers opens no desk', async (t) => {
  const rig = new SharingRig(t, null, { keeps: false })
  const client = await rig.ask({ retryCount: '1', asks: true, cacheControl: 'no-cache' })
  t.equal(client.desk, null)
  const sharing = new SharingRig(t, COALESCE, { keeps: false })
  const [leader, follower] = [await sharing.ask({ asks: true }), await sharing.ask({ retryCount: '1' })]
  sharing.pipe.call.stream()
  await turn()
  t.equal(sharing.calls, 1, 'models share their answers without it')
  for (const each of [leader, follower]) t.equal(each?.text, WHOLE_STREAM)
})

test('a follower whose turn comes when it has left does not run', async (t) => {
  const rig = new SharingRig(t, COALESCE, { tokensPerMinute: 10 })
  const leader = rig.startAsk({})
  const follower = rig.startAsk({})
  follower.isGone = true
  follower.sink.leave()
  await turn()
  t.match(leader.sink.answers, [{ status: 429 }])
  t.match(recordOf(rig, follower), { outcome: 'client_gone' })
  t.equal(rig.ground.index.size, 0)
})

test('each that runs is drained like any other, and so are those who follow it or repeat it', async (t) => {
  const rig = new SharingRig(t, { coalesce: true, cache: { ttlMs: 1000, scope: 'key' } })
  const clients = [await rig.ask(), await rig.ask({ asks: true })]
  rig.pipe.call.head().send(head, content[0])
  await turn()
  clients.push(await rig.ask())
  const waiting = await rig.ask({ content: 'b' })
  clients.push(waiting, await rig.ask({ content: 'b' }))
  rig.pipe.pipeline.endAll()
  await turn()
  t.equal(rig.pipe.pipeline.openCount(), 0)
  for (const client of clients) {
    t.ok(client.isDone)
    t.equal(recordOf(rig, client)?.outcome, 'drained')
  }
  t.equal(rig.ground.index.size, 0)
  t.equal(rig.pipe.limiter.active(), 0)
})

test('a leader whose own grace has run out before the first frame leaves those who wait alone', async (t) => {
  const rig = new SharingRig(t, COALESCE)
  const leader = await rig.ask({ asks: true })
  const follower = await rig.ask()
  await leader.leave()
  rig.timers.advance(GRACE_MS * 2)
  t.equal(rig.pipe.call.aborts, 0)
  rig.pipe.call.stream()
  await turn()
  t.equal(follower.text, WHOLE_STREAM)
})

test('a key makes a request known to those who have it, not to equal ones', async (t) => {
  for (const asking of [
    { path: { streams: false, provider: null, callerKey: 'sk-own' } },
    { key: { index: -1, name: null, owner: null } },
  ]) {
    const rig = new SharingRig(t, COALESCE)
    await rig.ask({ ...asking, idempotencyKey: 'k1' })
    await rig.ask({ ...asking, idempotencyKey: 'k2' })
    t.equal(rig.calls, 2)
    await rig.ask({ ...asking, idempotencyKey: 'k1' })
    t.equal(rig.calls, 2)
  }
})

test('where some models share, a request for another one is decided at once, without a hash of its body', async (t) => {
  const rig = new SharingRig(t, COALESCE)
  const content0 = 'x'.repeat(300_000)
  t.same(rig.decide({ content: content0 }).verdict, { kind: 'alone' })
  t.ok(rig.decide({ content: content0, asks: true }).verdict instanceof Promise)
  t.ok(rig.decide({ content: content0, retryCount: '1' }).verdict instanceof Promise)
})
