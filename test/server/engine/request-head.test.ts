// Framing that two parsers may read differently, over bare sockets: one request is seen, or none and the connection ends.
// Where the engine's own parser decides, its answer is HTML, or none until its idle timer; both are listed as they are.
import { test } from 'tap'
import { type HttpRequest } from '../../../src/server/engine/engine.js'
import { HeadReader, isJsonContentType } from '../../../src/server/engine/request-head.js'
import { CHAT_PATH } from '../../helpers/fake-pipeline.js'
import { startFront } from '../../helpers/front.js'
import { exchangeRaw, openRaw } from '../../helpers/raw-http.js'

const HEAD = `POST ${CHAT_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`
const NEXT = 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n'
const CHUNKED = '5\r\n"abc"\r\n0\r\n\r\n'

const REFUSED: readonly (readonly [string, string])[] = [
  ['two equal lengths', `${HEAD}Content-Length: 5\r\nContent-Length: 5\r\n\r\n"abc"`],
  ['two lengths', `${HEAD}Content-Length: 5\r\nContent-Length: 50\r\n\r\n"abc"`],
  ['two lengths, smuggling', `${HEAD}Content-Length: 0\r\nContent-Length: ${NEXT.length}\r\n\r\n${NEXT}`],
  ['a list of lengths', `${HEAD}Content-Length: 5, 5\r\n\r\n"abc"`],
  ['a signed length', `${HEAD}Content-Length: +5\r\n\r\n"abc"`],
  ['a negative length', `${HEAD}Content-Length: -5\r\n\r\n"abc"`],
  ['a hex length', `${HEAD}Content-Length: 0x5\r\n\r\n"abc"`],
  ['a length beyond 2^64', `${HEAD}Content-Length: 18446744073709551621\r\n\r\n"abc"`],
  ['an empty length', `${HEAD}Content-Length:\r\n\r\n"abc"`],
  ['length and coding', `${HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED}${NEXT}`],
  ['length and empty coding', `${HEAD}Transfer-Encoding:\r\nContent-Length: 5\r\n\r\n"abc"`],
  ['two codings', `${HEAD}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n${CHUNKED}${NEXT}`],
  ['identity', `${HEAD}Transfer-Encoding: identity\r\n\r\n"abc"`],
  ['chunked, identity', `${HEAD}Transfer-Encoding: chunked, identity\r\n\r\n${CHUNKED}`],
  ['xchunked', `${HEAD}Transfer-Encoding: xchunked\r\n\r\n${CHUNKED}`],
  ['a hex chunk size', `${HEAD}Transfer-Encoding: chunked\r\n\r\n0x5\r\n"abc"\r\n0\r\n\r\n`],
  ['a signed chunk size', `${HEAD}Transfer-Encoding: chunked\r\n\r\n+5\r\n"abc"\r\n0\r\n\r\n`],
  ['a chunk size beyond 2^64', `${HEAD}Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\n"abc"\r\n0\r\n\r\n`],
  ...['GET', 'HEAD', 'OPTIONS', 'DELETE'].map((method) => {
    const chunked = 'Transfer-Encoding: chunked\r\n\r\n0\r\n'
    return [
      `a request in the trailer of ${method}`,
      `${method} /livez HTTP/1.1\r\nHost: x\r\n${chunked}${NEXT}`,
    ] as const
  }),
  ['two hosts', 'GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  ['an empty host', 'GET /livez HTTP/1.1\r\nHost:\r\n\r\n'],
  ['no host', 'GET /livez HTTP/1.1\r\nA: b\r\n\r\n'],
  ['HEAD with two lengths', 'HEAD /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n'],
  ['bare line feeds', 'GET /livez HTTP/1.1\nHost: x\n\n'],
  ['HTTP/1.0', 'GET /livez HTTP/1.0\r\nHost: x\r\n\r\n'],
  ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['an absolute target', 'GET http://x/livez HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['the asterisk target', 'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['an authority target', 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a target of 64 KB', `GET /${'a'.repeat(65_536)} HTTP/1.1\r\nHost: x\r\n\r\n`],
  ['a head of 17 KB', `GET /livez HTTP/1.1\r\nHost: x\r\nA: ${'b'.repeat(17_000)}\r\n\r\n`],
  ['101 headers', `GET /livez HTTP/1.1\r\nHost: x\r\n${'a: b\r\n'.repeat(101)}\r\n`],
]

/** Here the engine (20.49) waits for more and closes after its 10 s: no request is seen. */
const IGNORED: readonly (readonly [string, string])[] = [
  ['space before the colon', `${HEAD}Transfer-Encoding : chunked\r\n\r\n${CHUNKED}`],
  ['a folded header', 'GET /livez HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n'],
  ['NUL in a header', 'GET /livez HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n'],
  ['HTTP/0.9', 'GET /livez\r\n\r\n'],
]

/** Read leniently by the engine (20.49), but as one request: what follows is never taken for another body. */
const LENIENT: readonly (readonly [string, string])[] = [
  ['tab before chunked', `${HEAD}Transfer-Encoding:\tchunked\r\n\r\n${CHUNKED}`],
  ['a byte beyond ASCII after chunked', `${HEAD}Transfer-Encoding: chunked\x80\r\n\r\n${CHUNKED}`],
  ['a byte beyond ASCII after a length', `${HEAD}Content-Length: 5\x80\r\n\r\n"abc"`],
  ['an extension after a space', `${HEAD}Transfer-Encoding: chunked\r\n\r\n5 ;a=b\r\n"abc"\r\n0\r\n\r\n`],
  ['any two bytes after the data', `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\n"abc"xy0\r\n\r\n`],
  ['chunk lines ended by LF', `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\n"abc"\n0\n\n`],
  ['a head of 16 KB', `${HEAD}A: ${'b'.repeat(16_000)}\r\nContent-Length: 5\r\n\r\n"abc"`],
  [
    '97 further headers',
    `${HEAD}${Array.from({ length: 95 }, (_, i) => `a${i}: b\r\n`).join('')}Content-Length: 5\r\n\r\n"abc"`,
  ],
  ['Expect: 100-continue', `${HEAD}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"abc"`],
]

test('refuses ambiguous framing and closes the connection', async (t) => {
  const { port, pipeline, server } = await startFront(t)
  for (const [name, bytes] of REFUSED) {
    const { answers, isClosed } = await exchangeRaw(port, Buffer.from(bytes, 'latin1'), 2)
    t.ok(isClosed, name)
    t.ok(answers.length <= 1, name)
    for (const answer of answers) t.ok(answer.status >= 400, `${name}: ${answer.status}`)
  }
  t.equal(pipeline.exchanges.length, 0)
  while (server.open.requests > 0) await new Promise(setImmediate)
})

test('answers what it refuses itself as JSON with the reason', async (t) => {
  const { port, pipeline } = await startFront(t)
  const { answers } = await exchangeRaw(port, `${HEAD}Content-Length: 5\r\nContent-Length: 6\r\n\r\n"abc"`)
  t.equal(answers[0]?.status, 400)
  t.match(JSON.parse(answers[0]?.body.toString() ?? ''), {
    error: { code: 'invalid_request', message: /Content-Length/ },
  })
  t.equal(answers[0]?.headers.get('connection'), 'close')
  t.equal(pipeline.rejections.length, 1)
})

test('sees no request in what the engine does not parse', async (t) => {
  const { port, pipeline, server } = await startFront(t)
  for (const [name, bytes] of IGNORED) {
    const socket = await openRaw(port)
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk
    })
    socket.write(Buffer.from(bytes, 'latin1'))
    await new Promise((resolve) => setTimeout(resolve, 30))
    t.notMatch(received, /^HTTP\/1.1 2/, name)
    socket.destroy()
  }
  t.equal(pipeline.exchanges.length, 0)
  t.equal(server.open.requests, 0)
})

test('sees one request in what is lenient', async (t) => {
  const { port, pipeline } = await startFront(t)
  for (const [name, bytes] of LENIENT) {
    const before = pipeline.exchanges.length
    const socket = await openRaw(port)
    socket.write(Buffer.from(bytes, 'latin1'))
    while (pipeline.exchanges.length === before) await new Promise(setImmediate)
    await new Promise((resolve) => setTimeout(resolve, 20))
    t.equal(pipeline.exchanges.length, before + 1, name)
    t.equal(pipeline.exchanges.at(-1)?.text, '"abc"', name)
    socket.destroy()
  }
})

test('reads a request behind a GET with a body as body, not as request', async (t) => {
  const { port } = await startFront(t)
  const { answers } = await exchangeRaw(
    port,
    `GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: ${NEXT.length}\r\n\r\n${NEXT}`,
  )
  t.equal(answers.length, 1)
})

/** As much of the engine's request as a head is read from. */
function requestOf(headers: readonly (readonly [string, string])[], method = 'post'): HttpRequest {
  const forEach = (take: (name: string, value: string) => void) => {
    for (const [name, value] of headers) take(name, value)
  }
  return { forEach, getMethod: () => method, getUrl: () => '/x' } as unknown as HttpRequest
}

function readHead(...headers: readonly (readonly [string, string])[]) {
  return new HeadReader(['x-one']).read(requestOf(headers))
}

test('a chunked body is accepted with POST alone', async (t) => {
  const headers = [['host', 'x'] as const, ['transfer-encoding', 'chunked'] as const]
  for (const method of ['get', 'head', 'options', 'delete', 'put']) {
    t.match(new HeadReader([]).read(requestOf(headers, method)).fault, /with POST only/)
  }
  t.equal(new HeadReader([]).read(requestOf(headers)).fault, null)
})

test('snapshots what is needed of a head', async (t) => {
  const head = readHead(
    ['host', 'x'],
    ['user-agent', `a\u00ff${'b'.repeat(500)}`],
    ['authorization', 'Bearer a'],
    ['x-api-key', 'b'],
    ['api-key', 'c'],
    ['content-type', 'application/json'],
    ['content-length', '7'],
    ['content-encoding', 'gzip'],
    ['content-encoding', 'br'],
    ['x-request-id', 'r-1'],
    ['prefer', 'respond-async'],
    ['idempotency-key', 'i-1'],
    ['prefer', 'wait=1'],
    ['origin', 'https://app.test'],
    ['x-forwarded-for', '1.1.1.1'],
    ['forwarded', 'for=3.3.3.3'],
    ['x-forwarded-for', '2.2.2.2'],
    ['x-one', '1'],
    ['x-one', '2'],
    ['__proto__', 'x'],
  )
  t.strictSame(head, {
    method: 'POST',
    path: '/x',
    agent: `a?${'b'.repeat(198)}...`,
    authorization: 'Bearer a',
    apiKey: 'b',
    vendorKey: 'c',
    contentType: 'application/json',
    contentEncoding: 'gzip, br',
    contentLength: 7,
    isChunked: false,
    requestId: 'r-1',
    prefer: 'respond-async, wait=1',
    idempotencyKey: 'i-1',
    isIdempotencyKeyDoubled: false,
    asksToResume: false,
    retryCount: '',
    cacheControl: '',
    host: 'x',
    origin: 'https://app.test',
    forwardedFor: '1.1.1.1, 2.2.2.2',
    forwarded: 'for=3.3.3.3',
    isCredentialDoubled: false,
    parameterHeaders: { 'x-one': '1, 2' },
    fault: null,
  })
})

test('a client asks to come back to its stream with 1, and with nothing else', async (t) => {
  const reader = new HeadReader([])
  const asks = (value: string) =>
    reader.read(
      requestOf([
        ['host', 'a'],
        ['x-sluice-resume', value],
      ]),
    ).asksToResume
  t.equal(asks('1'), true)
  for (const value of ['', '0', 'true', '1, 1', '11']) t.equal(asks(value), false, value)
  t.equal(reader.read(requestOf([['host', 'a']])).asksToResume, false)
})

test('reads which retry it is, and what it says about stored answers in all of its headers', async (t) => {
  const reader = new HeadReader([])
  const head = reader.read(
    requestOf([
      ['host', 'a'],
      ['x-stainless-retry-count', '2'],
      ['cache-control', 'no-cache'],
      ['cache-control', 'max-age=0'],
    ]),
  )
  t.match(head, { retryCount: '2', cacheControl: 'no-cache, max-age=0' })
  t.match(reader.read(requestOf([['host', 'a']])), { retryCount: '', cacheControl: '' })
})

test('begins each head anew', async (t) => {
  const reader = new HeadReader([])
  const read = (headers: readonly (readonly [string, string])[]) => reader.read(requestOf(headers))
  t.ok(
    read([
      ['host', 'a'],
      ['host', 'b'],
      ['authorization', 'x'],
      ['content-length', '1'],
      ['x-api-key', 'k'],
    ]).fault,
  )
  const second = read([['host', 'a']])
  t.equal(second.fault, null)
  t.equal(second.authorization, '')
  t.equal(second.apiKey, '')
  t.equal(second.contentLength, -1)
})

test('finds two credentials of one kind', async (t) => {
  t.ok(readHead(['host', 'x'], ['authorization', 'a'], ['authorization', 'a']).isCredentialDoubled)
  t.ok(readHead(['host', 'x'], ['x-api-key', 'a'], ['x-api-key', 'b']).isCredentialDoubled)
  t.notOk(readHead(['host', 'x'], ['authorization', 'a'], ['x-api-key', 'b']).isCredentialDoubled)
})

test('finds faults that the engine may one day let pass', async (t) => {
  t.match(readHead().fault, /Host/)
  t.match(readHead(['host', '']).fault, /Host/)
  t.match(readHead(['host', 'x'], ['content-length', '1e3']).fault, /must be a number/)
  t.match(
    readHead(['host', 'x'], ['content-length', '1'], ['transfer-encoding', 'chunked']).fault,
    /must not be combined/,
  )
  t.match(readHead(['host', 'x'], ['transfer-encoding', 'gzip, chunked']).fault, /only supported/)
  t.equal(readHead(['host', 'x'], ['transfer-encoding', 'Chunked']).fault, null)
})

test('takes JSON by its content type, with UTF-8 or without a charset', async (t) => {
  for (const good of [
    'application/json',
    'APPLICATION/JSON ; Charset="utf-8"',
    'application/json; charset=utf8',
    'application/json; v=1',
    'application/json;',
  ])
    t.ok(isJsonContentType(good), good)
  for (const bad of [
    '',
    'text/json',
    'application/json; charset=latin1',
    'application/json; charset',
    'application/json-seq',
  ])
    t.notOk(isJsonContentType(bad), bad)
})

test('finds two idempotency keys, even where one is empty or both are the same', async (t) => {
  const isDoubled = (...values: string[]) =>
    readHead(['host', 'x'], ...values.map((value) => ['idempotency-key', value] as [string, string]))
      .isIdempotencyKeyDoubled
  t.notOk(isDoubled('a'))
  t.ok(isDoubled('a', 'a'))
  t.ok(isDoubled('a', ''))
})
