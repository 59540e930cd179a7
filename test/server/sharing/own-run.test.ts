// What a retry gets, and a repetition with an Idempotency-Key: the answer of the request that it repeats, or an answer of its own.
import { mock } from 'node:test'
import { test } from 'tap'
import { MAX_READERS } from '../../../src/streams/kept/readable-log.js'
import { MAX_WAITERS } from '../../../src/streams/sharing/shared-run.js'
import { collectAll } from '../../helpers/kept.js'
import { turn } from '../../helpers/pipeline.js'
import { KEEPALIVE_MS, KEY } from '../../helpers/pipeline-config.js'
import { OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'
import {
  FOREIGN_KEY,
  GRACE_MS,
  KEEP_MS,
  type SharedAsking,
  SharingRig,
  WHOLE_STREAM,
} from '../../helpers/sharing-rig.js'

const { head, content, finish, marker } = STREAMS[OPENAI]
const WHOLE = [head, ...content, finish, marker]
const RETRY = { retryCount: '1' }
const withoutIds = (text: string) => text.replace(/^id: \d+\n/gm, '')

/** A request whose client was lost in mid-stream. */
async function lost(rig: SharingRig, asking: SharedAsking = {}) {
  const client = await rig.ask({ asks: true, ...asking })
  rig.pipe.call.head().send(head, content[0])
  await turn()
  await client.leave()
  return client
}

test('a retry of a stream that was lost gets that stream from its beginning', async (t) => {
  const rig = new SharingRig(t, null, { concurrency: 1 })
  const first = await lost(rig)
  const retry = await rig.ask({ ...RETRY, asks: true })
  t.equal(rig.calls, 1)
  t.equal(retry.header('x-sluice-attached'), 'retry')
  t.equal(retry.header('x-sluice-stream'), first.header('x-sluice-stream'), 'by its id')
  rig.pipe.call.send(content[1], content[2], finish, marker).end()
  await turn()
  t.equal(withoutIds(retry.text), WHOLE_STREAM)
  t.match(retry.text, /^id: 0\ndata/)
  t.match(rig.pipe.records, [
    { requestId: first.requestId, outcome: 'complete', shared: null },
    { requestId: retry.requestId, outcome: 'complete', shared: { how: 'retry', requestId: first.requestId } },
  ])
  t.same(rig.readers, ['first client_gone', 'retry delivered'])
  await rig.ask(RETRY)
  t.equal(rig.calls, 2, 'it was delivered: the next one is another question')
})

test('once its client has everything, no retry can mean it, and the index forgets it', async (t) => {
  const rig = new SharingRig(t, null)
  await rig.ask({ asks: true })
  t.equal(rig.ground.index.size, 1)
  rig.pipe.call
    .head()
    .send(...WHOLE)
    .end()
  await turn()
  t.same(rig.readers, ['first delivered'])
  t.equal(rig.ground.index.size, 0)
})

test('one of two readers may still be lost, so that it can be meant', async (t) => {
  const rig = new SharingRig(t, null)
  await lost(rig)
  const retry = await rig.ask(RETRY)
  t.equal(retry.header('x-sluice-attached'), 'retry')
  rig.pipe.call.send(content[1], content[2], finish, marker).end()
  await turn()
  t.equal(rig.ground.index.size, 1, 'until its time is over')
})

test('what is kept for a retry holds nothing of the request, its client or its provider', async (t) => {
  const rig = new SharingRig(t, null)
  const desk = await endedDesk(rig)
  rig.pipe.calls.splice(0)
  await turn()
  collectAll()
  t.equal(desk.deref(), undefined)
  const retry = await rig.ask(RETRY)
  t.equal(rig.calls, 0)
  t.equal(retry.text, WHOLE_STREAM, 'it is still answered from the stream')
})

/** The desk of a request that was lost and has ended, behind which everything else of it is. */
async function endedDesk(rig: SharingRig): Promise<WeakRef<object>> {
  const { desk } = await lost(rig)
  rig.pipe.call.send(content[1], content[2], finish, marker).end()
  await turn()
  await turn()
  if (desk === null) throw new Error('no desk')
  return new WeakRef(desk)
}

test('it needs no slot, which the first one may hold, and gets no ids that it did not ask for', async (t) => {
  const rig = new SharingRig(t, null, { concurrency: 1, queueMax: 0 })
  await lost(rig)
  const retry = await rig.ask(RETRY)
  rig.pipe.call.send(content[1], content[2], finish, marker).end()
  await turn()
  t.equal(retry.text, WHOLE_STREAM)
  t.equal(rig.pipe.limiter.active(), 0)
})

test('a retry may come after the end, for a minute', async (t) => {
  const rig = new SharingRig(t, null)
  await lost(rig)
  rig.pipe.call.send(content[1], content[2], finish, marker).end()
  await turn()
  rig.timers.advance(60_000)
  const retry = await rig.ask(RETRY)
  t.equal(retry.text, WHOLE_STREAM)
  t.equal(rig.calls, 1)

  const late = new SharingRig(t, null)
  await lost(late)
  late.pipe.call.send(content[1], content[2], finish, marker).end()
  await turn()
  late.timers.advance(60_001)
  await late.ask(RETRY)
  t.equal(late.calls, 2)
})

test('what is no certain retry runs anew, and takes a slot', async (t) => {
  const askings: SharedAsking[] = [
    {},
    { retryCount: '0' },
    { retryCount: 'x' },
    { ...RETRY, content: 'other' },
    { ...RETRY, key: FOREIGN_KEY },
    { ...RETRY, path: { streams: false, provider: null, callerKey: 'sk-own' } },
    { ...RETRY, key: { index: -1, name: null, digest: null } },
    { ...RETRY, idempotencyKey: 'k' },
  ]
  for (const asking of askings) {
    const rig = new SharingRig(t, null)
    await lost(rig)
    await rig.ask(asking)
    t.equal(rig.calls, 2, JSON.stringify(asking))
    t.equal(rig.pipe.limiter.active(), 2)
  }
})

test('a first request that did not ask to be kept is not joined', async (t) => {
  const rig = new SharingRig(t, null)
  const client = await rig.ask()
  rig.pipe.call.head().send(head, content[0])
  await turn()
  await client.leave()
  t.equal(rig.pipe.call.aborts, 1)
  await rig.ask({ ...RETRY, asks: true })
  t.equal(rig.calls, 2)
})

test('of two that were lost none is joined; of two of which one was lost, that one', async (t) => {
  const rig = new SharingRig(t, null)
  await rig.ask({ asks: true })
  await lost(rig)
  const retry = await rig.ask(RETRY)
  t.equal(rig.calls, 2)
  await retry.leave()
  await lost(rig)
  t.equal(rig.calls, 3)
  await rig.ask(RETRY)
  t.equal(rig.calls, 4)
})

test('a stream that failed, or was given up, is not joined', async (t) => {
  const failed = new SharingRig(t, null)
  await lost(failed)
  failed.pipe.call.cut()
  await turn()
  await failed.ask(RETRY)
  t.equal(failed.calls, 2)
  const abandoned = new SharingRig(t, null)
  await lost(abandoned)
  abandoned.timers.advance(GRACE_MS)
  t.equal(abandoned.pipe.call.aborts, 1)
  await abandoned.ask(RETRY)
  t.equal(abandoned.calls, 2)
})

test('a retry that comes while its connection still seems there waits up to half a second for it to go', async (t) => {
  const rig = new SharingRig(t, null)
  const first = await rig.ask({ asks: true })
  rig.pipe.call.head().send(head, content[0])
  await turn()
  const retry = await rig.ask(RETRY)
  rig.timers.advance(400)
  await turn()
  t.equal(rig.calls, 1)
  t.equal(retry.text, '')
  await first.leave()
  rig.timers.advance(25)
  await turn()
  t.equal(retry.header('x-sluice-attached'), 'retry')
  t.equal(retry.text, head + content[0])

  const alive = new SharingRig(t, null)
  await alive.ask({ asks: true })
  await alive.ask(RETRY)
  alive.timers.advance(499)
  await turn()
  t.equal(alive.calls, 1)
  alive.timers.advance(26)
  await turn()
  t.equal(alive.calls, 2)
  const leaving = await alive.ask({ ...RETRY, content: 'b' })
  t.equal(alive.calls, 3)
  t.notOk(leaving.isDone)
})

test('a retry that leaves while it waits leaves nothing behind', async (t) => {
  const rig = new SharingRig(t, null)
  await rig.ask({ asks: true })
  const retry = await rig.ask(RETRY)
  await retry.leave()
  t.match(rig.pipe.records, [{ requestId: retry.requestId, outcome: 'client_gone' }])
  rig.timers.advance(1000)
  await turn()
  t.equal(rig.calls, 1)
})

test('a client that is lost before the first frame is waited for, and its retry waits with it', async (t) => {
  const rig = new SharingRig(t, null)
  const first = await rig.ask({ asks: true })
  await first.leave()
  t.equal(rig.pipe.call.aborts, 0)
  rig.timers.advance(GRACE_MS - 1)
  const retry = await rig.ask(RETRY)
  rig.timers.advance(GRACE_MS * 2)
  t.equal(rig.pipe.call.aborts, 0)
  rig.pipe.call.stream()
  await turn()
  t.equal(retry.text, WHOLE_STREAM)
  t.equal(rig.calls, 1)

  const alone = new SharingRig(t, null)
  await (await alone.ask({ asks: true })).leave()
  alone.timers.advance(GRACE_MS)
  t.equal(alone.pipe.call.aborts, 1)
  t.equal(alone.ground.index.size, 0)
  t.match(alone.pipe.record, { outcome: 'client_gone' })
})

test('a whole answer whose client was lost is kept for its retry', async (t) => {
  const rig = new SharingRig(t, null)
  const first = await rig.ask({ asks: true, stream: false })
  await first.leave()
  const waiting = await rig.ask({ ...RETRY, stream: false })
  rig.pipe.call.whole()
  await turn()
  t.match(waiting.sink.answers, [{ status: 200, error: null }])
  t.equal(waiting.header('x-sluice-attached'), 'retry')
  t.equal(rig.ground.index.size, 0, 'it was delivered')

  const second = await rig.ask({ asks: true, stream: false })
  await second.leave()
  rig.pipe.call.whole()
  await turn()
  t.match(rig.pipe.record, { requestId: second.requestId, outcome: 'complete' })
  rig.timers.advance(59_000)
  const retry = await rig.ask({ ...RETRY, stream: false })
  t.equal(rig.calls, 2)
  t.same(retry.sink.json, waiting.sink.json)
  t.match(rig.pipe.record, { shared: { how: 'retry', requestId: second.requestId }, usage: { outputTokens: 0 } })
  await rig.ask({ ...RETRY, stream: false })
  t.equal(rig.calls, 3, 'once')
})

test('an error is no answer to a retry', async (t) => {
  const rig = new SharingRig(t, null)
  const first = await rig.ask({ asks: true })
  await first.leave()
  await rig.ask(RETRY)
  rig.pipe.call.head(500, { 'content-type': 'application/json' }).send('{}').end()
  await turn()
  t.equal(rig.calls, 2)
})

test('a repetition with the key of a stream that runs or is kept gets that stream', async (t) => {
  const rig = new SharingRig(t, null, { concurrency: 1 })
  const keyed = { idempotencyKey: 'k1' }
  const first = await rig.ask(keyed)
  t.same(first.keyEvents, ['stream'])
  rig.pipe.call.head().send(head, content[0])
  await turn()
  t.match(first.header('x-sluice-stream'), /^str_/, 'a key counts as asking')
  t.match(first.text, /^id: 0\n/)
  const beside = await rig.ask(keyed)
  t.equal(beside.header('x-sluice-attached'), 'retry')
  await first.leave()
  rig.pipe.call.send(content[1], content[2], finish, marker).end()
  await turn()
  t.same(first.keyEvents, ['stream', 'end'])
  const later = await rig.ask(keyed)
  for (const client of [beside, later]) t.equal(withoutIds(client.text), WHOLE_STREAM)
  t.equal(rig.calls, 1)
  rig.timers.advance(KEEP_MS + 1)
  await rig.ask(keyed)
  t.equal(rig.calls, 2, 'after its retention the key is free')
})

test('a key belongs to one request of one caller', async (t) => {
  const rig = new SharingRig(t, null)
  await rig.ask({ idempotencyKey: 'k1' })
  t.throws(() => rig.startAsk({ idempotencyKey: 'k1', content: 'other' }), /mismatch/)
  await rig.ask({ idempotencyKey: 'k1', key: FOREIGN_KEY })
  await rig.ask({ idempotencyKey: 'k2' })
  t.equal(rig.calls, 3)
})

test('a connection lost before the first frame goes on for its grace, and is joined by its key', async (t) => {
  const rig = new SharingRig(t, null)
  const first = await rig.ask({ idempotencyKey: 'k1' })
  await first.leave()
  rig.timers.advance(GRACE_MS - 1)
  t.equal(rig.pipe.call.aborts, 0)
  const again = await rig.ask({ idempotencyKey: 'k1' })
  rig.timers.advance(GRACE_MS * 3)
  rig.pipe.call.stream()
  await turn()
  t.equal(withoutIds(again.text), WHOLE_STREAM)
  t.equal(rig.calls, 1)

  const alone = await rig.ask({ idempotencyKey: 'k2' })
  await alone.leave()
  rig.timers.advance(GRACE_MS)
  t.equal(rig.pipe.call.aborts, 1)
  t.same(alone.keyEvents, ['stream', 'end'])
  await rig.ask({ idempotencyKey: 'k2' })
  t.equal(rig.calls, 3, 'the key is free')
})

test('a failure frees the key; who waited gets it as well', async (t) => {
  const rig = new SharingRig(t, null)
  const first = await rig.ask({ idempotencyKey: 'k1' })
  const beside = await rig.ask({ idempotencyKey: 'k1' })
  rig.pipe.call.head(500, { 'content-type': 'application/json' }).send('{"error":{"message":"Broken."}}').end()
  await turn()
  for (const client of [first, beside]) t.match(client.sink.answers, [{ error: { upstreamStatus: 500 } }])
  await rig.ask({ idempotencyKey: 'k1' })
  t.equal(rig.calls, 2)
  rig.pipe.call.head().send(head, content[0]).cut()
  await turn()
  await rig.ask({ idempotencyKey: 'k1' })
  t.equal(rig.calls, 3)
})

test('a whole answer is not of this store: its key is left to the other, and repetitions are told to come back', async (t) => {
  const rig = new SharingRig(t, null)
  const first = await rig.ask({ idempotencyKey: 'k1', stream: false })
  t.same(first.keyEvents, [])
  t.equal(rig.ground.index.size, 0)
  await first.leave()
  t.equal(rig.pipe.call.aborts, 1, 'and its client takes it along')
})

test('it works without gateway keys, and with a key of the caller', async (t) => {
  for (const asking of [
    { key: { index: -1, name: null, digest: null } },
    { path: { streams: false, provider: null, callerKey: 'sk-own' } },
  ]) {
    const rig = new SharingRig(t, null)
    await rig.ask({ idempotencyKey: 'k1', ...asking })
    const again = await rig.ask({ idempotencyKey: 'k1', ...asking })
    rig.pipe.call.stream()
    await turn()
    t.equal(rig.calls, 1)
    t.equal(withoutIds(again.text), WHOLE_STREAM)
  }
})

test('a repetition of a stream that turns out not to be kept is told to come back', async (t) => {
  const rig = new SharingRig(t, null, { roomBytes: 0 })
  const first = await rig.ask({ idempotencyKey: 'k1' })
  const beside = await rig.ask({ idempotencyKey: 'k1' })
  rig.pipe.call.head().send(head, content[0])
  await turn()
  t.match(beside.sink.answers, [{ status: 409, error: { param: 'Idempotency-Key', retryAfterMs: 1000 } }])
  t.same(first.keyEvents, ['stream', 'end'], 'the key is free as soon as it has begun')
  t.equal(first.text, head + content[0], 'and its client gets it all the same')
  await rig.ask({ idempotencyKey: 'k1' })
  t.equal(rig.calls, 2)
})

test('a client with a key that is gone before its request is read takes a whole answer along', async (t) => {
  const rig = new SharingRig(t, null)
  rig.pipe.holds.add('decode')
  const client = await rig.ask({ idempotencyKey: 'k1', stream: false })
  await client.leave()
  t.same(rig.pipe.records, [], 'it might have been a stream')
  await rig.pipe.release()
  t.match(rig.pipe.records, [{ outcome: 'client_gone' }])
  t.same(client.keyEvents, ['end'])
  t.equal(rig.calls, 0)
})

test('a lost whole answer takes memory for a minute, and is not kept where there is none', async (t) => {
  const rig = new SharingRig(t, null, { roomBytes: 2000 })
  const askAndLeave = async (content: string) => {
    const client = await rig.ask({ asks: true, stream: false, content })
    await client.leave()
    rig.pipe.call.whole()
    await turn()
  }
  for (let i = 0; i < 30; i++) await askAndLeave(`question ${i}`)
  const held = rig.ground.index.size
  t.ok(held > 0 && held < 30, `${held} of 30`)
  rig.timers.advance(60_000)
  t.equal(rig.ground.index.size, 0)
  await askAndLeave('again')
  t.equal(rig.ground.index.size, 1, 'the memory is free again')
})

test('a large request is told from others like any other; who leaves while it is hashed does not run', async (t) => {
  const rig = new SharingRig(t, null)
  const large = { asks: true, content: 'x'.repeat(300_000) }
  const first = rig.decide(large)
  t.ok(first.verdict instanceof Promise, 'on another thread')
  t.match(await first.verdict, { kind: 'lead' })
  first.desk.clientLeft()
  const other = rig.decide({ ...large, ...RETRY, content: `${large.content}y` })
  t.match(await other.verdict, { kind: 'enter' })
  const retry = rig.decide({ ...large, ...RETRY })
  first.desk.ended()
  t.match(await retry.verdict, { kind: 'enter' }, 'it has failed meanwhile')
  const gone = rig.decide(large)
  gone.desk.ended()
  t.match(await gone.verdict, { kind: 'alone' })
})

test('keys of streams that failed or are forgotten are free for other requests', async (t) => {
  const rig = new SharingRig(t, null)
  await rig.ask({ idempotencyKey: 'k1' })
  rig.pipe.call.stream()
  await turn()
  rig.timers.advance(KEEP_MS + 1)
  await rig.ask({ idempotencyKey: 'k1', content: 'another question' })
  t.equal(rig.calls, 2)
})

test('a leader whose client was lost is repeated from its own stream, which ends a moment after its request', async (t) => {
  const rig = new SharingRig(t, { coalesce: true, cache: null })
  const first = await rig.ask({ idempotencyKey: 'k1' })
  await first.leave()
  rig.pipe.call.stream()
  await turn()
  t.match(rig.pipe.records, [{ requestId: first.requestId, outcome: 'complete' }])
  t.same(first.keyEvents, ['stream', 'end'])
  const again = await rig.ask({ idempotencyKey: 'k1' })
  t.equal(rig.calls, 1)
  t.equal(withoutIds(again.text), WHOLE_STREAM)

  const lostLeader = await rig.ask({ asks: true })
  await lostLeader.leave()
  rig.pipe.call.stream()
  await turn()
  t.equal(withoutIds((await rig.ask({ ...RETRY, asks: true })).text), WHOLE_STREAM)
  t.equal(rig.calls, 2)
})

test('repetitions that wait for one answer hold their bodies without a slot, so there are few', async (t) => {
  const rig = new SharingRig(t, null, { concurrency: 1, queueMax: 0 })
  const keyed = { idempotencyKey: 'k1' }
  const first = await rig.ask(keyed)
  const waiting: Awaited<ReturnType<typeof rig.ask>>[] = []
  for (let i = 0; i < MAX_WAITERS; i++) waiting.push(await rig.ask(keyed))
  const refused = await rig.ask(keyed)
  t.match(refused.sink.answers, [{ status: 429, error: { code: 'rate_limited', retryable: true } }])
  t.match(
    waiting.map(({ sink }) => sink.answers),
    waiting.map(() => []),
  )
  await waiting[0]?.leave()
  const next = await rig.ask(keyed)
  t.same(next.sink.answers, [], 'one has left')
  rig.pipe.call.stream()
  await turn()
  for (const client of [first, next, ...waiting.slice(1)]) t.equal(withoutIds(client.text), WHOLE_STREAM)
  t.equal(rig.calls, 1)
  t.equal(rig.pipe.limiter.active(), 0)
})

test('repetitions that read one stream are as few as its readers may be', async (t) => {
  const rig = new SharingRig(t, null)
  const keyed = { idempotencyKey: 'k1' }
  await rig.ask(keyed)
  rig.pipe.call.head().send(head, content[0])
  await turn()
  for (let i = 1; i < MAX_READERS; i++) await rig.ask(keyed)
  const refused = await rig.ask(keyed)
  t.match(refused.sink.answers, [{ status: 429, error: { code: 'rate_limited' } }])
  t.equal(rig.calls, 1)
})

test('a repetition that is kept alive while the first one waits for its slot has a stream of its own, which ends', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const rig = new SharingRig(t, null, { concurrency: 1 })
  const running = await rig.ask({ content: 'one' })
  const keyed = { idempotencyKey: 'k1' }
  const first = await rig.ask(keyed)
  const again = await rig.ask(keyed)
  rig.pipe.nowMs += KEEPALIVE_MS
  mock.timers.tick(KEEPALIVE_MS)
  t.equal(again.sink.keepalives, 1)
  const id = again.header('x-sluice-stream') ?? ''
  t.match(id, /^str_/, 'its client has been told an id')
  await running.leave()
  await turn()
  rig.pipe.call.head().send(head, content[0])
  await turn()
  await again.leave()
  rig.pipe.call.send(content[1], content[2], finish, marker).end()
  await turn()
  t.equal(withoutIds(first.text), WHOLE_STREAM)
  const own = rig.ground.streams.find(id, KEY.digest ?? '')
  t.match(own?.streamEnd, { outcome: 'complete' }, 'which ends like the other')
  t.equal(own?.next, rig.ground.streams.find(first.header('x-sluice-stream') ?? '', KEY.digest ?? '')?.next)
  t.equal(withoutIds(again.text), `: ping\n${head}${content[0]}`)
  t.match(rig.pipe.records, [{}, { outcome: 'complete' }, { shared: { how: 'retry' }, outcome: 'complete' }])
  rig.timers.advance(KEEP_MS)
  t.equal(rig.ground.streams.size, 0)
  t.equal(rig.pipe.limiter.active(), 0)
})

test('a retry that was kept alive while it waited has a stream of its own, which ends', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const rig = new SharingRig(t, null, { concurrency: 1 })
  const running = await rig.ask({ content: 'one' })
  const first = await rig.ask({ asks: true })
  await first.leave()
  const retry = await rig.ask({ ...RETRY, asks: true })
  rig.pipe.nowMs += KEEPALIVE_MS
  mock.timers.tick(KEEPALIVE_MS)
  await turn()
  t.equal(retry.sink.keepalives, 1)
  await running.leave()
  await turn()
  rig.pipe.call.stream()
  await turn()
  t.equal(withoutIds(retry.text), `: ping\n${WHOLE_STREAM}`)
  t.equal(rig.calls, 2)
  rig.timers.advance(KEEP_MS)
  t.equal(rig.ground.streams.size, 0)
})
