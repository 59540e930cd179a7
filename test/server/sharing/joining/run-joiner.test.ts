// What a request that joins another one gets: its stream, or one of its own with the same frames, wherever that is stored.
import { mock } from 'node:test'
import { test } from 'tap'
import { type KeptStream } from '../../../../src/streams/kept/kept-stream.js'
import { MAX_READERS } from '../../../../src/streams/kept/readable-log.js'
import { MAX_WAITERS } from '../../../../src/streams/sharing/shared-run.js'
import { turn } from '../../../helpers/pipeline.js'
import { KEEPALIVE_MS, KEY } from '../../../helpers/pipeline-config.js'
import { OPENAI, STREAMS } from '../../../helpers/pipeline-wires.js'
import {
  COALESCE,
  GRACE_MS,
  KEEP_MS,
  RETRY,
  recordOf,
  SEAM_MS,
  SHOWS_PLACE,
  SharingRig,
  WHOLE_STREAM,
  withoutIds,
} from '../../../helpers/sharing-rig.js'

const { head, content, finish, marker } = STREAMS[OPENAI]

test('each that asked to come back has a stream of its own; ending one ends no other', async (t) => {
  const rig = new SharingRig(t, COALESCE)
  const clients = [await rig.ask({ asks: true }), await rig.ask({ asks: true }), await rig.ask()]
  rig.pipe.call.head().send(head, content[0])
  await turn()
  const [leaderId = '', followerId = ''] = clients.map((client) => client.header('x-sluice-stream'))
  t.match(leaderId, /^str_/)
  t.match(followerId, /^str_/)
  t.not(leaderId, followerId)
  t.equal(clients[2]?.header('x-sluice-stream'), undefined)
  t.match(clients[1]?.text, /^id: 0\ndata/)
  const find = (id: string) => rig.ground.streams.find(id, 'd'.repeat(64))
  find(leaderId)?.cancel()
  await turn()
  t.equal(rig.pipe.call.aborts, 0)
  t.match(clients[0]?.text, /client_gone|stopped/)
  await clients[1]?.leave()
  await clients[2]?.leave()
  rig.timers.advance(GRACE_MS - 1)
  t.equal(rig.pipe.call.aborts, 0, 'the grace of the follower that asked')
  rig.timers.advance(1)
  rig.timers.advance(SEAM_MS)
  t.equal(rig.pipe.call.aborts, 1)
  t.equal(rig.pipe.records.length, 3)
})

test('a follower that comes back reads on in its own stream', async (t) => {
  const rig = new SharingRig(t, COALESCE)
  await rig.ask()
  const follower = await rig.ask({ asks: true })
  rig.pipe.call.head().send(head, content[0])
  await turn()
  await follower.leave()
  rig.pipe.call.send(content[1], content[2], finish, marker).end()
  await turn()
  const stream = rig.ground.streams.find(follower.header('x-sluice-stream') ?? '', 'd'.repeat(64))
  t.equal(stream?.streamEnd?.outcome, 'complete')
  t.equal(recordOf(rig, follower)?.outcome, 'complete', 'it settles with the stream')
  const reader = stream?.attach({ how: 'resume', offset: 0, onReadable() {} })
  let text = ''
  for (let frame = reader?.read() ?? null; frame !== null; frame = reader?.read() ?? null) text += Buffer.from(frame)
  t.equal(text, WHOLE_STREAM)
})

