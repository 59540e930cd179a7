// The cache: which answers it gives to whom, and for how long.
import { test } from 'tap'
import { FakeDesk } from '../../helpers/fake-desk.js'
import { turn } from '../../helpers/pipeline.js'
import { OPENAI, STREAMS, WHOLES } from '../../helpers/pipeline-wires.js'
import { FOREIGN_KEY, type SharedAsking, SharingRig, WHOLE_STREAM } from '../../helpers/sharing-rig.js'

const TTL_MS = 60_000
const CACHE = { coalesce: false, cache: { ttlMs: TTL_MS, scope: 'key' } } as const
const { head, content, finish, marker } = STREAMS[OPENAI]

async function answered(rig: SharingRig, asking: SharedAsking = {}) {
  const client = await rig.ask(asking)
  if (client.isDone) return client
  if (asking.stream === false) rig.pipe.call.whole()
  else rig.pipe.call.stream()
  await turn()
  return client
}

test('a complete stream is replayed as a stream, a whole answer as a whole one', async (t) => {
  for (const stream of [true, false]) {
    const rig = new SharingRig(t, CACHE)
    const first = await answered(rig, { stream })
    t.equal(first.header('x-sluice-cache'), 'miss')
    t.equal(first.header('age'), undefined)
    rig.timers.advance(2999)
    const second = await answered(rig, { stream })
    t.equal(rig.calls, 1)
    t.equal(second.header('x-sluice-cache'), 'hit')
    t.equal(second.header('age'), '2')
    t.equal(second.header('x-sluice-target'), 'north/up')
    if (stream) {
      t.equal(first.text, WHOLE_STREAM)
      t.equal(second.text, WHOLE_STREAM)
      t.equal(second.sink.heads[0]?.contentType, first.sink.heads[0]?.contentType)
      t.same(rig.readers, ['first delivered', 'replay delivered'])
    } else {
      t.same(second.sink.json, first.sink.json)
      t.equal(second.header('content-type'), 'application/json')
    }
    t.equal(second.sink.deliveries.length, stream ? 1 : 0)
    t.match(rig.pipe.record, {
      ...{ outcome: 'complete', status: 200, shared: { how: 'hit', requestId: first.requestId }, attempts: 0 },
      usage: { inputTokens: 0, outputTokens: 0 },
    })
    t.same(rig.cacheResults, ['miss', 'hit'])
    t.equal(rig.pipe.limiter.active(), 0)
    rig.timers.advance(TTL_MS)
    await answered(rig, { stream })
    t.equal(rig.calls, 2, 'its time is over')
  }
})

test('a stream is no answer to a request for a whole one, nor is it on another surface', async (t) => {
  const rig = new SharingRig(t, CACHE)
  await answered(rig)
  await answered(rig, { stream: false })
  t.equal(rig.calls, 2)
  await rig.ask({ surface: 'anthropic-messages', body: { stream: true } })
  t.equal(rig.calls, 3)
})

test('the request decides by Cache-Control', async (t) => {
  const rig = new SharingRig(t, CACHE)
  await answered(rig, { cacheControl: 'no-store' })
  await answered(rig)
  t.equal(rig.calls, 2, 'no-store was not stored')
  await answered(rig, { cacheControl: 'no-store' })
  t.equal(rig.calls, 3, 'and takes nothing from the store')
  rig.timers.advance(10_000)
  await answered(rig, { cacheControl: 'max-age=10' })
  t.equal(rig.calls, 3)
  await answered(rig, { cacheControl: 'max-age=9' })
  t.equal(rig.calls, 4)
  t.equal((await answered(rig)).header('age'), '0', 'which stored its answer')
  rig.timers.advance(5000)
  await answered(rig, { cacheControl: 'no-cache' })
  t.equal(rig.calls, 5)
  t.equal((await answered(rig)).header('age'), '0', 'as no-cache does')
  t.equal(rig.calls, 5)
})

test('an answer that was asked for within a time limit is not kept, and a limit takes none', async (t) => {
  const rig = new SharingRig(t, CACHE)
  const hasty = { parameterHeaders: { 'x-sluice-timeout-ms': '1000' } }
  await answered(rig, hasty)
  await answered(rig, hasty)
  t.equal(rig.calls, 2)
})

