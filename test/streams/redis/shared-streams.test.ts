// The registries of two nodes over a real Redis: what one opens the other finds, and a node that drains sends its readers away.
import { setTimeout } from 'node:timers/promises'
import { test } from 'tap'
import { type KeptStream } from '../../../src/streams/kept/kept-stream.js'
import { type ReadableLog } from '../../../src/streams/kept/readable-log.js'
import { KeptStreams } from '../../../src/streams/kept/registry.js'
import { createStreamId } from '../../../src/streams/kept/stream-id.js'
import { SharedStreams } from '../../../src/streams/redis/shared-streams.js'
import { createFakeTimers } from '../../helpers/fake-timers.js'
import { type Teardown } from '../../helpers/gateway.js'
import { COMPLETE, FACTS, FakeBudget, FakeCounters, frame } from '../../helpers/kept.js'
import { connectRedis, RedisServer } from '../../helpers/redis.js'
import { Follower, until } from '../../helpers/stored-streams.js'
import { rejectionOf } from '../../helpers/thrown.js'

const LEASE_MS = 1200

async function startNode(t: Teardown, url: string) {
  const results: string[] = []
  const abandoned: string[] = []
  const states: boolean[] = []
  const timers = createFakeTimers()
  const streams = new KeptStreams({ loopIndex: 0, timers, counters: new FakeCounters() })
  const shared = new SharedStreams({
    url,
    nowMs: () => performance.now(),
    keepaliveMs: () => 15_000,
    leaseMs: LEASE_MS,
    onState: (isUp) => states.push(isUp),
    onCall: () => undefined,
    onRefusal: () => undefined,
    onOver: (result) => results.push(result),
  })
  t.teardown(() => streams.close(0))
  streams.join(shared)
  await shared.start()
  await until(() => states.at(-1) === true)
  const open = (keepMs = 60_000, isPrivate = false) => {
    const limits = { graceMs: 1000, keepMs, isPrivate, maxStreamBytes: 1024 * 1024, maxLagBytes: 256 * 1024 }
    const budget = new FakeBudget().open()
    const stream = streams.open(FACTS, { ...limits, budget, onAbandoned: () => abandoned.push('abandoned') })
    if (stream === null) throw new Error('no room')
    return stream
  }
  return { streams, open, results, abandoned, states, timers }
}

type Node = Awaited<ReturnType<typeof startNode>>

/** On another node, as soon as it is in Redis. */
async function found(node: Node, { id, owner }: KeptStream['facts']): Promise<ReadableLog> {
  for (;;) {
    const log = await Promise.resolve(node.streams.reach(id, owner)).catch(() => null)
    if (log !== null) return log
    await setTimeout(5)
  }
}

async function startNodes(t: Teardown) {
  const redis = await RedisServer.start(t)
  return { redis, north: await startNode(t, redis.url), south: await startNode(t, redis.url) }
}

test('a stream of one node is read on the other, and its readers there keep it going', async (t) => {
  const { north, south } = await startNodes(t)
  const stream = north.open()
  stream.append(frame('0'))
  t.equal(north.streams.reach(stream.facts.id, 'owner-1'), stream, 'its own node asks nobody')
  const log = await found(south, stream.facts)
  t.same(log.facts, stream.facts)
  const follower = new Follower(log)
  await until(() => stream.readerCount === 1)
  north.timers.advance(60_000)
  stream.append(frame('1'))
  await until(() => follower.got.length === 2)
  t.same(follower.got, ['data: 0\n\n', 'data: 1\n\n'])
  follower.reader.detach()
  await until(() => stream.readerCount === 0)
  north.timers.advance(1000)
  t.same(north.abandoned, ['abandoned'])
  const left = await found(south, stream.facts)
  left.cancel()
  await until(() => north.abandoned.length === 2)
})

test('one that has ended and is cancelled on its node is gone everywhere', async (t) => {
  const { north, south } = await startNodes(t)
  const stream = north.open()
  stream.append(frame('0'))
  stream.close(COMPLETE)
  await until(() => north.results.length === 1)
  t.equal((await found(south, stream.facts)).streamEnd?.outcome, 'complete')
  stream.cancel()
  // Not before its node has seen Redis for a lease.
  for (let left: unknown = 0; left !== null; await setTimeout(5)) {
    left = await Promise.resolve(south.streams.reach(stream.facts.id, 'owner-1')).catch(() => 0)
  }
  t.same(north.results, ['stored'])
})

test('a stream that is not kept after its end is there for readers elsewhere to get it', async (t) => {
  const { north, south } = await startNodes(t)
  const stream = north.open(0)
  stream.append(frame('0'))
  const follower = new Follower(await found(south, stream.facts))
  await until(() => follower.got.length === 1)
  stream.append(frame('1'))
  stream.close(COMPLETE)
  await until(() => follower.end !== null)
  t.same([follower.got.length, follower.end], [2, COMPLETE])
})

test('no id is looked for that is none; one of another loop may be anywhere', async (t) => {
  const { north } = await startNodes(t)
  t.equal(north.streams.reach('str_no', 'owner-1'), null)
  const reached = north.streams.reach(createStreamId(7), 'owner-1')
  t.ok(reached instanceof Promise)
  t.match(await rejectionOf(reached), { code: 'overloaded' }, 'not known, this soon after its start')
})

