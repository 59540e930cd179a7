// Kept streams in a real Redis: what one node writes others read, whatever becomes of the node, the connection or Redis.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { connectRedis, RedisServer } from '../../helpers/redis.js'
import { COMPLETE, Follower, OWNER, openStore, until, WrittenStream } from '../../helpers/stored-streams.js'
import { rejectionOf } from '../../helpers/thrown.js'

/** So long that nothing in these tests waits for a beat. */
const LONG_LEASE_MS = 6_000_000
/** So short that a lapsed one is seen. */
const SHORT_LEASE_MS = 1200

function latin1(frames: readonly Uint8Array[]): string[] {
  return frames.map((frame) => Buffer.from(frame).toString('latin1'))
}

test('another node reads a stream byte for byte, from any frame on, and then how it ended', async (t) => {
  const redis = await RedisServer.start(t)
  const { store: north } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS })
  const { store: south } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS })
  const stream = new WrittenStream(north, 'str_a')
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
  for (const frame of ['data: one\n\n', everyByte, 'x'.repeat(100_000), 'data: []\n\n']) stream.say(frame)
  stream.writer.close({ ...COMPLETE, usage: { ...COMPLETE.usage, outputTokens: 7 } })
  t.equal(await stream.writer.stored(4), true)
  await north.flush(10_000)
  const log = await south.find('str_a', OWNER)
  t.match(log, { first: 0, next: 4, facts: { id: 'str_a', owner: OWNER }, streamEnd: { outcome: 'complete' } })
  if (log === null) return
  for (let offset = 0; offset <= 4; offset++) {
    const follower = new Follower(log, offset)
    await until(() => follower.end !== null)
    t.same(follower.got, latin1(stream.frames.slice(offset)), `from ${offset} on`)
    t.match(follower.end, { outcome: 'complete', usage: { outputTokens: 7 } })
    follower.reader.detach()
  }
})

test('a reader elsewhere gets frames as they come, by the doorbell', async (t) => {
  const redis = await RedisServer.start(t)
  const { store: north } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS })
  const { store: south } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS })
  const stream = new WrittenStream(north, 'str_a')
  stream.say('0')
  await stream.writer.stored(1)
  const log = await south.find('str_a', OWNER)
  if (log === null) return t.fail('not found')
  const follower = new Follower(log, 0)
  // Beyond the last frame: it waits.
  const ahead = new Follower(log, 3)
  for (let i = 1; i < 5; i++) {
    await until(() => follower.got.length === i)
    stream.say(String(i))
  }
  await until(() => follower.got.length === 5 && ahead.got.length === 2)
  t.same(
    [follower.got, ahead.got],
    [
      ['0', '1', '2', '3', '4'],
      ['3', '4'],
    ],
  )
  t.equal(follower.end, null)
  const error = errorData('upstream_timeout')
  stream.writer.close({ ...COMPLETE, outcome: 'stalled', error })
  await until(() => follower.end !== null && ahead.end !== null)
  t.same(follower.end, { ...COMPLETE, outcome: 'stalled', error })
  t.equal((await south.find('str_a', OWNER))?.next, 5, 'the error frame is the next one')
})

test('a slow reader holds a page and gets all of it; the writer does not wait', async (t) => {
  const redis = await RedisServer.start(t)
  const { store: north } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS })
  const { store: south } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS })
  const stream = new WrittenStream(north, 'str_a')
  stream.say('first')
  await stream.writer.stored(1)
  const log = await south.find('str_a', OWNER)
  if (log === null) return t.fail('not found')
  const slow = new Follower(log, 0)
  await until(() => slow.got.length === 1)
  slow.isPaused = true
  for (let i = 0; i < 500; i++) stream.say(`${i}`.padEnd(1000))
  t.equal(await stream.writer.stored(501), true)
  await new Promise((resolve) => setImmediate(resolve))
  slow.isPaused = false
  slow.pull()
  t.ok(
    slow.got.length > 1 && slow.got.length < 400,
    `it held a page of ${slow.got.length} frames, not the whole stream`,
  )
  await until(() => slow.got.length === 501)
  t.same(slow.got, latin1(stream.frames))
})

