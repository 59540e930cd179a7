// What a retry gets: the answer of the request that it repeats, if it is certain which one that is, or an answer of its own.
import { test } from 'tap'
import { collectAll } from '../../../helpers/kept.js'
import { turn } from '../../../helpers/pipeline.js'
import { OPENAI, STREAMS } from '../../../helpers/pipeline-wires.js'
import {
  FOREIGN_KEY,
  GRACE_MS,
  loseInMidStream,
  RETRY,
  SHOWS_PLACE,
  type SharedAsking,
  SharingRig,
  WHOLE_STREAM,
  withoutIds,
} from '../../../helpers/sharing-rig.js'

const { head, content, finish, marker } = STREAMS[OPENAI]
const WHOLE = [head, ...content, finish, marker]

test('a retry of a stream that was lost gets that stream from its beginning', async (t) => {
  const rig = new SharingRig(t, null, { concurrency: 1 })
  const first = await loseInMidStream(rig)
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
  await loseInMidStream(rig)
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
  const { desk } = await loseInMidStream(rig)
  rig.pipe.call.send(content[1], content[2], finish, marker).end()
  await turn()
  await turn()
  if (desk === null) throw new Error('no desk')
  return new WeakRef(desk)
}

test('it needs no slot, which the first one may hold, and gets no ids that it did not ask for', async (t) => {
  const rig = new SharingRig(t, null, { concurrency: 1, queueMax: 0 })
  await loseInMidStream(rig)
  const retry = await rig.ask(RETRY)
  rig.pipe.call.send(content[1], content[2], finish, marker).end()
  await turn()
  t.equal(retry.text, WHOLE_STREAM)
  t.equal(rig.pipe.limiter.active(), 0)
})

test('a retry may come after the end, for a minute', async (t) => {
  const rig = new SharingRig(t, null)
  await loseInMidStream(rig)
  rig.pipe.call.send(content[1], content[2], finish, marker).end()
  await turn()
  rig.timers.advance(60_000)
  const retry = await rig.ask(RETRY)
  t.equal(retry.text, WHOLE_STREAM)
  t.equal(rig.calls, 1)

  const late = new SharingRig(t, null)
  await loseInMidStream(late)
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
    { ...RETRY, key: { index: -1, name: null, owner: null } },
    { ...RETRY, idempotencyKey: 'k' },
  ]
  for (const asking of askings) {
    const rig = new SharingRig(t, null)
    await loseInMidStream(rig)
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
  await loseInMidStream(rig)
  const retry = await rig.ask(RETRY)
  t.equal(rig.calls, 2)
  await retry.leave()
  await loseInMidStream(rig)
  t.equal(rig.calls, 3)
  await rig.ask(RETRY)
  t.equal(rig.calls, 4)
})

test('a stream that failed, or was given up, is not joined', async (t) => {
  const failed = new SharingRig(t, null)
  await loseInMidStream(failed)
  failed.pipe.call.cut()
  await turn()
  await failed.ask(RETRY)
  t.equal(failed.calls, 2)
  const abandoned = new SharingRig(t, null)
  await loseInMidStream(abandoned)
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

test('a kept request that began while it waited is found by its retry', async (t) => {
  const rig = new SharingRig(t, null, { concurrency: 1 })
  const running = await rig.ask({ content: 'one' })
  const first = await rig.ask({ asks: true, ...SHOWS_PLACE })
  await turn()
  t.equal(first.sink.places.length, 1)
  t.match(first.header('x-sluice-stream'), /^str_/)
  await running.leave()
  await turn()
  rig.pipe.call.head().send(head, content[0])
  await turn()
  await first.leave()
  const retry = await rig.ask({ asks: true, retryCount: '1', ...SHOWS_PLACE })
  rig.pipe.call.send(content[1], content[2], finish, marker).end()
  await turn()
  t.equal(rig.calls, 2)
  t.equal(retry.header('x-sluice-attached'), 'retry')
  t.equal(retry.header('x-sluice-stream'), first.header('x-sluice-stream'))
  t.equal(retry.text.replace(/^id: \d+\n/gm, ''), WHOLE_STREAM)
})