test('a node that drains sends its readers away once Redis has what they have, and goes on for them', async (t) => {
  const { north, south } = await startNodes(t)
  const stream = north.open()
  const [returning, fixed] = [new Follower(stream, 0, true), new Follower(stream)]
  stream.append(frame('0'))
  await until(() => returning.got.length === 1)
  t.equal(north.streams.isShared(stream), false, 'as long as it has a reader that cannot return')
  north.streams.leave()
  stream.append(frame('1'))
  await until(() => returning.reader.isMoved)
  t.equal(returning.reader.isCut, true)
  const { offset } = returning.reader
  returning.reader.detach()
  await until(() => fixed.got.length === 2)
  t.not(fixed.reader.isCut, true)
  fixed.reader.detach()
  t.equal(north.streams.isShared(stream), true)
  const follower = new Follower(await found(south, stream.facts), offset, true)
  await until(() => stream.readerCount === 1)
  north.timers.advance(60_000)
  stream.append(frame('2'))
  stream.close(COMPLETE)
  await until(() => follower.end !== null)
  t.same(follower.got, ['data: 0\n\n', 'data: 1\n\n', 'data: 2\n\n'].slice(offset))
  t.same([north.abandoned, north.results], [[], ['stored']])
})

test('a node that drains sends readers of other nodes’ streams on at once', async (t) => {
  const { north, south } = await startNodes(t)
  const stream = north.open()
  stream.append(frame('0'))
  const follower = new Follower(await found(south, stream.facts), 0, true)
  await until(() => follower.got.length === 1)
  south.streams.leave()
  await until(() => follower.reader.isMoved)
  t.same([follower.reader.isCut, stream.streamEnd], [true, null])
})

test('a reader with frames that Redis has not taken stays, though Redis seems to be there', async (t) => {
  const { redis, north } = await startNodes(t)
  const stream = north.open()
  const follower = new Follower(stream, 0, true)
  stream.append(frame('0'))
  await until(() => follower.got.length === 1)
  redis.pause()
  stream.append(frame('1'))
  await until(() => follower.got.length === 2)
  north.streams.leave()
  await setTimeout(300)
  t.equal(follower.reader.isMoved, false)
  redis.resume()
  await until(() => follower.reader.isMoved)
})

test('without Redis nobody is sent away, and when it is back all are', async (t) => {
  const { redis, north } = await startNodes(t)
  const stream = north.open()
  const follower = new Follower(stream, 0, true)
  stream.append(frame('0'))
  await until(() => follower.got.length === 1)
  await redis.kill()
  await until(() => north.states.at(-1) === false)
  north.streams.leave()
  stream.append(frame('1'))
  await until(() => follower.got.length === 2)
  t.equal(follower.reader.isMoved, false)
  await redis.startAgain()
  await until(() => follower.reader.isMoved)
  t.equal(follower.got.length, 2)
})

test('the end of a node waits for Redis to have its streams, but not for long', async (t) => {
  const { redis, north, south } = await startNodes(t)
  const stream = north.open()
  stream.append(frame('0'))
  stream.close(COMPLETE)
  await north.streams.close(60_000)
  t.equal((await found(south, stream.facts)).streamEnd?.outcome, 'complete')
  await redis.kill()
  south.open().close(COMPLETE)
  await south.streams.close(100)
  t.same(south.results, [])
})

test('streams with the frames of a private one are found elsewhere, which that one alone has stored', async (t) => {
  const { north, south, redis } = await startNodes(t)
  const origin = north.open(0, true)
  const handles = [north.open(), north.open()]
  for (const handle of handles) north.streams.copies(handle, origin.facts.id)
  const all = [origin, ...handles]
  for (const stream of all) stream.append(frame('0'))
  const followers: Follower[] = []
  for (const { facts } of handles) followers.push(new Follower(await found(south, facts)))
  await until(() => followers.every(({ got }) => got.length === 1))
  for (const stream of all) {
    stream.append(frame('1'))
    stream.close(COMPLETE)
    north.streams.forget(origin)
  }
  await until(() => followers.every(({ end }) => end !== null))
  t.same(
    followers.map(({ got, end }) => [got, end]),
    followers.map(() => [['data: 0\n\n', 'data: 1\n\n'], COMPLETE]),
  )
  t.same(north.results, ['stored', 'stored'], 'those that clients find are counted')
  const client = connectRedis(redis.url)
  t.same(await client.keys('*:log'), [`{sluice}:streams:${origin.facts.id}:log`])
  t.ok((await client.pttl(`{sluice}:streams:${origin.facts.id}:log`)) > 55_000, 'as long as they need it')
  client.disconnect()
})

test('a stream whose other log is stored nowhere has its own frames stored, after a while', async (t) => {
  const { north, south } = await startNodes(t)
  const origin = north.open(0, true)
  const stream = north.open()
  // As when the loop that has it does not hear in time.
  north.streams.forget(origin)
  north.streams.copies(stream, origin.facts.id)
  stream.append(frame('0'))
  const follower = new Follower(await found(south, stream.facts))
  await until(() => follower.got.length === 1)
  stream.close(COMPLETE)
  await until(() => follower.end !== null)
  t.same(north.results, ['stored'])
})
