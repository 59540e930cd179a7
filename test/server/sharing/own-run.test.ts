// What a repetition with an Idempotency-Key gets: the answer of the request that had the key before, or an answer of its own.
import { test } from 'tap'
import { turn } from '../../helpers/pipeline.js'
import { OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'
import {
  FOREIGN_KEY,
  GRACE_MS,
  KEEP_MS,
  RETRY,
  SharingRig,
  WHOLE_STREAM,
  withoutIds,
} from '../../helpers/sharing-rig.js'

const { head, content, finish, marker } = STREAMS[OPENAI]

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
    { key: { index: -1, name: null, owner: null } },
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