test('only the owner finds a stream; another one and none are the same', async (t) => {
  const redis = await RedisServer.start(t)
  const { store: north } = await openStore(t, redis.url, { leaseMs: SHORT_LEASE_MS })
  const stream = new WrittenStream(north, 'str_a')
  await stream.writer.stored(0)
  t.not(await north.find('str_a', OWNER), null)
  // A node that has just connected cannot tell what is missing from what is not yet stored again; another's is no different.
  const missing = await rejectionOf(north.find('str_b', OWNER))
  t.match(missing, { code: 'overloaded', retryAfterMs: 1000 })
  t.same(await rejectionOf(north.find('str_a', 'another')), missing)
  await new Promise((resolve) => setTimeout(resolve, SHORT_LEASE_MS))
  t.equal(await north.find('str_b', OWNER), null)
  t.equal(await north.find('str_a', 'another'), null)
  t.not(await north.find('str_a', OWNER), null)
})

test('a stream that failed before it said anything is none, as on its own node', async (t) => {
  const redis = await RedisServer.start(t)
  const { store: north } = await openStore(t, redis.url, { leaseMs: SHORT_LEASE_MS })
  const [failed, empty] = [new WrittenStream(north, 'str_a'), new WrittenStream(north, 'str_b')]
  failed.writer.close({ ...COMPLETE, outcome: 'failed', error: errorData('internal') })
  empty.writer.close(COMPLETE)
  await north.flush(10_000)
  await new Promise((resolve) => setTimeout(resolve, SHORT_LEASE_MS))
  t.equal(await north.find('str_a', OWNER), null)
  t.match(await north.find('str_b', OWNER), { next: 0, streamEnd: { outcome: 'complete' } })
})

test('attaching, leaving and cancelling reach the writer', async (t) => {
  const redis = await RedisServer.start(t)
  const { store: north } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS })
  const { store: south } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS })
  const stream = new WrittenStream(north, 'str_a')
  await stream.writer.stored(0)
  const log = await south.find('str_a', OWNER)
  if (log === null) return t.fail('not found')
  const [one, two] = [new Follower(log), new Follower(log)]
  await until(() => stream.events.length === 1)
  one.reader.detach()
  two.reader.detach()
  await until(() => stream.events.length === 2)
  await log.cancel()
  await until(() => stream.events.length === 3)
  t.same(stream.events, ['attached', 'left', 'cancel'], 'each once')
  t.not(await south.find('str_a', OWNER), null, 'the writer ends it, as any other')
  stream.writer.close(COMPLETE)
  await north.flush(10_000)
  const over = await south.find('str_a', OWNER)
  over?.cancel()
  t.equal(await south.find('str_a', OWNER).catch(() => null), null)
  const plain = connectRedis(redis.url)
  t.same(await plain.keys('*str_a*'), [], 'one that has ended is forgotten')
  plain.disconnect()
})

test('attachments of a node that died are over with their lease', async (t) => {
  const redis = await RedisServer.start(t)
  const { store: north } = await openStore(t, redis.url, { leaseMs: SHORT_LEASE_MS })
  const { store: south } = await openStore(t, redis.url, { leaseMs: SHORT_LEASE_MS })
  const stream = new WrittenStream(north, 'str_a')
  await stream.writer.stored(0)
  const log = await south.find('str_a', OWNER)
  if (log === null) return t.fail('not found')
  new Follower(log)
  await until(() => stream.events.length === 1)
  await new Promise((resolve) => setTimeout(resolve, 3 * SHORT_LEASE_MS))
  t.same(stream.events, ['attached'], 'it is renewed')
  south.close()
  await until(() => stream.events.length === 2)
  t.same(stream.events, ['attached', 'left'])
})

test('whoever reads the log of a dead writer closes it: what was said, then upstream_cut, never a clean end', async (t) => {
  const redis = await RedisServer.start(t)
  const { store: north } = await openStore(t, redis.url, { leaseMs: SHORT_LEASE_MS })
  const { store: south } = await openStore(t, redis.url, { leaseMs: SHORT_LEASE_MS })
  const stream = new WrittenStream(north, 'str_a')
  for (const frame of ['0', '1', '2']) stream.say(frame)
  await stream.writer.stored(3)
  const log = await south.find('str_a', OWNER)
  if (log === null) return t.fail('not found')
  const follower = new Follower(log, 1)
  // Its client got two frames of the dead node that never reached Redis.
  const ahead = new Follower(log, 5)
  await until(() => follower.got.length === 2)
  north.close()
  await until(() => follower.end !== null && ahead.end !== null)
  t.same(follower.got, ['1', '2'])
  t.match(follower.end, { outcome: 'upstream_cut', error: { code: 'upstream_cut' } })
  t.match(ahead.end, { outcome: 'upstream_cut', error: { code: 'upstream_cut' } })
  const closed = await south.find('str_a', OWNER)
  t.ok((closed?.next ?? 0) > 1000, 'the error frame has a number that no client has passed')
})

