// HTTP/2 to a provider, seen through a call: what is agreed on, how streams share connections, and every way in which one may end.
import { once } from 'node:events'
import { constants, type Http2ServerResponse } from 'node:http2'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { test } from 'tap'
import { NegotiatedPool } from '../../../../src/upstream/pool/http2/negotiated-pool.js'
import { MAX_STREAMS } from '../../../../src/upstream/pool/http2/session.js'
import { type UpstreamPool } from '../../../../src/upstream/pool/upstream-pool.js'
import { type Http2Rig, holdStreams, startRig } from '../../../helpers/http2-rig.js'
import { Http2Upstream } from '../../../helpers/http2-upstream.js'

const [H1, H2] = ['1.1 POST /chat', '2.0 POST /chat']
const END = ['head 200', 'bytes', 'end']
const CUT = ['head 200', 'bytes', 'error upstream_cut']

test('a provider that agrees to HTTP/2 gets method, path, headers and body as over HTTP/1.1, on one connection', async (t) => {
  const rig = await startRig(t)
  const seen: string[] = []
  rig.server.answer = (response, request, body) => {
    const { authorization, 'content-type': type, 'content-length': length, 'x-two': two } = request.headers
    seen.push([request.authority, authorization, type, length, two, body].join(' | '))
    response.writeHead(200, { 'content-type': 'application/json', 'x-request-id': 'up-1', 'set-cookie': ['a', 'b'] })
    response.end('{"answer":1}')
  }
  const body = [Buffer.from('{"in":'), Buffer.from('"pieces"}')]
  const first = await rig.ask({ request: { isStream: false, body } }).done()
  t.same(first.events, END, first.error?.message ?? '')
  t.equal(first.body, '{"answer":1}')
  t.match(first.headers, { 'content-type': 'application/json', 'x-request-id': 'up-1', 'set-cookie': ['a', 'b'] })
  t.notOk(Object.keys(first.headers).some((name) => name.startsWith(':')))
  const { host } = new URL(rig.server.origin)
  t.same(seen, [`${host} | Bearer ${rig.provider.apiKey} | application/json | 15 |  | {"in":"pieces"}`])
  const second = await rig.ask().done()
  t.same(second.events, END)
  t.equal(second.call?.isReused, true)
  t.same(rig.server.requests, ['2.0 POST /chat', '2.0 POST /chat'])
  t.equal(rig.server.sockets.length, 1)
  t.same(rig.pools.stats(rig.provider), { open: 1, busy: 0 })
})

test('a provider that does not agree is spoken to in HTTP/1.1, with auto; with on it is an error that says so', async (t) => {
  const rig = await startRig(t, { isHttp1: true })
  for (let i = 0; i < 3; i++) t.same((await rig.ask().done()).events, END)
  t.same(new Set(rig.server.requests), new Set(['1.1 POST /chat']))
  t.equal(rig.server.sockets.length, 1, 'the connection that agreed on it serves them')
  const several = await startRig(t, { isHttp1: true })
  const asked = await Promise.all(Array.from({ length: 5 }, () => several.ask().done()))
  for (const { events } of asked) t.same(events, END)
  t.equal(several.server.sockets.length, 5)
  const strict = await startRig(t, { isHttp1: true }, { http2: 'on' })
  const { error } = await strict.ask().done()
  t.equal(error?.message, 'The provider could not be reached (HTTP2_NOT_OFFERED).')
  t.same(strict.server.requests, [])
})

test('off, and with isolation, HTTP/2 is not offered', async (t) => {
  for (const options of [{ http2: 'off' }, { isolation: 'key' }, { isolation: 'request' }] as const) {
    const rig = await startRig(t, {}, options)
    t.same((await rig.ask().done()).events, END)
    t.same(rig.server.requests, ['1.1 POST /chat'])
  }
})

test('a server that agrees to HTTP/2 and does not speak it fails the requests that wait, each once', async (t) => {
  const rig = await startRig(t)
  rig.server.onSocket = (socket) => void socket.destroy()
  const failed = await Promise.all([rig.ask().done(), rig.ask().done()])
  for (const { events, error } of failed) t.same(events, ['error upstream_unreachable'], error?.message ?? '')
  rig.server.onSocket = () => undefined
  t.same((await rig.ask().done()).events, END)
})