test('a stream that has lost its beginning, or found no room, is followed by none', async (t) => {
  const small = new SharingRig(t, COALESCE, { maxStreamBytes: 3000 })
  await small.ask()
  small.pipe.call.head()
  for (let i = 0; i < 40; i++) small.pipe.call.send(content[0])
  await turn()
  await turn()
  await small.ask()
  t.equal(small.calls, 2)

  const full = new SharingRig(t, COALESCE, { roomBytes: 0 })
  const clients = [await full.ask(), await full.ask()]
  t.equal(full.calls, 1)
  full.pipe.call.stream()
  await turn()
  t.equal(clients[0]?.text, WHOLE_STREAM)
  t.equal(full.calls, 2, 'who waited runs by itself')
  full.pipe.call.stream()
  await turn()
  t.equal(clients[1]?.text, WHOLE_STREAM)
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
  const own = rig.ground.streams.find(id, KEY.owner ?? '')
  t.match(own?.streamEnd, { outcome: 'complete' }, 'which ends like the other')
  t.equal(own?.next, rig.ground.streams.find(first.header('x-sluice-stream') ?? '', KEY.owner ?? '')?.next)
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
/** Stores all streams that clients find, and those whose frames they have. */
function storeElsewhere({ ground }: SharingRig) {
  const named = new Set<KeptStream>()
  const notes: string[] = []
  ground.streams.join({
    opened: (stream) => void named.add(stream),
    copies: ({ facts }, origin) => void notes.push(`${facts.requestId} has the frames of ${origin}`),
    storeOrigin: ({ facts }) => void notes.push(`${facts.id} is stored, of ${facts.requestId}`),
    find: async () => null,
    cancelled: () => undefined,
    movable: (_stream, reader) => reader,
    isShared: (stream) => named.has(stream),
    handOver: () => undefined,
    close: async () => undefined,
  })
  return notes
}

test('the streams of all who asked have the frames of one, which is stored as soon as one of them asks', async (t) => {
  const rig = new SharingRig(t, COALESCE)
  const notes = storeElsewhere(rig)
  const leader = await rig.ask()
  rig.pipe.call.head().send(head, content[0])
  await turn()
  t.same(notes, [], 'of those who did not ask nothing is stored')
  const asked = [await rig.ask({ asks: true }), await rig.ask({ asks: true, ...SHOWS_PLACE })]
  const origin = notes[0]?.split(' ').at(-1)
  const stored = `${origin} is stored, of ${leader.requestId}`
  t.same(
    notes,
    asked.flatMap(({ requestId }) => [`${requestId} has the frames of ${origin}`, stored]),
  )
  t.notOk(asked.some((client) => client.header('x-sluice-stream') === origin))

  const own = new SharingRig(t, COALESCE)
  const ownNotes = storeElsewhere(own)
  const first = await own.ask({ asks: true })
  own.pipe.call.head().send(head, content[0])
  await turn()
  t.match(ownNotes, [new RegExp(`^${first.requestId} has the frames`), new RegExp(`is stored, of ${first.requestId}$`)])
})

test('a follower that began while it waited for its turn has the frames of the other one, too', async (t) => {
  const rig = new SharingRig(t, COALESCE, { concurrency: 2 })
  const notes = storeElsewhere(rig)
  await rig.ask()
  rig.pipe.call.head().send(head, content[0])
  await turn()
  const other = await rig.ask({ content: 'other' })
  const late = await rig.ask({ asks: true, ...SHOWS_PLACE })
  await turn()
  t.match(late.header('x-sluice-stream'), /^str_/)
  t.same(notes, [])
  await other.leave()
  await turn()
  t.match(notes, [new RegExp(`^${late.requestId} has the frames of str_`), /is stored/])
})

test('a drain spares a shared run for those whom other nodes serve, whoever came first, and for no one else', async (t) => {
  for (const leads of [true, false]) {
    const rig = new SharingRig(t, COALESCE)
    storeElsewhere(rig)
    const leader = await rig.ask({ asks: leads })
    rig.pipe.call.head().send(head, content[0])
    await turn()
    const [asking, other] = [await rig.ask({ asks: !leads }), await rig.ask()]
    const served = leads ? leader : asking
    rig.pipe.pipeline.endAll(true)
    await turn()
    t.equal(recordOf(rig, other)?.outcome, 'drained')
    t.equal(rig.pipe.call.aborts, 0)
    rig.pipe.call.send(content[1], content[2], finish, marker).end()
    await turn()
    t.equal(recordOf(rig, served)?.outcome, 'complete')
    t.equal(recordOf(rig, leader)?.outcome, 'complete', 'it bears the stream')
    const stream = rig.ground.streams.find(served.header('x-sluice-stream') ?? '', 'd'.repeat(64))
    t.equal(stream?.streamEnd?.outcome, 'complete')
  }
  const rig = new SharingRig(t, COALESCE)
  storeElsewhere(rig)
  const [leader, follower] = [await rig.ask(), await rig.ask()]
  rig.pipe.call.head().send(head, content[0])
  await turn()
  const gone = await rig.ask({ asks: true })
  await gone.leave()
  rig.timers.advance(GRACE_MS)
  rig.pipe.pipeline.endAll(true)
  await turn()
  t.same([recordOf(rig, leader)?.outcome, recordOf(rig, follower)?.outcome], ['drained', 'drained'])
})
