// What else happens to a Redis than being killed: it is a replica all of a sudden, it hangs, it is not there yet. New jobs are
// refused with 503 within seconds, live chats go on, and nothing that was accepted is lost.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'tap'
import { startGateway, type Teardown } from '../helpers/gateway.js'
import { type HeldUpstream, startHeldUpstream } from '../helpers/held-upstream.js'
import { hasEnded, JobClient, type JobStatus } from '../helpers/job-client.js'
import { pause } from '../helpers/job-ledger.js'
import { connectRedis, RedisServer } from '../helpers/redis.js'

const CHAT = { model: 'up/m', messages: [{ role: 'user', content: 'x' }] }
const LIVE = { model: 'live/m', messages: CHAT.messages }
const ASYNC = { prefer: 'respond-async' }
/** A call to Redis is given up after 3 s; the rest is for a busy machine. */
const QUICKLY_MS = 20_000
const PATIENCE_MS = 30_000
const PAUSED_MS = 4500

async function setUp(t: Teardown, url: string) {
  const [upstream, live] = [await startHeldUpstream(t), await startHeldUpstream(t)]
  const provider = ({ origin }: HeldUpstream) => ({ protocol: 'openai-chat', baseUrl: `${origin}/v1` })
  const config = {
    server: { drainMs: 500, drainGraceMs: 0 },
    providers: { up: provider(upstream), live: provider(live) },
    redis: { url },
    jobs: { store: 'redis', concurrency: 1 },
  }
  const gateway = await startGateway(t, { config })
  const client = new JobClient(gateway)
  const chat = async (): Promise<number> => {
    const answer = client.post(LIVE)
    ;(await live.next()).say('live')
    return (await answer).status
  }
  return { upstream, gateway, client, chat }
}

/** Asks until it is accepted again, and tells the job's id. */
async function submitAtLast(client: JobClient): Promise<string> {
  const deadlineMs = performance.now() + PATIENCE_MS
  for (;;) {
    const { status, body } = await client.post(CHAT, ASYNC)
    if (status === 202) return String(body.request_id)
    if (status !== 503 || performance.now() > deadlineMs) throw new Error(`${status} ${JSON.stringify(body)}`)
    await pause(50)
  }
}

/** An address that leads to one port or another, as a name does after a failover. */
async function startForwarder(t: Teardown, firstPort: number): Promise<{ url: string; port: number }> {
  const sockets = new Set<Socket>()
  const target = { port: firstPort, url: '' }
  const server = createServer((near) => {
    const far = connect(target.port, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
      from.pipe(to)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  target.url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
  return target
}

test('failover: the old primary is READONLY, the address leads to the new one, and no job is lost', async (t) => {
  const [primary, replica] = [await RedisServer.start(t), await RedisServer.start(t)]
  const [atPrimary, atReplica] = [connectRedis(primary.url), connectRedis(replica.url)]
  t.teardown(() => {
    atPrimary.disconnect()
    atReplica.disconnect()
  })
  await atReplica.replicaof('127.0.0.1', primary.port)
  const address = await startForwarder(t, primary.port)
  const { upstream, client, chat } = await setUp(t, address.url)
  const [running, waiting] = [await client.submit(CHAT), await client.submit(CHAT)]
  const held = await upstream.next()
  t.equal(await atPrimary.wait(1, PATIENCE_MS), 1, 'the replica has it all')
  await atReplica.replicaof('NO', 'ONE')
  await atPrimary.replicaof('127.0.0.1', replica.port)
  const refused = await client.post(CHAT, ASYNC)
  t.equal(refused.status, 503)
  t.ok(refused.headers['retry-after'])
  t.equal(await chat(), 200, 'live traffic is untouched')
  held.say('meanwhile')
  address.port = replica.port
  const late = await submitAtLast(client)
  for (let i = 0; i < 2; i++) (await upstream.next()).say('done')
  for (const id of [running, waiting, late]) t.match(await client.until(id), { status: 'completed' })
  t.equal(await atReplica.exists(`{sluice}:jobs:job:${late}`), 1, 'it is the new primary that has it')
})

test('promoted again: a Redis that was READONLY for a moment takes jobs as before', async (t) => {
  const [redis, other] = [await RedisServer.start(t), await RedisServer.start(t)]
  const admin = connectRedis(redis.url)
  t.teardown(() => admin.disconnect())
  const { upstream, client, chat } = await setUp(t, redis.url)
  await other.kill()
  const id = await client.submit(CHAT)
  const held = await upstream.next()
  // Of a primary that is not there: it keeps what it has.
  await admin.replicaof('127.0.0.1', other.port)
  t.equal((await client.post(CHAT, ASYNC)).status, 503)
  t.equal(await chat(), 200)
  held.say('meanwhile')
  await admin.replicaof('NO', 'ONE')
  t.match(await client.until(id), { status: 'completed' })
  const late = await submitAtLast(client)
  ;(await upstream.next()).say('late')
  t.match(await client.until(late), { status: 'completed' })
})

for (const how of ['CLIENT PAUSE', 'SIGSTOP'] as const) {
  test(`${how} for seconds: 503 within seconds, live chats at once, and work resumes`, async (t) => {
    const redis = await RedisServer.start(t)
    const { upstream, client, chat } = await setUp(t, redis.url)
    const id = await client.submit(CHAT)
    const held = await upstream.next()
    const admin = connectRedis(redis.url)
    t.teardown(() => admin.disconnect())
    if (how === 'SIGSTOP') redis.pause()
    else await admin.client('PAUSE', PAUSED_MS, 'ALL')
    const askedMs = performance.now()
    const refusing = client.post(CHAT, ASYNC)
    t.equal(await chat(), 200)
    const servedMs = performance.now() - askedMs
    t.equal((await refusing).status, 503)
    const refusedMs = performance.now() - askedMs
    t.ok(servedMs < refusedMs && refusedMs < QUICKLY_MS, `served in ${servedMs} ms, refused in ${refusedMs} ms`)
    held.say('while it hung')
    if (how === 'SIGSTOP') redis.resume()
    t.match(await client.until(id), { status: 'completed' })
    const late = await submitAtLast(client)
    // What was refused may be there all the same: nobody knows what became of a call without an answer.
    const open = ((await client.list()).body.data as JobStatus[]).filter((job) => !hasEnded(job))
    for (const _ of open) (await upstream.next()).say('late')
    t.match(await client.until(late), { status: 'completed' })
  })
}

test('not there at the start: the gateway starts, jobs are 503 until it is, live chats are served', async (t) => {
  const redis = await RedisServer.start(t)
  await redis.kill()
  const { upstream, client, chat, gateway } = await setUp(t, redis.url)
  const refused = await client.post(CHAT, ASYNC)
  t.equal(refused.status, 503)
  t.match(refused.body, { error: { message: 'The job store is unreachable.' } })
  t.equal(await chat(), 200)
  await redis.startAgain()
  const id = await submitAtLast(client)
  ;(await upstream.next()).say('at last')
  t.match(await client.until(id), { status: 'completed' })
  t.equal(await gateway.stop('SIGINT'), 0)
})