test('a certificate that is not trusted is refused, and the requests that wait fail with that', async (t) => {
  const rig = await startRig(t, {}, { tls: null })
  const failed = await Promise.all([rig.ask().done(), rig.ask().done()])
  for (const { error } of failed) {
    t.equal(error?.message, 'The provider could not be reached (UNABLE_TO_VERIFY_LEAF_SIGNATURE).')
  }
})

test('streams share connections up to a bound, and a further one takes the next; each gets its own bytes', async (t) => {
  const rig = await startRig(t)
  const count = MAX_STREAMS * 2 + 5
  const { probes, held } = await holdStreams(rig, count)
  t.equal(rig.server.sessions.length, 3)
  t.same(rig.pools.stats(rig.provider), { open: 3, busy: 3 })
  for (const [i, response] of held.entries()) response.end(`data: ${i}\n\n`)
  const done = await Promise.all(probes.map((one) => one.done()))
  const numbers = done.map(({ body }) => Number(/first\n\ndata: (\d+)\n\n$/.exec(body)?.[1])).sort((a, b) => a - b)
  t.same(
    numbers,
    Array.from({ length: count }, (_, i) => i),
  )
  for (const { events } of done) t.same(events, END)
})

test('a server that allows fewer streams gets no more on a connection', async (t) => {
  const rig = await startRig(t, { settings: { maxConcurrentStreams: 4 } })
  // Its settings come with its first answer.
  await rig.ask().done()
  const { probes, held } = await holdStreams(rig, 10)
  t.ok(rig.server.sessions.length >= 3, `${rig.server.sessions.length} sessions`)
  for (const response of held) response.end()
  for (const one of probes) t.same((await one.done()).events, END)
})

test('a server that allows no request on a connection fails those that wait, and is not connected to again and again', async (t) => {
  const rig = await startRig(t, { settings: { maxConcurrentStreams: 0 } })
  for (let i = 1; i <= 2; i++) {
    const { error } = await rig.ask().done()
    t.equal(error?.message, 'The provider could not be reached (HTTP2_NO_STREAMS).')
    t.ok(rig.server.sockets.length <= i + 1, `${rig.server.sockets.length} connections`)
  }
})

test('a request that HTTP/2 cannot say fails by itself, and its connection stays', async (t) => {
  const rig = await startRig(t, {}, { headers: { 'proxy-connection': 'keep-alive' } })
  for (let i = 0; i < 3; i++) {
    t.match((await rig.ask().done()).error?.message, /ERR_HTTP2_INVALID_CONNECTION_HEADERS/)
  }
  t.equal(rig.server.sockets.length, 1)
})

test('where a later connection agrees on HTTP/1.1, what waits for it goes there, of a closing pool as well', async (t) => {
  const [modern, old] = [await Http2Upstream.listen(t), await Http2Upstream.listen(t, { isHttp1: true })]
  let now = modern
  const dispatched: string[] = []
  let closed = 0
  const http1: UpstreamPool = {
    ...{ busy: 0, stats: () => ({ open: 0, busy: 0 }), forget: () => undefined, dispatchAgain: () => undefined },
    close: () => {
      closed += 1
      return Promise.resolve()
    },
    destroy: () => Promise.resolve(),
    dispatch: ({ path }, handler) => {
      dispatched.push(path)
      handler.onResponseEnd?.(null as never, {})
    },
  }
  const pool = new NegotiatedPool(modern.origin, {
    ...{ maxConnections: null, keepAliveMs: 60_000, maxHeaderBytes: 32_768, settingsMs: 5_000, isRequired: false },
    onConnect: () => undefined,
    openHttp1: () => http1,
    connect: (callback) => {
      const options = { ca: now.ca, host: '127.0.0.1', ALPNProtocols: ['h2', 'http/1.1'] }
      const socket = connectTls({ ...options, port: Number(new URL(now.origin).port) })
      socket.on('error', () => undefined).once('secureConnect', () => callback(null, socket))
    },
  })
  t.teardown(() => pool.destroy())
  const ask = (path: string) =>
    new Promise<string>((resolve) => {
      const onResponseError = (_controller: unknown, error: Error) => resolve(error.message)
      const handler = { isOver: false, owner: null, onRequestStart: () => undefined, onResponseError }
      pool.dispatch({ path, method: 'POST', headers: [] }, { ...handler, onResponseEnd: () => resolve('end') })
    })
  t.equal(await ask('/first'), 'end')
  now = old
  modern.sessions[0]?.destroy()
  while (pool.stats().open > 0) await nextTurn()
  const last = Promise.all([ask('/second'), ask('/third')])
  const closing = pool.close()
  t.same(await last, ['end', 'end'])
  t.same(dispatched, ['/second', '/third'])
  await closing
  t.equal(closed, 1, 'and the closing of the pool waits for it')
})