test('only complete answers are kept', async (t) => {
  const rig = new SharingRig(t, CACHE)
  await rig.ask()
  rig.pipe.call.head().send(head, content[0]).cut()
  await turn()
  t.equal(rig.cache.size, 0)
  await rig.ask()
  rig.pipe.call.head(400, { 'content-type': 'application/json' }).send('{"error":{"message":"no"}}').end()
  await turn()
  t.equal(rig.cache.size, 0)
  const leaving = await rig.ask()
  rig.pipe.call.head().send(head, content[0])
  await turn()
  await leaving.leave()
  rig.timers.advance(1000)
  t.equal(rig.pipe.call.aborts, 1)
  t.equal(rig.cache.size, 0)
  await answered(rig)
  t.equal(rig.cache.size, 1)
  t.equal(rig.calls, 4)
})

test('an answer that a budget has cut is not kept', async (t) => {
  for (const stream of [true, false]) {
    const rig = new SharingRig(t, CACHE, { budgets: new FakeDesk({ nano: null, tokens: 200 }) })
    await rig.ask({ stream, body: { max_tokens: 5000 } })
    if (stream) rig.pipe.call.head().send(head, content[0], finish.replace('"stop"', '"length"'), marker).end()
    else rig.pipe.call.whole(WHOLES[OPENAI].replace('"stop"', '"length"'))
    await turn()
    t.equal(rig.pipe.record.outcome, 'limit')
    t.equal(rig.cache.size, 0)
  }
})

test('an answer from the cache, or of a stream that another one leads, is paid once', async (t) => {
  for (const sharing of [CACHE, { coalesce: true, cache: null } as const]) {
    const desk = new FakeDesk({ nano: null, tokens: 1e6 })
    const rig = new SharingRig(t, sharing, { budgets: desk })
    await rig.ask()
    if (sharing.coalesce) await rig.ask()
    rig.pipe.call.stream()
    await turn()
    if (!sharing.coalesce) await answered(rig)
    t.equal(rig.calls, 1)
    t.same([desk.reservations.length, desk.settled], [1, [{ nano: 0, tokens: 18 }]])
  }
})

test('an answer is of its key, or where the configuration says so of all', async (t) => {
  const rig = new SharingRig(t, CACHE)
  await answered(rig)
  await answered(rig, { key: FOREIGN_KEY })
  t.equal(rig.calls, 2)
  const open = new SharingRig(t, { coalesce: false, cache: { ttlMs: TTL_MS, scope: 'gateway' } })
  await answered(open)
  t.equal((await answered(open, { key: FOREIGN_KEY })).header('x-sluice-cache'), 'hit')
  t.equal(open.calls, 1)
  await answered(open, { path: { streams: false, provider: null, callerKey: 'sk-own' } })
  t.equal(open.calls, 2, 'but never with a key of the caller')
})

test('a hit passes the same admission as any other request', async (t) => {
  const rig = new SharingRig(t, CACHE, { requestsPerMinute: 2, keyModels: ['*'] })
  await answered(rig)
  t.equal((await answered(rig)).header('x-sluice-cache'), 'hit')
  t.match((await rig.ask()).sink.answers, [{ status: 429 }])
  const bound = new SharingRig(t, CACHE, { keyModels: ['other'] })
  t.match((await bound.ask()).sink.answers, [{ status: 403 }])
})

test('a request that waits for the same answer does not get it from a cache alone', async (t) => {
  const rig = new SharingRig(t, CACHE)
  await rig.ask()
  await rig.ask()
  t.equal(rig.calls, 2, 'without coalesce both run')
  const both = new SharingRig(t, { ...CACHE, coalesce: true })
  const first = await both.ask()
  const second = await both.ask()
  both.pipe.call.stream()
  await turn()
  t.equal(both.calls, 1)
  t.equal(second.text, first.text)
  t.equal((await answered(both)).header('x-sluice-cache'), 'hit')
  t.same(both.cacheResults, ['miss', 'follower', 'hit'])
})

