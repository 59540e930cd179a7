// One call to a scripted upstream: what its handler sees, in which order, and what becomes of the connection.
import { type AddressInfo, createServer } from 'node:net'
import { type Test, test } from 'tap'
import { type Dispatcher } from 'undici'
import { LiveCall } from '../../src/upstream/call.js'
import { collectAll, turn } from '../helpers/kept.js'
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
import { Probe, probe, testUpstream } from '../helpers/upstream-probe.js'

const FRAME = 'data: {"x":1}\n\n'

async function setUp(t: Test, ...scripts: Parameters<typeof ScriptedUpstream.listen>) {
  const server = await ScriptedUpstream.listen(...scripts)
  const { upstream, pools } = testUpstream()
  t.teardown(async () => {
    await pools.close(0)
    await server.close()
  })
  return { server, upstream, pools, provider: testProvider(`${server.origin}/v1`) }
}

test('gives head, bytes and end in order and sends exactly what was asked', async (t) => {
  const { server, upstream, provider } = await setUp(
    t,
    answer(streamHead(['x-a: 1', 'x-a: 2']), chunk(FRAME), chunk(FRAME), LAST_CHUNK),
  )
  const seen = await probe(upstream, provider, { request: { headers: { 'x-parameter': 'p' } } }).done()
  t.same(seen.events, ['head 200', 'bytes', 'end'])
  t.equal(seen.body, FRAME + FRAME)
  t.same(seen.headers['x-a'], ['1', '2'])
  t.equal(seen.call?.bytesReceived, FRAME.length * 2)
  t.equal(seen.call?.attempts, 1)
  const request = server.requests[0]
  t.match(request?.head, /^POST \/v1\/chat HTTP\/1\.1\r\n/)
  t.match(request?.head, /\r\naccept: text\/event-stream/)
  t.match(request?.head, /\r\naccept-encoding: identity/)
  t.match(request?.head, /\r\nx-parameter: p/)
  t.equal(request?.body.toString(), '{"hello":1}')
})

test('sends a body in pieces as one, with its length, also when it is sent again', async (t) => {
  const pieces = ['{"a":"', 'é'.repeat(200_000), '"}'].map((piece) => Buffer.from(piece))
  const expected = Buffer.concat(pieces)
  const { server, upstream, provider } = await setUp(
    t,
    answer(whole(200, '{}')),
    answer({ end: 'rst' }),
    answer(whole(200, '{}')),
  )
  await probe(upstream, provider).done()
  const seen = await probe(upstream, provider, { request: { body: pieces } }).done()
  t.same(seen.events, ['head 200', 'bytes', 'end'])
  t.equal(seen.call?.attempts, 2)
  const sent = server.requests.at(-1)
  t.match(`${sent?.head}\r\n`, `\r\ncontent-length: ${expected.length}\r\n`)
  t.equal(sent?.body.equals(expected), true)
  t.equal(`${sent?.head}`.split('content-length').length - 1, 1)
  t.notMatch(sent?.head, 'transfer-encoding')
})