test('a request that the server takes over HTTP/1.1 alone is sent by that, as all after it; with on it fails', async (t) => {
  for (const http2 of ['auto', 'on'] as const) {
    const rig = await startRig(t, {}, { http2 })
    rig.server.answer = (response, request) => {
      if (request.httpVersion === '2.0') response.stream.close(constants.NGHTTP2_HTTP_1_1_REQUIRED)
      else response.end('ok')
    }
    for (let i = 0; i < 2; i++) {
      const { body, error } = await rig.ask().done()
      if (http2 === 'auto') t.equal(body, 'ok', error?.message ?? '')
      else t.equal(error?.message, 'The provider could not be reached (HTTP2_HTTP_1_1_REQUIRED).')
    }
    t.same(rig.server.requests, http2 === 'auto' ? [H2, H1, H1] : [H2, H2, H2, H2])
  }
})

test('with a limit of connections further requests wait, and one that is aborted meanwhile is never sent', async (t) => {
  const rig = await startRig(t, { settings: { maxConcurrentStreams: 2 } }, { maxConnections: 1 })
  await rig.ask().done()
  const { probes, held } = await holdStreams(rig, 2)
  const asked = rig.server.requests.length
  const aborted = rig.ask()
  const waiting = rig.ask()
  aborted.call?.abort()
  t.equal(rig.server.requests.length, asked)
  rig.server.answer = (response) => void response.end('late')
  held[0]?.end()
  const late = await waiting.done()
  t.equal(late.body, 'late')
  t.same(aborted.events, [])
  held[1]?.end()
  await Promise.all(probes.map((one) => one.done()))
  t.equal(rig.server.sessions.length, 1)
})

test('an aborted call resets its own stream at once, and the others of its connection go on', async (t) => {
  const rig = await startRig(t)
  const { probes, held } = await holdStreams(rig, 3)
  const [first, ...others] = probes
  const reset = held.map(({ stream }) => once(stream, 'close').then(() => stream.rstCode))
  first?.call?.abort()
  t.equal(await Promise.race(reset), constants.NGHTTP2_CANCEL)
  for (const response of held) response.end('data: more\n\n')
  for (const one of others) t.same((await one.done()).events, END)
  t.same(first?.events, ['head 200', 'bytes'], 'it is told nothing more')
  t.equal(rig.server.sessions.length, 1)
})

for (const [name, end] of [
  ['a reset stream', (response) => response.stream.close(constants.NGHTTP2_INTERNAL_ERROR)],
  ['a stream that is reset without an error', (response) => response.stream.close(constants.NGHTTP2_NO_ERROR)],
  ['a stream that is cancelled', (response) => response.stream.close(constants.NGHTTP2_CANCEL)],
  ['a session that is destroyed', (response) => response.stream.session?.destroy()],
  [
    'a session that ends by an error',
    (response) => response.stream.session?.destroy(new Error('down'), constants.NGHTTP2_INTERNAL_ERROR),
  ],
  ['a socket that is reset', (_, rig) => rig.server.sockets[0]?.resetAndDestroy()],
  ['a socket that is closed', (_, rig) => rig.server.sockets[0]?.destroy()],
] as readonly (readonly [string, (response: Http2ServerResponse, rig: Http2Rig) => void])[]) {
  test(`${name} in mid-answer is a cut answer, never a complete one, and the next request is served`, async (t) => {
    const rig = await startRig(t)
    const { probes, held } = await holdStreams(rig, 1)
    const [response] = held
    if (response !== undefined) end(response, rig)
    const cut = await probes[0]?.done()
    t.same(cut?.events, CUT, cut?.error?.message ?? '')
    t.match(cut?.error?.message, /^The provider ended the connection before its response was complete \(\w+\)\.$/)
    rig.server.answer = (next) => void next.end('ok')
    t.same((await rig.ask().done()).events, END)
  })
}