test('a stream or an answer that is too large for it is delivered and not kept', async (t) => {
  const rig = new SharingRig(t, CACHE, { maxCacheBytes: 8000 })
  await rig.ask()
  rig.pipe.call.head().send(head)
  for (let i = 0; i < 20; i++) rig.pipe.call.send(content[0])
  rig.pipe.call.send(STREAMS[OPENAI].finish, STREAMS[OPENAI].marker).end()
  await turn()
  t.equal(rig.pipe.record.outcome, 'complete')
  t.equal(rig.cache.size, 0)
  await rig.ask({ stream: false })
  rig.pipe.call.whole(WHOLES[OPENAI].replace('Hello', 'Hello'.repeat(300)))
  await turn()
  t.equal(rig.pipe.record.outcome, 'complete')
  t.equal(rig.cache.size, 0)
})

test('a stream that has lost its beginning before its end is not kept', async (t) => {
  const rig = new SharingRig(t, CACHE, { maxStreamBytes: 3000 })
  await rig.ask()
  rig.pipe.call.head().send(head)
  for (let i = 0; i < 100; i++) rig.pipe.call.send(content[0])
  await turn()
  await turn()
  rig.pipe.call.send(finish, marker).end()
  await turn()
  t.match(rig.pipe.record, { outcome: 'complete' })
  await rig.ask()
  t.equal(rig.calls, 2)
})

test('a hit of a request that asked to come back is kept like any stream', async (t) => {
  const rig = new SharingRig(t, CACHE)
  await answered(rig)
  const hit = await rig.ask({ asks: true })
  t.equal(rig.calls, 1)
  t.match(hit.header('x-sluice-stream'), /^str_/)
  t.match(hit.text, /^id: 0\ndata: .*id: 1\ndata: /s)
  t.equal(hit.text.replace(/^id: \d+\n/gm, ''), WHOLE_STREAM)
})

/** A cache that answers when the test says so. */
function lateCache(rig: SharingRig) {
  const waiting: (() => void)[] = []
  rig.ground.cache = {
    get: (digest, maxAgeMs) => new Promise((resolve) => waiting.push(() => resolve(rig.cache.get(digest, maxAgeMs)))),
    accepts: (bytes) => rig.cache.accepts(bytes),
    put: (digest, answer, ttlMs) => void rig.cache.put(digest, answer, ttlMs),
  }
  return async () => {
    for (const answer of waiting.splice(0)) answer()
    await turn()
  }
}

test('a cache elsewhere is asked before the provider, which runs if it has nothing', async (t) => {
  for (const stream of [true, false]) {
    const rig = new SharingRig(t, { ...CACHE, coalesce: true })
    const reply = lateCache(rig)
    const first = await rig.ask({ stream })
    t.equal(rig.calls, 0, 'not yet')
    await reply()
    t.equal(rig.calls, 1)
    if (stream) rig.pipe.call.stream()
    else rig.pipe.call.whole()
    await turn()
    const second = await rig.ask({ stream })
    await reply()
    t.equal(rig.calls, 1)
    t.same([first.header('x-sluice-cache'), second.header('x-sluice-cache')], ['miss', 'hit'])
    t.equal(second.text, first.text)
    if (!stream) t.same(second.sink.json, first.sink.json)
    t.same(rig.cacheResults, ['miss', 'hit'])
    const fresh = await rig.ask({ stream, cacheControl: 'no-cache' })
    t.equal(rig.calls, 2, 'one that wants no stored answer does not wait for it')
    await fresh.leave()
  }
})

test('equal requests that waited for a cache elsewhere follow one another', async (t) => {
  const rig = new SharingRig(t, { ...CACHE, coalesce: true })
  const reply = lateCache(rig)
  const clients = [await rig.ask(), await rig.ask()]
  await reply()
  t.equal(rig.calls, 1)
  rig.pipe.call.stream()
  await turn()
  for (const { text } of clients) t.equal(text, WHOLE_STREAM)
  t.same(rig.cacheResults, ['miss', 'follower'])
})

test('a client that leaves while a cache elsewhere is asked gets nothing, and no provider is asked for it', async (t) => {
  for (const isStored of [true, false]) {
    const rig = new SharingRig(t, CACHE)
    if (isStored) await answered(rig)
    const { calls } = rig
    const reply = lateCache(rig)
    const client = await rig.ask()
    client.isGone = true
    client.sink.handle?.cancel()
    await turn()
    await reply()
    t.same([rig.calls, client.sink.answers, client.sink.heads], [calls, [], []])
    t.equal(rig.pipe.record.outcome, 'client_gone')
    t.equal(rig.pipe.limiter.active(), 0)
    t.same(rig.cacheResults, isStored ? ['miss'] : [])
  }
})
