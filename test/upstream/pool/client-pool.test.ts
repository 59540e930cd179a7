// The pool of one origin: which connection a request gets, and what becomes of connections whose call ended ill.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'tap'
import { type ProviderConfig } from '../../../src/config/types.js'
import { ClientPool, type ClientPoolOptions } from '../../../src/upstream/pool/client-pool.js'
import { Pools } from '../../../src/upstream/pool/pools.js'
import { type PooledHandler } from '../../../src/upstream/pool/upstream-pool.js'
import { answer, chunk, LAST_CHUNK, ScriptedUpstream, streamHead, whole } from '../../helpers/scripted-upstream.js'
import { testProvider } from '../../helpers/targets.js'
import { probe, testUpstream } from '../../helpers/upstream-probe.js'

const HELD = answer(streamHead(), chunk('x'), { wait: 'go', name: 'on' }, LAST_CHUNK)

const PLAIN: ClientPoolOptions = {
  maxConnections: null,
  reusesConnections: true,
  client: {},
  onConnect: () => undefined,
  onUnsolicited: () => undefined,
}

function setUp(server: ScriptedUpstream, options: Parameters<typeof testProvider>[1] = {}) {
  const { upstream, pools } = testUpstream()
  return { upstream, pools, provider: testProvider(server.origin, options) }
}

/** A request at the pool itself, or a repeated one. */
function ask(
  pool: ClientPool,
  headers: string[] = [],
  way: 'dispatch' | 'dispatchAgain' = 'dispatch',
): Promise<string> {
  return new Promise((resolve) => {
    const handler: PooledHandler = {
      isOver: false,
      owner: null,
      onRequestStart: () => undefined,
      onResponseStart: () => undefined,
      onResponseData: () => undefined,
      onResponseEnd: () => resolve('ok'),
      onResponseError: (_controller, error) => resolve((error as NodeJS.ErrnoException).code ?? error.message),
    }
    pool[way]({ path: '/', method: 'GET', headers }, handler)
  })
}

