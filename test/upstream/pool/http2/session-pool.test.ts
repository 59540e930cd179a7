// The connections of one origin: what becomes of requests that wait for one which is never made, never begins, or goes at once.
import { once } from 'node:events'
import { constants } from 'node:http2'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { test } from 'tap'
import { MAX_STREAMS } from '../../../../src/upstream/pool/http2/session.js'
import { SessionPool, type SessionPoolOptions } from '../../../../src/upstream/pool/http2/session-pool.js'
import { type PooledHandler } from '../../../../src/upstream/pool/upstream-pool.js'
import { Authority } from '../../../helpers/certificates.js'
import { frameOf, GOAWAY, words } from '../../../helpers/http2-frames.js'
import { startRig, startScriptedRig } from '../../../helpers/http2-rig.js'
import { Http2Upstream } from '../../../helpers/http2-upstream.js'
import { collectAll, turn } from '../../../helpers/kept.js'
import { ScriptedHttp2Upstream } from '../../../helpers/scripted-http2-upstream.js'
import { testProvider } from '../../../helpers/targets.js'
import { probe, testUpstream } from '../../../helpers/upstream-probe.js'

function poolOf(origin: string, connect: SessionPoolOptions['connect'], more: Partial<SessionPoolOptions> = {}) {
  const limits = { maxConnections: null, keepAliveMs: 60_000, maxHeaderBytes: 32_768, settingsMs: 5_000 }
  return new SessionPool(origin, { ...limits, connect, onConnect: () => undefined, ...more })
}

/** What becomes of a request: `end`, or the text of its error. */
function send(pool: SessionPool, ends: string[]): PooledHandler {
  const handler: PooledHandler = {
    isOver: false,
    owner: null,
    onRequestStart: () => undefined,
    onResponseEnd: () => void ends.push('end'),
    onResponseError: (_controller: unknown, error: Error) => void ends.push(error.message),
  }
  pool.dispatch({ path: '/', method: 'POST', headers: [], body: Buffer.from('{}') }, handler)
  return handler
}

test('a connection that fails fails those that it was for, each once, and the rest wait for the next one', async (t) => {
  const fail: ((error: Error) => void)[] = []
  const pool = poolOf('https://127.0.0.1', (callback) => fail.push((error) => callback(error, null)))
  const ends: string[] = []
  for (let i = 0; i < 4 * MAX_STREAMS - 28; i++) send(pool, ends)
  t.equal(fail.length, 4, 'one connection for each full share of requests')
  for (const [i, failNow] of fail.entries()) {
    failNow(new Error(`no ${i}`))
    t.equal(ends.length, Math.min((i + 1) * MAX_STREAMS, 4 * MAX_STREAMS - 28))
  }
  t.equal(fail.length, 4, 'none is opened for nobody')
  t.equal(ends.filter((end) => end === 'no 3').length, MAX_STREAMS - 28)
  send(pool, ends)
  t.equal(fail.length, 5)
  const destroyed = pool.destroy()
  t.match(ends.at(-1), /destroyed/)
  fail[4]?.(new Error('late'))
  await destroyed
  t.equal(ends.length, 4 * MAX_STREAMS - 27)
})

test('a server that agrees to HTTP/2 and says nothing is given up at the limit of connecting, as one that does not accept', async (t) => {
  const timeouts = { connectMs: 200, firstTokenMs: 30_000, betweenTokensMs: 30_000, totalMs: 30_000 }
  const rig = await startScriptedRig(t, [{ stall: true }], { timeouts })
  for (const one of [rig.ask(), rig.ask()]) {
    const { error, code } = await one.done()
    t.equal(code, 'upstream_timeout')
    t.equal(error?.message, 'The provider did not accept a connection within 200 ms.')
  }
})

for (const code of [constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_ENHANCE_YOUR_CALM]) {
  test(`a server whose first word is GOAWAY (${code}) fails the requests that wait, under a code of ours`, async (t) => {
    const goaway = frameOf(GOAWAY, 0, 0, words(0, code))
    const rig = await startScriptedRig(t, [{ frames: () => goaway }, { end: 'fin' }])
    for (const one of [rig.ask(), rig.ask()]) {
      const { error } = await one.done()
      t.equal(error?.message, 'The provider violated HTTP/2 (HTTP2_PROTOCOL_ERROR).')
    }
  })
}

test('a connection that is destroyed as it begins takes nobody along', async (t) => {
  const upstream = await Http2Upstream.listen(t)
  const port = Number(new URL(upstream.origin).port)
  const pool = poolOf(upstream.origin, () => undefined)
  const socket: TLSSocket = connectTls({ port, host: '127.0.0.1', ca: upstream.ca, ALPNProtocols: ['h2'] })
  await once(socket, 'secureConnect')
  pool.adopt(socket)
  // Node says in the next tick that it has taken the socket over.
  await pool.destroy()
  t.equal(pool.stats().open, 0)
})