test('a node that has just seen Redis again closes nothing: the writers may be coming back, too', async (t) => {
  const redis = await RedisServer.start(t)
  const { store: north } = await openStore(t, redis.url, { leaseMs: SHORT_LEASE_MS })
  const stream = new WrittenStream(north, 'str_a')
  stream.say('0')
  await stream.writer.stored(1)
  north.close()
  await new Promise((resolve) => setTimeout(resolve, 2 * SHORT_LEASE_MS))
  const { store: fresh } = await openStore(t, redis.url, { leaseMs: SHORT_LEASE_MS })
  t.equal((await fresh.find('str_a', OWNER))?.streamEnd, null, 'not yet')
  await new Promise((resolve) => setTimeout(resolve, SHORT_LEASE_MS))
  t.match((await fresh.find('str_a', OWNER))?.streamEnd, { outcome: 'upstream_cut' })
})

test('a writer whose log was closed in its place stops storing, and knows it', async (t) => {
  const redis = await RedisServer.start(t)
  const { store: north } = await openStore(t, redis.url, { leaseMs: SHORT_LEASE_MS })
  const { store: south } = await openStore(t, redis.url, { leaseMs: SHORT_LEASE_MS })
  const stream = new WrittenStream(north, 'str_a')
  stream.say('0')
  await stream.writer.stored(1)
  const plain = connectRedis(redis.url)
  await new Promise((resolve) => setTimeout(resolve, SHORT_LEASE_MS))
  // As if its process had been stopped for longer than a lease; it renews it all the time.
  let end: unknown = null
  while (end === null) {
    await plain.del(`{sluice}:streams:node:${north.node}`)
    end = (await south.find('str_a', OWNER))?.streamEnd ?? null
  }
  t.match(end, { outcome: 'upstream_cut' })
  stream.say('1')
  await until(() => stream.events.includes('fenced'))
  t.equal(await stream.writer.stored(2), false)
  stream.say('2')
  stream.writer.close(COMPLETE)
  await north.flush(10_000)
  t.match((await south.find('str_a', OWNER))?.streamEnd, { outcome: 'upstream_cut' }, 'the end that was told stays')
  plain.disconnect()
})

test('Redis dies and comes back empty: streams are stored again, their readers wait for it and miss nothing', async (t) => {
  const redis = await RedisServer.start(t)
  const { store: north, states } = await openStore(t, redis.url, { leaseMs: 3000 })
  const { store: south } = await openStore(t, redis.url, { leaseMs: 3000 })
  const stream = new WrittenStream(north, 'str_a')
  const ended = new WrittenStream(north, 'str_b')
  for (let i = 0; i < 3; i++) stream.say(`${i}`)
  ended.say('whole')
  await stream.writer.stored(3)
  const log = await south.find('str_a', OWNER)
  if (log === null) return t.fail('not found')
  const follower = new Follower(log)
  await until(() => follower.got.length === 3)
  await redis.kill()
  await until(() => states.at(-1) === false)
  for (let i = 3; i < 6; i++) stream.say(`${i}`)
  ended.writer.close(COMPLETE)
  t.match(await rejectionOf(north.find('str_a', OWNER)), { code: 'overloaded' }, 'at once')
  await redis.startAgain()
  await until(() => follower.got.length === 6)
  stream.say('6')
  stream.writer.close(COMPLETE)
  await until(() => follower.end !== null)
  t.same(follower.got, ['0', '1', '2', '3', '4', '5', '6'])
  t.equal(follower.end?.outcome, 'complete')
  t.match(await south.find('str_b', OWNER), { next: 1, streamEnd: { outcome: 'complete' } })
  t.same([stream.events.includes('fenced'), ended.events], [false, ['stored']])
})

test('a Redis that hangs holds nothing up; what was sent to it is sent again and is there once', async (t) => {
  const redis = await RedisServer.start(t)
  const { store: north, states } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS })
  const stream = new WrittenStream(north, 'str_a')
  stream.say('0')
  await stream.writer.stored(1)
  redis.pause()
  for (let i = 1; i < 100; i++) stream.say(`${i}`)
  await until(() => states.at(-1) === false)
  for (let i = 100; i < 200; i++) stream.say(`${i}`)
  redis.resume()
  t.equal(await stream.writer.stored(200), true)
  const { store: south } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS })
  const log = await south.find('str_a', OWNER)
  if (log === null) return t.fail('not found')
  const follower = new Follower(log)
  await until(() => follower.got.length >= 200)
  t.same(follower.got, latin1(stream.frames))
})