/** Long enough for a connection that was given back to be at hand. */
async function settled(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Runs `callback` in the poll phase of the loop, as whatever a client sends does. */
async function inPollPhase<T>(callback: () => T): Promise<T> {
  const server = createServer((socket) => socket.end('x')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const result = await new Promise<T>((resolve) => socket.once('data', () => resolve(callback())))
  socket.destroy()
  server.close()
  return result
}

type Straying = {
  readonly origin: string
  /** Sends bytes that no request asked for, unless told otherwise on the connection that was asked last. */
  stray(on?: 'last' | 'others'): void
  /** Sends the answers that are due, and nothing else. */
  answer(): void
  accepted(): number
  close(): Promise<void>
}

/** Answers each request with its number. `answersAtOnce`: otherwise `stray` does, with the stray right behind the answer. */
async function startStraying(answersAtOnce = (_request: number): boolean => true): Promise<Straying> {
  let [answers, accepted] = [0, 0]
  let last: Socket | null = null
  const sockets = new Set<Socket>()
  const due = new Map<Socket, number>()
  const wire = (body: string): string => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  const server = createServer({ noDelay: true }, (socket) => {
    accepted += 1
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', () => {
      last = socket
      answers += 1
      if (answersAtOnce(answers)) socket.write(wire(`answer ${answers}`))
      else due.set(socket, answers)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answer() {
      for (const [socket, number] of due) socket.write(wire(`answer ${number}`))
      due.clear()
    },
    stray(on = 'last') {
      for (const socket of sockets) {
        if ((socket === last) !== (on === 'last')) continue
        const answer = due.get(socket)
        socket.write(answer === undefined ? wire('stray') : wire(`answer ${answer}`) + wire('stray'))
      }
    },
    accepted: () => accepted,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

test('bytes that have arrived when a request comes are never its answer', async (t) => {
  const server = await startStraying()
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const provider = testProvider(server.origin)
  t.equal((await probe(upstream, provider).done()).body, 'answer 1')
  await settled()
  // Written in the phase in which sockets are read, so that the loop has no chance to see the bytes before the request.
  const next = await inPollPhase(() => {
    server.stray()
    return probe(upstream, provider)
  })
  t.equal((await next.done()).body, 'answer 2')
  t.equal(server.accepted(), 2, 'on another connection')
})

test('bytes that come with the end of an answer are not given to a request that waits', async (t) => {
  const server = await ScriptedUpstream.listen(
    answer(whole(200, 'first'), whole(200, 'stray'), { stall: true }),
    answer(whole(200, 'second')),
  )
  const { upstream, pools, provider } = setUp(server, { maxConnections: 1 })
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const [first, second] = [probe(upstream, provider), probe(upstream, provider)]
  t.equal((await first.done()).body, 'first')
  t.equal((await second.done()).body, 'second')
})

test('an upstream that sent unsolicited bytes gets a connection for each request, and is reported once', async (t) => {
  const server = await startStraying()
  const caught: string[] = []
  const pools = new Pools({ onUnsolicited: ({ name }) => caught.push(name) })
  const upstream = testUpstream(1000, { pools }).upstream
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const provider = testProvider(server.origin)
  await Promise.all([probe(upstream, provider).done(), probe(upstream, provider).done()])
  t.equal(server.accepted(), 2)
  server.stray()
  while (caught.length === 0) await settled()
  await settled()
  t.same(upstream.stats(provider), { open: 0, busy: 0 }, 'the other connection, which was silent, is closed as well')
  for (let i = 3; i <= 5; i++) {
    await probe(upstream, provider).done()
    t.equal(server.accepted(), i)
  }
  t.same(caught, ['test'])
})

test('a request that is on its way to a connection when another one is caught goes out on a new one', async (t) => {
  const server = await startStraying()
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const provider = testProvider(server.origin)
  await Promise.all([probe(upstream, provider).done(), probe(upstream, provider).done()])
  // Whichever connection serves it is the one that the next request will get.
  t.equal((await probe(upstream, provider).done()).body, 'answer 3')
  await settled()
  // The next poll phase reads the bytes, and the end of that turn is where the pool hears of them: after the request came.
  server.stray('others')
  await new Promise((resolve) => setImmediate(resolve))
  t.equal((await probe(upstream, provider).done()).body, 'answer 4')
  t.equal(server.accepted(), 3)
})

for (const behind of ['nothing', 'a stray']) {
  test(`a connection that is busy when another one is caught ends with its request: ${behind} behind its answer`, async (t) => {
    const server = await startStraying((request) => request === 1)
    const caught: string[] = []
    const pools = new Pools({ onUnsolicited: ({ name }) => caught.push(name) })
    const upstream = testUpstream(1000, { pools }).upstream
    t.teardown(() => Promise.all([pools.close(0), server.close()]))
    const provider = testProvider(server.origin)
    const [first, busy] = [probe(upstream, provider), probe(upstream, provider)]
    t.equal((await first.done()).body, 'answer 1')
    await settled()
    server.stray('others')
    while (caught.length === 0) await settled()
    if (behind === 'nothing') server.answer()
    else server.stray('last')
    t.equal((await busy.done()).body, 'answer 2')
    await settled()
    t.same(upstream.stats(provider), { open: 0, busy: 0 })
    t.same(caught, ['test'], 'and is not reported again')
  })
}

test('an upstream that was caught is trusted again after a minute', async (t) => {
  const server = await startStraying()
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const provider = testProvider(server.origin)
  await probe(upstream, provider).done()
  server.stray()
  while (upstream.stats(provider).open > 0) await settled()
  const { now } = performance
  let laterMs = 0
  performance.now = () => now.call(performance) + laterMs
  t.teardown(() => Reflect.deleteProperty(performance, 'now'))
  const accepted = async (): Promise<number> => {
    await probe(upstream, provider).done()
    await settled()
    return server.accepted()
  }
  laterMs = 50_000
  t.same([await accepted(), await accepted()], [2, 3])
  laterMs = 60_000
  t.same([await accepted(), await accepted(), await accepted()], [4, 4, 4])
})

test('isolation key: a connection serves one tenant, and makes room for another where connections are limited', async (t) => {
  const server = await ScriptedUpstream.listen(answer(whole(200, 'ok')))
  const { upstream, pools, provider } = setUp(server, { isolation: 'key' })
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const narrow = testProvider(server.origin, { isolation: 'key', maxConnections: 1 })
  const connectionsOf = async (to: ProviderConfig, tenants: string[], callerKey: string | null): Promise<number[]> => {
    const used: number[] = []
    for (const tenant of tenants) {
      // The path bears the tenant, so that the upstream knows whose connection it is.
      const path = `/${tenant}`
      t.equal((await probe(upstream, to, { request: { path, tenant, callerKey } }).done()).body, 'ok')
      used.push(server.requests.at(-1)?.connection ?? 0)
    }
    return used
  }
  t.same(await connectionsOf(provider, ['a', 'b', 'a', 'b'], null), [1, 2, 1, 2])
  t.same(await connectionsOf(provider, ['a', 'a'], 'sk-of-caller'), [3, 4], 'a key of the caller shares with nothing')
  for (const { head } of server.requests.slice(-2))
    t.match(head, /connection: close/i, 'and its connection is not kept')
  t.same(await connectionsOf(provider, ['a'], null), [1])
  t.same(await connectionsOf(narrow, ['a', 'a', 'b', 'a'], null), [5, 5, 6, 7])
  const asked = server.requests.length
  await Promise.all(['a', 'b', 'a', 'b'].map((tenant) => connectionsOf(narrow, [tenant], null)))
  const served = server.requests.slice(asked).map(({ head, connection }) => `${connection} ${head.split(' ')[1]}`)
  const connections = new Set(served.map((one) => one.split(' ')[0]))
  t.equal(new Set(served).size, connections.size, `who waits gets no connection of another tenant: ${served}`)
})

test('isolation request: no connection serves a second request, and its request says so', async (t) => {
  const server = await ScriptedUpstream.listen(answer(whole(200, 'ok')))
  const { upstream, pools, provider } = setUp(server, { isolation: 'request', maxConnections: 2 })
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  await Promise.all(Array.from({ length: 6 }, () => probe(upstream, provider).done()))
  t.equal(server.accepted, 6)
  t.same(new Set(server.requests.map(({ head }) => /connection: (\S+)/i.exec(head)?.[1])), new Set(['close']))
  await server.until(() => server.open === 0)
})

test('takes the connection used last, and no second one while one is free', async (t) => {
  const server = await ScriptedUpstream.listen(answer(whole(200, 'ok')))
  const { upstream, pools, provider } = setUp(server)
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  await Promise.all([probe(upstream, provider).done(), probe(upstream, provider).done()])
  t.equal(server.accepted, 2)
  for (let i = 0; i < 5; i++) await probe(upstream, provider).done()
  t.equal(server.accepted, 2)
  const last = server.requests.slice(-5).map(({ connection }) => connection)
  t.equal(new Set(last).size, 1, `one after the other on one connection: ${last}`)
})

test('an aborted call takes its connection with it, and none is made in its place', async (t) => {
  const server = await ScriptedUpstream.listen(HELD)
  const { upstream, pools, provider } = setUp(server)
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const calls = Array.from({ length: 20 }, () => probe(upstream, provider))
  await server.until(() => server.played === 20)
  for (const { call } of calls) call?.abort()
  await server.until(() => server.open === 0)
  await settled()
  t.equal(server.accepted, 20)
  t.same(upstream.stats(provider), { open: 0, busy: 0 })
})

test('a waiting call gets the slot of an aborted one; a call that was aborted while waiting is not sent', async (t) => {
  const server = await ScriptedUpstream.listen(HELD, answer(whole(200, 'ok')))
  const { upstream, pools, provider } = setUp(server, { maxConnections: 1 })
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const first = probe(upstream, provider)
  await server.until(() => server.played === 1)
  const dropped = probe(upstream, provider)
  const second = probe(upstream, provider)
  dropped.call?.abort()
  first.call?.abort()
  t.equal((await second.done()).body, 'ok')
  t.equal(server.requests.length, 2)
})

test('failed connections leave no waiting call behind', async (t) => {
  const gone = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => gone.once('listening', resolve))
  const { port } = gone.address() as { port: number }
  await new Promise((resolve) => gone.close(resolve))
  const { upstream, pools } = testUpstream()
  t.teardown(() => pools.close(0))
  const provider = testProvider(`http://127.0.0.1:${port}`, { maxConnections: 2 })
  const seen = await Promise.all(Array.from({ length: 10 }, () => probe(upstream, provider).done()))
  t.same(new Set(seen.map(({ code }) => code)), new Set(['upstream_unreachable']))
  t.same(upstream.stats(provider), { open: 0, busy: 0 })
})

test('a request that cannot be sent releases its slot', async (t) => {
  const server = await ScriptedUpstream.listen(answer(whole(200, 'ok')))
  const pool = new ClientPool(server.origin, { ...PLAIN, maxConnections: 1 })
  t.teardown(() => Promise.all([pool.destroy(), server.close()]))
  t.equal(await ask(pool, ['bad name', 'x']), 'UND_ERR_INVALID_ARG')
  t.equal(pool.busy, 0)
  t.equal(await ask(pool), 'ok')
})

test('a connection that the upstream closed while it was free is forgotten', async (t) => {
  const server = await ScriptedUpstream.listen(answer(whole(200, 'ok'), { wait: 'go', name: 'bye' }, { end: 'fin' }))
  const { upstream, pools, provider } = setUp(server)
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  await probe(upstream, provider).done()
  t.same(upstream.stats(provider), { open: 1, busy: 0 })
  server.go('bye')
  await server.until(() => server.closed === 1)
  await settled()
  t.same(upstream.stats(provider), { open: 0, busy: 0 })
  t.equal((await probe(upstream, provider).done()).body, 'ok')
  t.equal(server.accepted, 2)
})

test('a call that meets a free connection just as it is reset goes out on another', async (t) => {
  const dying = answer(whole(200, 'ok'), { wait: 'go', name: 'bye' }, { end: 'rst' })
  const server = await ScriptedUpstream.listen(dying, answer(whole(200, 'ok')))
  const { upstream, pools, provider } = setUp(server)
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  await probe(upstream, provider).done()
  server.go('bye')
  // Enough for the upstream to reset it, and not for this side to be told.
  for (let i = 0; i < 20; i++) await Promise.resolve()
  const again = await probe(upstream, provider).done()
  t.equal(again.body, 'ok', again.error?.message ?? '')
  t.equal(server.accepted, 2)
})

test('every invalid request fails with its own error, however many there are', async (t) => {
  const server = await ScriptedUpstream.listen(HELD)
  const pool = new ClientPool(server.origin, { ...PLAIN, maxConnections: 1 })
  t.teardown(() => Promise.all([pool.destroy(), server.close()]))
  const held = ask(pool)
  const ill = Array.from({ length: 20_000 }, () => ask(pool, ['bad name', 'x']))
  await server.until(() => server.played === 1)
  server.go('on')
  t.equal(await held, 'ok')
  t.same(new Set(await Promise.all(ill)), new Set(['UND_ERR_INVALID_ARG']))
  t.equal(pool.busy, 0)
})

test('a repeat that is on its way when the pool closes is served, and waited for', async (t) => {
  const server = await ScriptedUpstream.listen(answer(whole(200, 'ok')))
  const pool = new ClientPool(server.origin, PLAIN)
  t.teardown(() => Promise.all([pool.destroy(), server.close()]))
  const repeated = ask(pool, [], 'dispatchAgain')
  const closing = pool.close()
  t.equal(await repeated, 'ok')
  await closing
  t.equal(pool.busy, 0)
})

test('a closing pool serves waiting calls, accepts no new ones, and ends', async (t) => {
  const server = await ScriptedUpstream.listen(HELD, answer(whole(200, 'ok')))
  const pool = new ClientPool(server.origin, { ...PLAIN, maxConnections: 1 })
  t.teardown(() => Promise.all([pool.destroy(), server.close()]))
  const running = ask(pool)
  const waiting = ask(pool)
  const closing = pool.close()
  t.equal(await ask(pool), 'UND_ERR_CLOSED')
  server.go('on')
  t.same(await Promise.all([running, waiting]), ['ok', 'ok'])
  await closing
  t.equal(pool.busy, 0)
  await server.until(() => server.open === 0)
})

test('a destroyed pool fails its running and waiting calls', async (t) => {
  const server = await ScriptedUpstream.listen(HELD)
  const pool = new ClientPool(server.origin, { ...PLAIN, maxConnections: 1 })
  t.teardown(() => server.close())
  const asked = [ask(pool), ask(pool)]
  await server.until(() => server.played === 1)
  await pool.destroy()
  t.same(await Promise.all(asked), ['UND_ERR_DESTROYED', 'UND_ERR_DESTROYED'])
  await server.until(() => server.open === 0)
})