test('a provider that a reload replaces while its first connection is made serves what waits, and closes', async (t) => {
  for (const isHttp1 of [false, true]) {
    const rig = await startRig(t, { isHttp1 })
    const waiting = [rig.ask(), rig.ask()]
    rig.pools.keep(new Set())
    for (const one of waiting) t.same((await one.done()).events, ['head 200', 'bytes', 'end'])
    for (const socket of rig.server.sockets) if (!socket.destroyed) await once(socket, 'close')
    t.ok(rig.server.sockets.length > 0)
  }
})

test('what a closing pool still sends by HTTP/1.1 is waited for as well', async (t) => {
  const rig = await startRig(t, { isHttp1: true })
  let respond: () => void = () => undefined
  const asked = new Promise<void>((resolve) => {
    rig.server.answer = (response) => {
      respond = () => void response.end('late')
      resolve()
    }
  })
  const late = rig.ask()
  const closing = rig.pools.close(30_000)
  await asked
  let isClosed = false
  void closing.then(() => {
    isClosed = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(isClosed, false)
  respond()
  t.equal((await late.done()).body, 'late')
  await closing
})

test('of a server that gives each connection up after two requests none is refused for long, whoever comes meanwhile', async (t) => {
  const rig = await startRig(t)
  const looked = new Map<unknown, number>()
  rig.server.answer = (response) => {
    const { session } = response.stream
    const count = (looked.get(session) ?? 0) + 1
    looked.set(session, count)
    if (count > 2) return
    response.end('ok')
    // The second stream has the number 3.
    if (count === 2) session?.goaway(constants.NGHTTP2_NO_ERROR, 3)
  }
  const probes = Array.from({ length: 60 }, () => rig.ask())
  for (const one of probes) {
    const { events, error, call } = await one.done()
    t.same(events, ['head 200', 'bytes', 'end'], error?.message ?? '')
    t.ok((call?.attempts ?? 0) <= 4, `sent ${call?.attempts} times`)
  }
})

test('a connection that its server gives up and never closes is closed, and holds nobody up', async (t) => {
  const rig = await startRig(t)
  let asked = 0
  rig.server.answer = (response) => {
    asked += 1
    if (asked === 1) response.end('one')
    // The second one is left open.
    if (asked === 2) response.stream.session?.goaway(constants.NGHTTP2_NO_ERROR, 1)
    if (asked === 3) response.end('two')
  }
  const served = await Promise.all([rig.ask().done(), rig.ask().done()])
  t.same(served.map(({ body }) => body).sort(), ['one', 'two'])
  t.equal(rig.server.sessions.length, 2)
  while (rig.pools.stats(rig.provider).open > 1) await new Promise((resolve) => setTimeout(resolve, 10))
  await rig.pools.close(0)
})

test('a new connection is sent requests before its server has said a word, and no more than a few', async (t) => {
  const authority = new Authority(t)
  const whole = [{ wait: 'request' }, { send: 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok' }] as const
  const server = await ScriptedHttp2Upstream.listen(whole, authority.issue('late'), true)
  t.teardown(() => server.close())
  const { upstream, pools } = testUpstream()
  t.teardown(() => pools.close(0))
  const tls = { ca: authority.ca, cert: null, key: null, serverName: null }
  const provider = testProvider(`https://127.0.0.1:${server.port}`, { tls, http2: 'on' })
  const probes = Array.from({ length: 20 }, () => probe(upstream, provider))
  // The server waits for a first request, and was not told of more than the early ones when it spoke.
  const served = await Promise.all(probes.map((one) => one.done()))
  for (const { body, call } of served) t.same([body, call?.attempts], ['ok', 1])
  t.equal(server.accepted, 1)
})

test('an open stream holds nothing of its request’s body', async (t) => {
  const rig = await startRig(t)
  const memory: WeakRef<object>[] = []
  const makeBytes = () => {
    const bytes = Buffer.alloc(64 * 1024, 'x')
    memory.push(new WeakRef(bytes.buffer))
    return bytes
  }
  rig.server.answer = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: first\n\n')
  }
  const open = async (makeBody: () => Buffer | readonly Buffer[]) => {
    let begun = (): void => undefined
    const first = new Promise<void>((resolve) => {
      begun = resolve
    })
    const onEvent = (event: string) => event === 'bytes' && begun()
    const seen = rig.ask({ request: { body: makeBody() }, onEvent })
    await first
    return seen
  }
  const streams = [await open(makeBytes), await open(() => [Buffer.from('{'), makeBytes().subarray(1)])]
  await turn()
  collectAll()
  t.strictSame(
    memory.map((ref) => ref.deref() !== undefined),
    [false, false],
  )
  for (const seen of streams) seen.call?.abort()
})