test('what memory no longer holds when Redis is back is a gap: the stored log ends there, and says so', async (t) => {
  const redis = await RedisServer.start(t, ['--appendonly', 'yes', '--appendfsync', 'always'])
  const { store: north, states } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS })
  const stream = new WrittenStream(north, 'str_a')
  for (let i = 0; i < 3; i++) stream.say(`${i}`)
  await stream.writer.stored(3)
  await redis.kill()
  await until(() => states.at(-1) === false)
  for (let i = 3; i < 10; i++) stream.say(`${i}`)
  stream.first = 5
  await redis.startAgain()
  await until(() => stream.events.includes('gap'))
  stream.say('10')
  const { store: south } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS })
  const log = await south.find('str_a', OWNER)
  if (log === null) return t.fail('not found')
  const follower = new Follower(log)
  await until(() => follower.end !== null)
  t.same(follower.got, ['0', '1', '2'])
  t.match(follower.end, { outcome: 'upstream_cut' })
})

test('a stream that loses its beginning loses it in Redis too: a reader before it is cut, one behind it reads on', async (t) => {
  const redis = await RedisServer.start(t)
  const { store: north } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS })
  const { store: south } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS })
  const stream = new WrittenStream(north, 'str_a')
  for (let i = 0; i < 10; i++) {
    stream.say(`${i}`)
    await stream.writer.stored(i + 1)
  }
  stream.first = 6
  stream.say('10')
  await stream.writer.stored(11)
  const log = await south.find('str_a', OWNER)
  t.match(log, { first: 6, next: 11 })
  if (log === null) return
  const [before, behind] = [new Follower(log, 2), new Follower(log, 6)]
  await until(() => before.reader.isCut && behind.got.length === 5)
  t.same([before.got, behind.got], [[], ['6', '7', '8', '9', '10']])
  t.equal(before.end, null, 'a gap is no end')
  const plain = connectRedis(redis.url)
  t.equal(await plain.xlen('{sluice}:streams:str_a:log'), 5, 'and Redis does not hold it')
  plain.disconnect()
})

test('a full Redis refuses, which is told once; streams continue and are stored when there is room', async (t) => {
  const redis = await RedisServer.start(t, ['--maxmemory', '3mb', '--maxmemory-policy', 'noeviction'])
  const { store: north, states, refusals } = await openStore(t, redis.url, { leaseMs: SHORT_LEASE_MS })
  const plain = connectRedis(redis.url)
  t.teardown(() => plain.disconnect())
  const stream = new WrittenStream(north, 'str_a')
  stream.say('0')
  await stream.writer.stored(1)
  await plain.config('SET', 'maxmemory', '1')
  stream.say('1')
  await until(() => refusals.length === 1)
  stream.say('2')
  await new Promise((resolve) => setTimeout(resolve, 2 * SHORT_LEASE_MS))
  t.equal(await plain.exists(`{sluice}:streams:node:${north.node}`), 1, 'its lease is renewed all the same')
  t.match(refusals, [/OOM/])
  await plain.config('SET', 'maxmemory', '0')
  t.equal(await stream.writer.stored(3), true)
  t.match(refusals, [/OOM/, null])
  t.same(states, [true])
})

test('a foreign key in the place of one log does not hold up the others', async (t) => {
  const redis = await RedisServer.start(t)
  const { store: north } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS })
  const plain = connectRedis(redis.url)
  t.teardown(() => plain.disconnect())
  await plain.set('{sluice}:streams:str_a', 'foreign')
  const [ill, well] = [new WrittenStream(north, 'str_a'), new WrittenStream(north, 'str_b')]
  ill.say('0')
  well.say('0')
  t.equal(await well.writer.stored(1), true)
  await plain.del('{sluice}:streams:str_a')
  t.equal(await ill.writer.stored(1), true)
})