test('after a GOAWAY running streams end as usual, and new requests take a new connection', async (t) => {
  const rig = await startRig(t)
  const { probes, held } = await holdStreams(rig, 2)
  const [session] = rig.server.sessions
  session?.goaway(constants.NGHTTP2_NO_ERROR)
  rig.server.answer = (response) => void response.end('new')
  // It may still go out on the old one if it is sent before the GOAWAY has arrived.
  for (let i = 0; rig.server.sessions.length < 2 && i < 100; i++) t.same((await rig.ask().done()).events, END)
  t.equal(rig.server.sessions.length, 2)
  for (const response of held) response.end('data: last\n\n')
  for (const one of probes) {
    const { events, body } = await one.done()
    t.same(events, END)
    t.match(body, /last/)
  }
})

test('a connection that the server closed while it was idle costs a request nothing', async (t) => {
  const rig = await startRig(t)
  for (const how of ['destroy', 'resetAndDestroy', 'end'] as const) {
    t.same((await rig.ask().done()).events, END)
    rig.server.sockets.at(-1)?.[how]()
    t.same((await rig.ask().done()).events, END, how)
  }
})

test('an idle connection closes after keepAliveMs, and one with streams does not', async (t) => {
  const rig = await startRig(t, {}, { keepAliveMs: 50 })
  const { probes, held } = await holdStreams(rig, 1)
  const [session] = rig.server.sessions
  if (session === undefined) throw new Error('no session')
  const closed = once(session, 'close')
  t.equal(session.closed, false)
  held[0]?.end()
  t.same((await probes[0]?.done())?.events, END)
  await closed
  while (rig.pools.stats(rig.provider).open > 0) await nextTurn()
})

test('interim answers are skipped', async (t) => {
  const rig = await startRig(t)
  rig.server.answer = (response) => {
    response.writeContinue()
    response.stream.additionalHeaders({ ':status': 103 })
    response.end('final')
  }
  const { events, status, body } = await rig.ask().done()
  t.same([events, status, body], [END, 200, 'final'])
})

test('whole answers of some megabytes arrive on several streams at once, though nobody reads faster than they come', async (t) => {
  const rig = await startRig(t)
  const text = 'x'.repeat(900_000)
  rig.server.answer = (response) => void response.end(text)
  const all = await Promise.all(Array.from({ length: 20 }, () => rig.ask({ request: { isStream: false } }).done()))
  for (const { events, body } of all) {
    t.same(events, END)
    t.equal(body.length, text.length)
  }
})

test('request bodies larger than every window arrive whole', async (t) => {
  const rig = await startRig(t)
  rig.server.answer = (response, _, body) => void response.end(`${body.length}`)
  const body = Buffer.alloc(5_000_000, 'y')
  const seen = await Promise.all([1, 2, 3].map(() => rig.ask({ request: { body } }).done()))
  for (const one of seen) t.equal(one.body, '5000000')
})

test('a closing pool serves what runs and takes nothing new; a destroyed one ends it', async (t) => {
  const rig = await startRig(t)
  const { probes, held } = await holdStreams(rig, 2)
  const closing = rig.pools.close(10_000)
  held[0]?.end()
  held[1]?.end()
  for (const one of probes) t.same((await one.done()).events, END)
  await closing
  const other = await startRig(t)
  const held2 = await holdStreams(other, 2)
  await other.pools.close(0)
  for (const one of held2.probes) t.equal((await one.done()).code, 'draining')
})
