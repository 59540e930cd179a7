// Requests on two event loops that share their answers.
import { type Test, test } from 'tap'
import { type SharingConfig } from '../../../src/config/types.js'
import { type Run } from '../../../src/server/sharing/sharing.js'
import { MAX_WAITERS } from '../../../src/streams/sharing/shared-run.js'
import { FakeLoops } from '../../helpers/fake-loops.js'
import { turn } from '../../helpers/pipeline.js'
import { OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'
import { GRACE_MS, SharingRig, type SharingRigOptions, WHOLE_STREAM } from '../../helpers/sharing-rig.js'

const COALESCE = { coalesce: true, cache: null }
const { head, content, finish, marker } = STREAMS[OPENAI]
const RETRY = { retryCount: '1' }
const withoutIds = (text: string) => text.replace(/^id: \d+\n/gm, '')

async function turns(): Promise<void> {
  for (let i = 0; i < 12; i++) await turn()
}

function createLoops(t: Test, sharing: SharingConfig | null, options: SharingRigOptions = {}) {
  const loops = new FakeLoops()
  const [a, b] = [0, 1].map((loopIndex) => new SharingRig(t, sharing, { ...options, place: { loops, loopIndex } }))
  if (a === undefined || b === undefined) throw new Error('two loops')
  return { loops, a, b }
}

test('a request follows the stream of another loop', async (t) => {
  const { a, b } = createLoops(t, COALESCE)
  const leader = await a.ask()
  await turns()
  const early = await b.ask()
  await turns()
  t.equal(b.calls, 0)
  a.pipe.call.head().send(head, content[0])
  await turns()
  const late = await b.ask()
  await turns()
  t.equal(late.text, head + content[0])
  a.pipe.call.send(content[1], content[2], finish, marker).end()
  await turns()
  for (const client of [leader, early, late]) t.equal(client.text, WHOLE_STREAM)
  t.equal(a.calls + b.calls, 1)
  t.equal(early.header('x-sluice-cache'), 'follower')
  t.match(b.pipe.records, [
    { outcome: 'complete', shared: { how: 'follower', requestId: leader.requestId } },
    { outcome: 'complete', shared: { how: 'follower', requestId: leader.requestId } },
  ])
  await b.ask()
  await turns()
  t.equal(b.calls, 1, 'it has ended')
})

test('while one is on its way to the stream nothing is given up, and with the last of them all is', async (t) => {
  const { a, b } = createLoops(t, COALESCE)
  const leader = await a.ask()
  await turns()
  a.pipe.call.head().send(head, content[0])
  await turns()
  const follower = b.startAsk({})
  // The head is on its way when the leader leaves, and the seam of one loop is over.
  for (let i = 0; i < 4; i++) await turn()
  await leader.leave()
  a.timers.advance(1000)
  t.equal(a.pipe.call.aborts, 0)
  await turns()
  t.equal(follower.text, head + content[0])
  await follower.leave()
  await turns()
  a.timers.advance(100)
  t.equal(a.pipe.call.aborts, 1)
})

test('a loop that does not come for the stream that it was told of does not hold it', async (t) => {
  const { loops, a, b } = createLoops(t, COALESCE)
  const leader = await a.ask()
  await turns()
  a.pipe.call.head().send(head, content[0])
  await turns()
  b.startAsk({})
  for (let i = 0; i < 4; i++) await turn()
  loops.channel.dead.add(1)
  await turns()
  await leader.leave()
  a.timers.advance(5000)
  a.timers.advance(200)
  t.ok(a.pipe.call.aborts <= 1)
})

test('before the first frame those on another loop are waited for, and leave like any other', async (t) => {
  const { a, b } = createLoops(t, COALESCE)
  const leader = await a.ask()
  await turns()
  const followers = [await b.ask(), await b.ask()]
  await turns()
  await leader.leave()
  t.equal(a.pipe.call.aborts, 0)
  await followers[0]?.leave()
  await turns()
  t.equal(a.pipe.call.aborts, 0)
  await followers[1]?.leave()
  await turns()
  t.equal(a.pipe.call.aborts, 1)
})

test("a provider's refusal crosses loops; a refusal by a limit of ours lets the other run", async (t) => {
  const { a, b } = createLoops(t, COALESCE)
  await a.ask()
  await turns()
  const follower = await b.ask()
  await turns()
  a.pipe.call.head(429, { 'content-type': 'application/json' }).send('{"error":{"message":"Slow down."}}').end()
  await turns()
  t.match(follower.sink.answers, [{ status: 429, error: { message: 'Slow down.' } }])
  t.equal(b.calls, 0)
})

test('a retry finds the request that it repeats on any loop, if there is one in all', async (t) => {
  const { a, b } = createLoops(t, null)
  const first = await a.ask({ asks: true })
  a.pipe.call.head().send(head, content[0])
  await first.leave()
  await turns()
  const retry = await b.ask({ ...RETRY, asks: true })
  await turns()
  t.equal(retry.header('x-sluice-attached'), 'retry')
  t.equal(retry.header('x-sluice-stream'), first.header('x-sluice-stream'))
  a.pipe.call.send(content[1], content[2], finish, marker).end()
  await turns()
  t.equal(withoutIds(retry.text), WHOLE_STREAM)
  t.equal(b.calls, 0)
  await b.ask(RETRY)
  await turns()
  t.equal(b.calls, 1, 'the other loop knows that it was delivered')

  const two = createLoops(t, null)
  for (const rig of [two.a, two.b]) await (await rig.ask({ asks: true })).leave()
  await turns()
  await two.b.ask(RETRY)
  await turns()
  t.equal(two.b.calls, 2, 'of two it cannot be known which')
})

test('a retry waits for a connection on another loop to be found lost, and no longer than half a second', async (t) => {
  const { a, b } = createLoops(t, null)
  const first = await a.ask({ asks: true })
  a.pipe.call.head().send(head, content[0])
  await turns()
  const retry = await b.ask(RETRY)
  await turns()
  b.timers.advance(25)
  await turns()
  t.equal(b.calls, 0)
  await first.leave()
  b.timers.advance(25)
  await turns()
  t.equal(retry.text, head + content[0])
  const other = createLoops(t, null)
  await other.a.ask({ asks: true })
  await turns()
  await other.b.ask(RETRY)
  for (let i = 0; i < 21; i++) {
    await turns()
    other.b.timers.advance(25)
  }
  await turns()
  t.equal(other.b.calls, 1)
})

test('a lost whole answer goes to its retry on another loop', async (t) => {
  const { a, b } = createLoops(t, null)
  const first = await a.ask({ asks: true, stream: false })
  await first.leave()
  a.pipe.call.whole()
  await turns()
  const retry = await b.ask({ ...RETRY, stream: false })
  await turns()
  t.match(retry.sink.answers, [{ status: 200 }])
  t.equal(retry.header('x-sluice-attached'), 'retry')
  t.equal(b.calls, 0)
})

test('the key of a stream is taken on all loops', async (t) => {
  const { a, b } = createLoops(t, null)
  const keyed = { idempotencyKey: 'k1' }
  const first = await a.ask(keyed)
  await turns()
  await first.leave()
  const again = await b.askKeyed(keyed)
  await turns()
  a.timers.advance(GRACE_MS * 2)
  t.equal(a.pipe.call.aborts, 0, 'it waits over there')
  a.pipe.call.stream()
  await turns()
  t.equal(withoutIds(again.text), WHOLE_STREAM)
  t.equal(b.calls, 0)
  await t.rejects(b.askKeyed({ ...keyed, content: 'other' }), /mismatch/)
  const free = await a.ask({ idempotencyKey: 'k2' })
  await turns()
  a.pipe.call.cut()
  await turns()
  t.equal(free.isDone, true)
  await b.askKeyed({ idempotencyKey: 'k2' })
  await turns()
  t.equal(b.calls, 1, 'a failure frees it everywhere')
})

test('a run that was forgotten meanwhile is gone', async (t) => {
  const { a, b } = createLoops(t, null)
  const keyed = { idempotencyKey: 'k1' }
  await a.ask(keyed)
  a.pipe.call.stream()
  await turns()
  const peers = b.ground.peers
  const found = await peers?.find({ how: 'key', name: `${'d'.repeat(64)} k1`, bodyDigest: '' })
  t.equal(found, 'mismatch')
  const heads: unknown[] = []
  peers?.join(0, 12_345, (each) => heads.push(each))
  await turns()
  t.same(heads, [{ kind: 'gone' }])
})

test('a run that others were told of holds nothing of its answer once it is over', async (t) => {
  const { a, b } = createLoops(t, COALESCE)
  const runs: Run[] = []
  const add = a.ground.index.add.bind(a.ground.index)
  a.ground.index.add = (digest, run) => {
    runs.push(run)
    add(digest, run)
  }
  await a.ask()
  await turns()
  const follower = await b.ask()
  await turns()
  a.pipe.call.head().send(head, content[0])
  await turns()
  a.pipe.call.send(content[1], content[2], finish, marker).end()
  await turns()
  t.equal(follower.text, WHOLE_STREAM)
  t.same(
    runs.map((run) => run.head),
    [{ kind: 'gone' }],
    'its stream',
  )

  const other = createLoops(t, null)
  const { index } = other.a.ground
  const addWhole = index.add.bind(index)
  index.add = (digest, run) => {
    runs.push(run)
    addWhole(digest, run)
  }
  const first = await other.a.ask({ asks: true, stream: false })
  await first.leave()
  other.a.pipe.call.whole()
  await turns()
  const retry = await other.b.ask({ ...RETRY, stream: false })
  await turns()
  t.match(retry.sink.answers, [{ status: 200 }])
  other.a.timers.advance(60_000)
  t.same(runs.at(-1)?.head, { kind: 'gone' }, 'its whole answer')
})

test('those that wait on other loops for one answer are as few as on its own', async (t) => {
  const { a, b } = createLoops(t, null)
  const keyed = { idempotencyKey: 'k1' }
  await a.ask(keyed)
  await turns()
  const waiting: Awaited<ReturnType<typeof b.askKeyed>>[] = []
  for (let i = 0; i < MAX_WAITERS; i++) {
    waiting.push(await b.askKeyed(keyed))
    await turns()
  }
  const refused = await b.askKeyed(keyed)
  await turns()
  t.match(refused.sink.answers, [{ status: 429, error: { code: 'rate_limited' } }])
  a.pipe.call.stream()
  await turns()
  for (const client of waiting) t.equal(withoutIds(client.text), WHOLE_STREAM)
  t.equal(a.calls + b.calls, 1)
})