test('an ended log is kept for its time, an open one as long as its writer lives', async (t) => {
  const redis = await RedisServer.start(t)
  const { store: north } = await openStore(t, redis.url, { leaseMs: SHORT_LEASE_MS })
  const plain = connectRedis(redis.url)
  t.teardown(() => plain.disconnect())
  const [open, ended] = [new WrittenStream(north, 'str_a', 1), new WrittenStream(north, 'str_b', 300)]
  open.say('0')
  ended.say('0')
  ended.writer.close(COMPLETE)
  await north.flush(10_000)
  t.ok((await plain.pttl('{sluice}:streams:str_a')) > 500_000)
  t.ok((await plain.pttl('{sluice}:streams:str_a:log')) > 500_000)
  for (let left = 1; left > 0; ) left = await plain.exists('{sluice}:streams:str_b', '{sluice}:streams:str_b:log')
  t.equal(await plain.exists('{sluice}:streams:str_a'), 1)
})

test('Redis is not there at the start: streams continue, and are stored when it comes', async (t) => {
  const redis = await RedisServer.start(t)
  await redis.kill()
  const { store: north, states } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS, isAlone: true })
  const stream = new WrittenStream(north, 'str_a')
  stream.say('0')
  t.match(await rejectionOf(north.find('str_a', OWNER)), { code: 'overloaded' })
  await redis.startAgain()
  t.equal(await stream.writer.stored(1), true)
  t.same(states, [false, true])
})

test('200 streams at once, with Redis hanging and dying now and then: every reader elsewhere gets every frame once', async (t) => {
  const redis = await RedisServer.start(t)
  const { store: north } = await openStore(t, redis.url)
  const { store: south } = await openStore(t, redis.url)
  const streams = Array.from({ length: 200 }, (_, i) => new WrittenStream(north, `str_${i}`))
  await Promise.all(streams.map(({ writer }) => writer.stored(0)))
  const followers: Follower[] = []
  for (const { id } of streams) {
    const log = await south.find(id, OWNER)
    if (log !== null) followers.push(new Follower(log))
  }
  t.equal(followers.length, 200)
  for (let round = 0; round < 40; round++) {
    for (const stream of streams) stream.say(`${stream.id} ${round}`)
    if (round === 10) redis.pause()
    if (round === 15) redis.resume()
    if (round === 20) await redis.kill()
    if (round === 25) await redis.startAgain()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  for (const { writer } of streams) writer.close(COMPLETE)
  await until(() => followers.every(({ end }) => end !== null))
  t.same(followers.filter(({ got }, i) => got.join() !== latin1(streams[i]?.frames ?? []).join()).length, 0)
  t.ok(followers.every(({ end }) => end?.outcome === 'complete'))
})

test('handles are read like any stream, as far as each goes, on any node; their frames are stored once', async (t) => {
  const redis = await RedisServer.start(t)
  const { store: north } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS })
  const { store: south } = await openStore(t, redis.url, { leaseMs: LONG_LEASE_MS })
  // Handles may come first.
  const [whole, short] = [new WrittenStream(north, 'str_whole'), new WrittenStream(north, 'str_short')]
  for (const handle of [whole, short]) handle.writer.follow('str_of')
  const shared = new WrittenStream(north, 'str_of')
  const streams = [shared, whole, short]
  for (const stream of streams) stream.say('zero')
  t.equal(await whole.writer.stored(1), true)
  const followers: Follower[] = []
  for (const id of ['str_whole', 'str_short']) {
    const log = await south.find(id, OWNER)
    t.match(log, { facts: { id }, first: 0, next: 1, streamEnd: null })
    if (log !== null) followers.push(new Follower(log))
  }
  await until(() => whole.events.length + short.events.length === 2)
  for (const stream of streams) stream.say('one')
  await until(() => followers.every(({ got }) => got.length === 2))
  // One batch has the last frame of one handle and one that only the other has.
  for (const text of ['two', 'three']) for (const stream of [shared, whole]) stream.say(text)
  short.say('two')
  await shared.writer.stored(4)
  short.writer.close({ ...COMPLETE, outcome: 'client_gone', error: errorData('client_gone') })
  await short.writer.stored(4)
  const late = await south.find('str_short', OWNER)
  t.match(late, { next: 3, streamEnd: { outcome: 'client_gone' } })
  if (late === null) return
  const again = new Follower(late, 1)
  await until(() => again.end !== null)
  t.same(again.got, ['one', 'two'])
  for (const stream of [shared, whole]) stream.writer.close(COMPLETE)
  await until(() => followers.every(({ end }) => end !== null))
  t.same(followers[0]?.got, ['zero', 'one', 'two', 'three'])
  const plain = connectRedis(redis.url)
  t.same(await plain.keys('*:log'), ['{sluice}:streams:str_of:log'])
  plain.disconnect()
})