test('an open stream holds nothing of its request’s body', async (t) => {
  const { server, upstream, provider } = await setUp(
    t,
    ...Array.from({ length: 2 }, () => answer(streamHead(), chunk(FRAME), { wait: 'go', name: 'on' }, LAST_CHUNK)),
  )
  const memory: WeakRef<object>[] = []
  const makeBytes = () => {
    const bytes = Buffer.alloc(64 * 1024, 'x')
    memory.push(new WeakRef(bytes.buffer))
    return bytes
  }
  const open = async (makeBody: () => Buffer | readonly Buffer[]) => {
    let begun = (): void => undefined
    const first = new Promise<void>((resolve) => {
      begun = resolve
    })
    const onEvent = (event: string) => event === 'bytes' && begun()
    const seen = probe(upstream, provider, { request: { body: makeBody() }, onEvent })
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
  server.go('on')
  for (const seen of streams) t.equal((await seen.done()).events.at(-1), 'end')
  t.equal(server.requests.at(-1)?.body.length, 64 * 1024)
})

test('an open stream does not hold the bytes of its answer’s head', (t) => {
  const controller = { rawHeaders: [Buffer.from('x')] as Buffer[] | null, abort: () => undefined }
  const call = new LiveCall(
    { provider: testProvider('http://127.0.0.1:1'), path: '/', headers: {}, body: Buffer.alloc(0), isStream: true },
    new Probe(),
    { timeouts: testProvider('http://127.0.0.1:1').timeouts, startedAtMs: null, maxResponseBytes: 1000 },
  )
  call.onRequestStart(controller as unknown as Dispatcher.DispatchController)
  call.onResponseStart(controller as unknown as Dispatcher.DispatchController, 200, {})
  t.equal(controller.rawHeaders, null)
  call.abort()
  t.end()
})

test('an answer that comes before the upstream has read a body in pieces is taken, and its connection is not used again', async (t) => {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    socket.on('error', () => undefined)
    socket.once('data', () => {
      socket.pause()
      socket.write('HTTP/1.1 413 X\r\ncontent-length: 9\r\n\r\ntoo large')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { upstream, pools } = testUpstream()
  t.teardown(async () => {
    await pools.close(0)
    server.close()
  })
  const provider = testProvider(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`)
  const pieces = [Buffer.from('{"a":"'), Buffer.alloc(16 * 1024 * 1024, 'x'), Buffer.from('"}')]
  for (const call of [1, 2]) {
    const seen = await probe(upstream, provider, { request: { body: pieces } }).done()
    t.equal(seen.status, 413)
    t.equal(seen.body, 'too large')
    t.equal(seen.call?.attempts, 1)
    t.equal(connections, call)
  }
})

test('keeps the connection for the next call and says that it was reused', async (t) => {
  const { server, upstream, provider } = await setUp(t, answer(whole(200, '{}')))
  const first = await probe(upstream, provider).done()
  t.equal(first.call?.isReused, false)
  t.equal(first.connections, 1)
  const second = await probe(upstream, provider).done()
  t.equal(second.call?.isReused, true)
  t.equal(second.connections, 0, 'none was made for it')
  t.equal(server.accepted, 1)
})

test('calls nothing before call() has returned, not even an error', async (t) => {
  const { upstream, provider } = await setUp(t, answer(whole(200, '{}')))
  const seen = probe(upstream, provider, { request: { path: '/../admin' } })
  t.same(seen.events, [])
  await seen.done()
  t.same(seen.events, ['error invalid_request'])
})

test('skips early hints and 102, and gives the final head once', async (t) => {
  const hints: Step = { send: 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n' }
  const { upstream, provider } = await setUp(t, answer(hints, whole(200, 'ok')))
  const seen = await probe(upstream, provider).done()
  t.same(seen.events, ['head 200', 'bytes', 'end'])
})

for (const status of [204, 301, 302, 307, 401, 429, 503, 529, 599]) {
  test(`gives status ${status} as it is, follows nothing and sends the key nowhere else`, async (t) => {
    const { server, upstream, provider } = await setUp(
      t,
      answer(whole(status, status === 204 ? '' : 'x', ['location: /elsewhere'])),
    )
    const seen = await probe(upstream, provider).done()
    t.equal(seen.status, status)
    t.equal(seen.events.at(-1), 'end')
    t.equal(server.requests.length, 1)
  })
}

test('a redirect is never followed, neither to this origin nor to another', async (t) => {
  const other = await ScriptedUpstream.listen(answer(whole(200, 'secret')))
  t.teardown(() => other.close())
  const { upstream, provider } = await setUp(t, answer(whole(307, '', [`location: ${other.origin}/`])))
  const seen = await probe(upstream, provider).done()
  t.equal(seen.status, 307)
  t.equal(other.accepted, 0)
})

test('retries once, unseen, when a kept connection was closed under the request', async (t) => {
  const { server, upstream, provider } = await setUp(
    t,
    answer(whole(200, 'one')),
    answer({ end: 'rst' }),
    answer(whole(200, 'two')),
  )
  await probe(upstream, provider).done()
  const seen = await probe(upstream, provider).done()
  t.same(seen.events, ['head 200', 'bytes', 'end'])
  t.equal(seen.body, 'two')
  t.equal(seen.call?.attempts, 2)
  t.equal(seen.call?.isReused, false)
  t.equal(server.requests.length, 3)
  t.same(server.requests[2]?.body, server.requests[1]?.body)
})

test('retries after a FIN on a kept connection as after a reset', async (t) => {
  const { upstream, provider } = await setUp(
    t,
    answer(whole(200, 'one')),
    answer({ end: 'fin' }),
    answer(whole(200, 'two')),
  )
  await probe(upstream, provider).done()
  const seen = await probe(upstream, provider).done()
  t.equal(seen.body, 'two')
  t.equal(seen.call?.attempts, 2)
})

test('does not retry on a fresh connection', async (t) => {
  const { server, upstream, provider } = await setUp(t, answer({ end: 'rst' }))
  const seen = await probe(upstream, provider).done()
  t.same(seen.events, ['error upstream_unreachable'])
  t.equal(server.requests.length, 1)
})

test('does not retry once a single byte of an answer has come', async (t) => {
  const { server, upstream, provider } = await setUp(
    t,
    answer(whole(200, 'one')),
    answer({ send: 'H' }, { delayMs: 20 }, { end: 'rst' }),
    answer(whole(200, 'two')),
  )
  await probe(upstream, provider).done()
  const seen = await probe(upstream, provider).done()
  t.same(seen.events, ['error upstream_unreachable'])
  t.equal(server.requests.length, 2)
})

test('retries only once: a second stale connection is an error', async (t) => {
  const { server, upstream, provider } = await setUp(
    t,
    answer({ wait: 'go', name: 'a' }, whole(200, 'one')),
    answer({ wait: 'go', name: 'a' }, whole(200, 'one')),
    answer({ end: 'rst' }),
  )
  const both = [probe(upstream, provider), probe(upstream, provider)]
  await server.until(() => server.requests.length === 2)
  server.go('a')
  await Promise.all(both.map((seen) => seen.done()))
  const seen = await probe(upstream, provider).done()
  t.equal(seen.code, 'upstream_unreachable')
  t.equal(seen.call?.attempts, 2)
})

test('an abort while the connection breaks is not followed by a retry', async (t) => {
  const { server, upstream, provider } = await setUp(t, answer(whole(200, 'one')), answer({ end: 'rst' }))
  await probe(upstream, provider).done()
  const seen = probe(upstream, provider)
  await server.until(() => server.requests.length === 2)
  seen.call?.abort()
  await server.until(() => server.closed >= 1)
  t.equal(server.requests.length, 2)
  t.same(seen.events, [])
})

const ABORT_PHASES: ReadonlyArray<readonly [string, Step[], string | null]> = [
  ['while the upstream thinks', [{ stall: true }], null],
  ['in the head', [{ send: 'HTTP/1.1 200 OK\r\nx-a' }, { stall: true }], null],
  ['at the head', [streamHead(), { stall: true }], 'head 200'],
  ['at the first bytes', [streamHead(), chunk(FRAME), chunk(FRAME), { stall: true }], 'bytes'],
]
for (const [phase, steps, at] of ABORT_PHASES) {
  test(`an abort ${phase} closes the upstream's socket within a second and calls nothing more`, async (t) => {
    const { server, upstream, provider } = await setUp(t, answer(...steps))
    const seen = probe(upstream, provider, {
      onEvent: (event, self) => {
        if (event === at) self.call?.abort()
      },
    })
    await server.until(() => server.requests.length === 1)
    if (at === null) seen.call?.abort()
    await server.until(() => server.closed === 1, 1000)
    t.equal(seen.events.at(-1) ?? null, at)
    seen.call?.abort()
  })
}

test('an abort while connecting sends no request and leaves the connection fit for the next', async (t) => {
  const { server, upstream, provider } = await setUp(t, answer(whole(200, 'ok')))
  const gone = probe(upstream, provider)
  gone.call?.abort()
  await server.until(() => server.accepted === 1)
  const seen = await probe(upstream, provider).done()
  t.equal(seen.body, 'ok')
  t.equal(server.requests.length, 1)
  t.same(gone.events, [])
})

test('a call that waits for a connection can be aborted without touching the one that has it', async (t) => {
  const { server, upstream } = await setUp(
    t,
    answer(streamHead(), { wait: 'go', name: 'on' }, chunk(FRAME), LAST_CHUNK),
  )
  const provider = testProvider(server.origin, { maxConnections: 1 })
  const first = probe(upstream, provider)
  const second = probe(upstream, provider)
  await server.until(() => server.requests.length === 1)
  second.call?.abort()
  server.go('on')
  await first.done()
  t.equal(first.body, FRAME)
  t.equal((await probe(upstream, provider).done()).body, FRAME)
  t.same(second.events, [])
  t.equal(server.accepted, 1)
})

test('a handler that throws fails its own call as internal and closes the connection', async (t) => {
  const { server, upstream, provider } = await setUp(t, answer(streamHead(), chunk(FRAME), { stall: true }))
  const seen = probe(upstream, provider, {
    onEvent: (event) => {
      if (event === 'bytes') throw new Error('bug')
    },
  })
  await seen.done()
  t.equal(seen.code, 'internal')
  await server.until(() => server.closed >= 1)
})

test('takes a whole answer up to its cap, by content-length and by bytes', async (t) => {
  const { server, upstream } = await setUp(
    t,
    answer(whole(200, 'x'.repeat(1024 * 1024))),
    answer(whole(200, 'x'.repeat(1024 * 1024 + 1))),
    answer(streamHead(), chunk('x'.repeat(1024 * 1024)), chunk('x'), LAST_CHUNK),
  )
  const provider = testProvider(server.origin)
  const wholeAnswer = { request: { isStream: false } }
  t.equal((await probe(upstream, provider, wholeAnswer).done()).body.length, 1024 * 1024)
  t.same((await probe(upstream, provider, wholeAnswer).done()).events, ['error upstream_malformed'])
  const seen = await probe(upstream, provider, wholeAnswer).done()
  t.equal(seen.code, 'upstream_malformed')
  await server.until(() => server.closed >= 1)
})

test('survives a thousand answers that end by FIN under Connection: close, and gets every byte of them', async (t) => {
  const { upstream, provider } = await setUp(
    t,
    answer(
      { send: 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n' },
      { send: FRAME.repeat(2000) },
      { send: FRAME },
      { end: 'fin' },
    ),
  )
  const rounds = 40
  for (let round = 0; round < rounds; round++) {
    const seen = await Promise.all(Array.from({ length: 25 }, () => probe(upstream, provider).done()))
    for (const one of seen) {
      if (one.events.join() !== 'head 200,bytes,end' || one.body.length !== FRAME.length * 2001) t.fail('bad answer')
    }
  }
  t.pass('the process is alive')
})
