// Every way an upstream can fail, as rows of steps, and the one error each of them is.
import { createServer } from 'node:net'
import { test } from 'tap'
import { GatewayError } from '../../src/errors.js'
import { failureOf, sendsAfter, timeoutFailure } from '../../src/upstream/failure.js'
import {
  answer,
  chunk,
  LAST_CHUNK,
  ScriptedUpstream,
  type Step,
  streamHead,
  whole,
} from '../helpers/scripted-upstream.js'
import { testProvider } from '../helpers/targets.js'
import { probe, testUpstream } from '../helpers/upstream-probe.js'

const FRAME = 'data: {"x":1}\n\n'
const FIN: Step = { end: 'fin' }
const RST: Step = { end: 'rst' }
/** Lets what was sent arrive before the reset, which overtakes it. */
const PAUSE: Step = { delayMs: 30 }

type Row = { readonly name: string; readonly steps: readonly Step[]; readonly events: readonly string[] }

const ROWS: readonly Row[] = [
  { name: 'reset after the request', steps: [RST], events: ['error upstream_unreachable'] },
  { name: 'FIN after the request', steps: [FIN], events: ['error upstream_unreachable'] },
  {
    name: 'FIN after the status line',
    steps: [{ send: 'HTTP/1.1 200 OK\r\n' }, FIN],
    events: ['error upstream_unreachable'],
  },
  {
    name: 'FIN inside a header',
    steps: [{ send: 'HTTP/1.1 200 OK\r\ncontent-ty' }, FIN],
    events: ['error upstream_unreachable'],
  },
  { name: 'FIN after the head', steps: [streamHead(), FIN], events: ['head 200', 'error upstream_cut'] },
  { name: 'reset after the head', steps: [streamHead(), PAUSE, RST], events: ['head 200', 'error upstream_cut'] },
  {
    name: 'FIN inside a frame',
    steps: [streamHead(), chunk('data: {"x'), FIN],
    events: ['head 200', 'bytes', 'error upstream_cut'],
  },
  {
    name: 'reset between frames',
    steps: [streamHead(), chunk(FRAME), PAUSE, RST],
    events: ['head 200', 'bytes', 'error upstream_cut'],
  },
  {
    name: 'FIN inside a chunk size',
    steps: [streamHead(), chunk(FRAME), { send: '1' }, FIN],
    events: ['head 200', 'bytes', 'error upstream_cut'],
  },
  {
    name: 'FIN before the last chunk, on a connection that was to close',
    steps: [streamHead(['connection: close']), chunk(FRAME), FIN],
    events: ['head 200', 'bytes', 'error upstream_cut'],
  },
  {
    name: 'FIN before content-length is reached',
    steps: [{ send: 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort' }, FIN],
    events: ['head 200', 'bytes', 'error upstream_cut'],
  },
  {
    name: 'FIN before content-length is reached, on a connection that was to close',
    steps: [{ send: 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 100\r\n\r\nshort' }, FIN],
    events: ['head 200', 'bytes', 'error upstream_cut'],
  },
  {
    name: 'a bad chunk size',
    steps: [streamHead(), { send: 'xyz\r\n' }, { stall: true }],
    events: ['head 200', 'error upstream_malformed'],
  },
  { name: 'no HTTP at all', steps: [{ send: 'SSH-2.0-x\r\n' }, { stall: true }], events: ['error upstream_malformed'] },
  {
    name: 'both content-length and transfer-encoding',
    steps: [{ send: 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n' }, { stall: true }],
    events: ['error upstream_malformed'],
  },
  {
    name: 'a header block of 64 KB',
    steps: [{ send: `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(65536)}\r\n\r\n` }, { stall: true }],
    events: ['error upstream_malformed'],
  },
  {
    name: 'a hundred thousand headers',
    steps: [{ send: `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(100000)}\r\n` }, { stall: true }],
    events: ['error upstream_malformed'],
  },
  {
    name: 'a 101 nobody asked for',
    steps: [{ send: 'HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: ws\r\n\r\n' }, { stall: true }],
    events: ['error upstream_malformed'],
  },
]

for (const row of ROWS) {
  test(`${row.name} gives ${row.events.join(', ')}`, async (t) => {
    const server = await ScriptedUpstream.listen(answer(...row.steps))
    const { upstream, pools } = testUpstream()
    const seen = await probe(upstream, testProvider(`${server.origin}/v1?secret=1`)).done()
    t.same(seen.events, row.events)
    t.notMatch(seen.error?.message, /127\.0\.0\.1|secret|http:/)
    t.ok(seen.error?.cause, 'the cause is kept')
    await server.until(() => server.closed >= 1)
    await pools.close(0)
    await server.close()
  })
}

test('bytes beyond content-length end the connection, not the answer', async (t) => {
  const server = await ScriptedUpstream.listen(answer({ send: 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokEXTRA' }))
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const seen = await probe(upstream, testProvider(server.origin)).done()
  t.equal(seen.body, 'ok')
  t.equal(seen.events.at(-1), 'end')
  await server.until(() => server.closed === 1)
})

test('a complete answer followed by FIN is complete', async (t) => {
  const server = await ScriptedUpstream.listen(
    answer(streamHead(['connection: close']), chunk(FRAME), LAST_CHUNK, FIN),
    answer(whole(200, 'ok'), FIN),
  )
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const provider = testProvider(server.origin)
  t.same((await probe(upstream, provider).done()).events, ['head 200', 'bytes', 'end'])
  t.same((await probe(upstream, provider).done()).events, ['head 200', 'bytes', 'end'])
})

test('a refused connection and an unknown name are upstream_unreachable, named by code only', async (t) => {
  const closed = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => closed.once('listening', resolve))
  const address = closed.address()
  await new Promise((resolve) => closed.close(resolve))
  const { upstream, pools } = testUpstream()
  t.teardown(() => pools.close(0))
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const refused = await probe(upstream, testProvider(`http://127.0.0.1:${port}`)).done()
  t.same(refused.events, ['error upstream_unreachable'])
  t.equal(refused.error?.message, 'The provider could not be reached (ECONNREFUSED).')
  const unknown = await probe(upstream, testProvider('http://no-such-host.invalid', { name: 'other' })).done()
  t.equal(unknown.code, 'upstream_unreachable')
})

test('a connection that is not set up in time is upstream_timeout and names the limit', async (t) => {
  // Accepts TCP but never answers the TLS handshake, which is part of connecting.
  const server = await ScriptedUpstream.listen([{ stall: true }])
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const provider = testProvider(`https://127.0.0.1:${server.port}`, {
    timeouts: { connectMs: 200, firstTokenMs: 5000, betweenTokensMs: 5000, totalMs: 5000 },
  })
  const seen = await probe(upstream, provider).done()
  t.equal(seen.code, 'upstream_timeout')
  t.equal(seen.error?.message, 'The provider did not accept a connection within 200 ms.')
  t.ok(seen.durationMs > 150 && seen.durationMs < 4000, `${seen.durationMs} ms`)
})

test('a reset in the TLS handshake is upstream_unreachable', async (t) => {
  const server = await ScriptedUpstream.listen([{ delayMs: 20 }, RST])
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const seen = await probe(upstream, testProvider(`https://127.0.0.1:${server.port}`)).done()
  t.same(seen.events, ['error upstream_unreachable'])
})

test('calls after close are refused as draining', async (t) => {
  const server = await ScriptedUpstream.listen(answer(streamHead(), { stall: true }))
  const { upstream, pools } = testUpstream()
  t.teardown(() => server.close())
  const provider = testProvider(server.origin)
  const running = probe(upstream, provider)
  await server.until(() => server.requests.length === 1)
  const link = pools.of(provider)
  void link.pool.close()
  t.same((await probe(upstream, provider).done()).events, ['error draining'])
  await link.pool.destroy()
  t.equal((await running.done()).code, 'draining')
})

test('an error without a code is a fault of our own', (t) => {
  t.equal(failureOf(new TypeError('x is not a function'), 'before-head', 1).data.code, 'internal')
  t.equal(
    failureOf(Object.assign(new Error(), { code: 'UND_ERR_INVALID_ARG' }), 'before-head', 1).data.code,
    'internal',
  )
  t.equal(failureOf('text', 'after-head', 1).data.code, 'internal')
  const own = new GatewayError('overloaded')
  t.equal(failureOf(own, 'after-head', 1), own)
  t.end()
})

test('a code that could carry text is not repeated', (t) => {
  const odd = Object.assign(new Error(), { code: 'key sk-1234 refused' })
  t.notMatch(failureOf(odd, 'before-head', 1).message, /sk-1234/)
  t.end()
})

test('only a closed connection is stale, not bad grammar or a timeout', (t) => {
  const coded = (code: string, message = '') => Object.assign(new Error(message), { code })
  for (const error of [coded('UND_ERR_SOCKET', 'other side closed'), coded('ECONNRESET'), coded('HTTP2_CLOSED')]) {
    t.same([sendsAfter(error, true), sendsAfter(error, false)], [2, 1])
  }
  t.equal(sendsAfter(coded('EPIPE'), true), 2)
  for (const error of [coded('UND_ERR_SOCKET', 'bad response'), coded('ECONNREFUSED'), new Error('x')]) {
    t.equal(sendsAfter(error, true), 1)
  }
  // Refused unseen: on any connection.
  for (const mayBeStale of [true, false]) {
    t.equal(sendsAfter(coded('HTTP2_REFUSED_STREAM'), mayBeStale), 2)
    t.equal(sendsAfter(coded('HTTP2_GOAWAY'), mayBeStale), 10)
    t.equal(sendsAfter(coded('HTTP2_HTTP_1_1_REQUIRED'), mayBeStale), 2)
  }
  t.end()
})

test('a timeout names its limit and is retryable', (t) => {
  const error = timeoutFailure('between-tokens', 250)
  t.equal(error.message, 'The provider paused between tokens for more than 250 ms.')
  t.match(error.data, { code: 'upstream_timeout', status: 504, retryable: true })
  t.end()
})
