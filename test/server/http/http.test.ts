// Requests over bare sockets and fetch against the real engine: what is answered before there is an exchange.
import { once } from 'node:events'
import { test } from 'tap'
import { CHAT_PATH, fakeSurface } from '../../helpers/fake-pipeline.js'
import { startFront } from '../../helpers/front.js'
import { codeOf, exchangeRaw, firstOf, openRaw, post } from '../../helpers/raw-http.js'

const BODY = '{"model":"fast"}'

async function readError(answer: Response): Promise<{ code: string }> {
  return JSON.parse(await answer.text()).error
}

test('hands a request to the pipeline with its body in an exact buffer of its own', async (t) => {
  const { url, pipeline } = await startFront(t)
  const answer = await fetch(url + CHAT_PATH, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': 'mine.1', 'x-parameter': 'beta', 'x-other': 'no' },
    body: BODY,
  })
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('x-request-id'), 'mine.1')
  t.equal(answer.headers.get('content-type'), 'application/json')
  t.same(await answer.json(), { ok: true })
  const request = pipeline.exchanges[0]?.request
  t.equal(Buffer.from(request?.body ?? []).toString(), BODY)
  t.equal(request?.body.buffer.byteLength, BODY.length)
  t.equal(request?.requestId, 'mine.1')
  t.strictSame(request?.parameterHeaders, { 'x-parameter': 'beta' })
  t.match(request?.origin, { method: 'POST', path: CHAT_PATH, address: '127.0.0.1', agent: 'node' })
  await fetch(`${url}/nowhere?key=secret`)
  t.match(pipeline.rejections[0]?.origin, { method: 'GET', path: '/nowhere', address: '127.0.0.1' })
})

test('reads from the path whether a route streams, its provider, and whether the caller may bring a key', async (t) => {
  const routes = [
    { method: 'POST', path: CHAT_PATH },
    { method: 'POST', path: '/v1/chat/stream', streams: true },
    { method: 'POST', path: '/v1/chat/{provider}' },
  ] as const
  const { port, pipeline } = await startFront(t, { options: { surfaces: [{ ...fakeSurface, routes }] } })
  const ask = async (path: string, headers: string[] = []) => {
    const answer = firstOf(
      (await exchangeRaw(port, post(path, BODY, headers.map((line) => `${line}\r\n`).join('')))).answers,
    )
    return { status: answer.status, path: pipeline.exchanges.at(-1)?.request.path }
  }
  t.strictSame(await ask(CHAT_PATH, ['x-api-key: sk-own']), { status: 200, path: null })
  const streams = { streams: true, provider: null, callerKey: null }
  t.strictSame((await ask('/v1/chat/stream', ['x-api-key: sk-own'])).path, streams)
  t.strictSame((await ask('/v1/chat/north')).path, { streams: false, provider: 'north', callerKey: null })
  const own = { streams: false, provider: 'north', callerKey: 'sk-own' }
  t.strictSame((await ask('/v1/chat/north', ['x-api-key: sk-own'])).path, own)
  const count = pipeline.exchanges.length
  for (const key of ['a b', 'k\xe9y', 'k'.repeat(4097)]) {
    t.equal((await ask('/v1/chat/north', [`x-api-key: ${key}`])).status, 400, key.slice(0, 9))
  }
  t.equal((await ask('/v1/chat/north', ['x-api-key: one', 'x-api-key: two'])).status, 401)
  t.equal(pipeline.exchanges.length, count)
})

test('bears the security headers and a request id of its own on every answer', async (t) => {
  const { port } = await startFront(t)
  const requests = [
    post(CHAT_PATH, BODY),
    'GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: a b\r\n\r\n',
  ]
  const seen = new Set<string>()
  for (const request of requests) {
    const answer = firstOf((await exchangeRaw(port, request)).answers)
    t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
    t.equal(answer.headers.get('x-frame-options'), 'DENY')
    t.equal(answer.headers.get('referrer-policy'), 'no-referrer')
    t.notOk(answer.headers.has('strict-transport-security'))
    t.match(answer.headers.get('x-request-id') ?? '', /^[A-Za-z0-9_-]{8}-[0-9a-z]+$/)
    seen.add(answer.headers.get('x-request-id') ?? '')
  }
  t.equal(seen.size, 3)
})

test('names the request id as the clients of the surface look for it, too', async (t) => {
  const { url } = await startFront(t, {
    options: { surfaces: [{ ...fakeSurface, requestIdHeader: 'request-id' }] },
    config: { cors: { origins: ['https://app.test'] } },
  })
  const answer = await fetch(url + CHAT_PATH, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': 'mine.1', origin: 'https://app.test' },
    body: BODY,
  })
  t.equal(answer.headers.get('request-id'), 'mine.1')
  t.equal(answer.headers.get('x-request-id'), 'mine.1')
  t.match(answer.headers.get('access-control-expose-headers'), /\brequest-id\b.*\bx-should-retry\b/)
  t.equal((await fetch(`${url}/livez`)).headers.get('request-id'), null)
})

test('refuses what is not JSON in UTF-8, by its content type, before the body', async (t) => {
  const { port, pipeline } = await startFront(t)
  const types = [
    'text/plain',
    'multipart/form-data; boundary=x',
    'application/json; charset=utf-16',
    'application/jsonx',
  ]
  for (const type of types) {
    const answer = firstOf(
      (
        await exchangeRaw(
          port,
          `POST ${CHAT_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: 9\r\n\r\n`,
        )
      ).answers,
    )
    t.equal(answer.status, 415, type)
  }
  const missing = firstOf(
    (await exchangeRaw(port, `POST ${CHAT_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n`)).answers,
  )
  t.equal(missing.status, 415)
  t.equal(pipeline.exchanges.length, 0)
  for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"']) {
    const answer = await fetch(`http://127.0.0.1:${port}${CHAT_PATH}`, {
      method: 'POST',
      headers: { 'content-type': type },
      body: BODY,
    })
    t.equal(answer.status, 200, type)
    await answer.arrayBuffer()
  }
})

test('refuses an empty body', async (t) => {
  const { port } = await startFront(t)
  for (const head of ['Content-Length: 0\r\n', '', 'Transfer-Encoding: chunked\r\n']) {
    const tail = head.startsWith('T') ? '0\r\n\r\n' : ''
    const request = `POST ${CHAT_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${head}\r\n${tail}`
    const answer = firstOf((await exchangeRaw(port, request)).answers)
    t.equal(answer.status, 400, head)
    t.equal(codeOf(answer), 'invalid_request')
  }
})

test('answers 413 and closes the connection when a body is declared too large', async (t) => {
  const { port, pipeline } = await startFront(t, { config: { maxBodyBytes: 1000 } })
  const request = `POST ${CHAT_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n`
  const { answers, isClosed } = await exchangeRaw(port, request, 2)
  t.equal(firstOf(answers).status, 413)
  t.equal(codeOf(firstOf(answers)), 'payload_too_large')
  t.match(firstOf(answers).body.toString(), 'The body exceeds 1000 bytes (server.maxBodyBytes).')
  t.equal(firstOf(answers).headers.get('connection'), 'close')
  t.ok(isClosed)
  t.equal(pipeline.exchanges.length, 0)
})

test('answers 413 as soon as a chunked body outgrows the limit', async (t) => {
  const { port, pipeline } = await startFront(t, { config: { maxBodyBytes: 1000 } })
  const head = `POST ${CHAT_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`
  const { answers, isClosed } = await exchangeRaw(
    port,
    `${head}${'1f4\r\n'.concat('a'.repeat(500), '\r\n').repeat(3)}`,
    2,
  )
  t.equal(answers.length, 1)
  t.equal(firstOf(answers).status, 413)
  t.ok(isClosed)
  t.equal(pipeline.exchanges.length, 0)
  t.equal(pipeline.rejections[0]?.requestBytes, 1500)
})

test('takes a body of exactly the limit, in one piece, in bytes and in chunks', async (t) => {
  const { port, pipeline } = await startFront(t, { config: { maxBodyBytes: 300 } })
  const body = `"${'é'.repeat(149)}"`
  const bytes = Buffer.from(body)
  t.equal(bytes.length, 300)
  await exchangeRaw(port, post(CHAT_PATH, body))
  const socket = await openRaw(port)
  socket.setNoDelay(true)
  const whole = Buffer.from(post(CHAT_PATH, body))
  // The engine wants the head in fewer pieces: a request line cut in its method is answered 505.
  socket.write(whole.subarray(0, whole.length - bytes.length))
  for (const byte of bytes) {
    socket.write(Buffer.from([byte]))
    await new Promise(setImmediate)
  }
  await once(socket, 'data')
  socket.destroy()
  const head = `POST ${CHAT_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`
  const chunks = Array.from(bytes, (byte) =>
    Buffer.concat([Buffer.from('1\r\n'), Buffer.from([byte]), Buffer.from('\r\n')]),
  )
  await exchangeRaw(port, Buffer.concat([Buffer.from(head), ...chunks, Buffer.from('0\r\n\r\n')]))
  t.equal(pipeline.exchanges.length, 3)
  for (const exchange of pipeline.exchanges) {
    t.equal(exchange.text, body)
    t.equal(exchange.request.body.buffer.byteLength, 300)
  }
})

test('distinguishes a wrong method, a preflight and an unknown path', async (t) => {
  const { url } = await startFront(t, { config: { cors: { origins: ['https://app.test'] } } })
  const wrong = await fetch(url + CHAT_PATH, { method: 'DELETE' })
  t.equal(wrong.status, 405)
  t.equal(wrong.headers.get('allow'), 'POST, OPTIONS')
  t.equal((await readError(wrong)).code, 'method_not_allowed')
  const posted = await fetch(`${url}/livez`, { method: 'POST' })
  t.equal(posted.status, 405)
  t.equal(posted.headers.get('allow'), 'GET, HEAD, OPTIONS')
  await posted.arrayBuffer()
  const asked = { origin: 'https://app.test', 'access-control-request-headers': 'authorization,x-stainless-os' }
  const preflight = await fetch(url + CHAT_PATH, { method: 'OPTIONS', headers: asked })
  t.equal(preflight.status, 204)
  t.equal(preflight.headers.get('access-control-allow-origin'), 'https://app.test')
  t.equal(preflight.headers.get('access-control-allow-methods'), 'POST, OPTIONS')
  t.equal(preflight.headers.get('access-control-allow-headers'), 'authorization,x-stainless-os')
  t.equal(preflight.headers.get('vary'), 'origin')
  const foreign = await fetch(url + CHAT_PATH, { method: 'OPTIONS', headers: { origin: 'https://evil.test' } })
  t.equal(foreign.status, 204)
  t.notOk(foreign.headers.has('access-control-allow-origin'))
  t.notOk(foreign.headers.has('access-control-allow-methods'))
  for (const path of [
    '/nowhere',
    '//v1/models',
    '/v1/../livez',
    '/%6civez',
    '/livez;x',
    '/LIVEZ',
    '/v1/chat/completions/',
  ]) {
    const unknown = await exchangeRaw(Number(new URL(url).port), `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
    t.equal(firstOf(unknown.answers).status, 404, path)
    t.equal(codeOf(firstOf(unknown.answers)), 'not_found')
  }
})

test('answers a page of an allowed origin with its CORS headers, errors included', async (t) => {
  const { url, pipeline } = await startFront(t, { config: { cors: { origins: ['https://app.test'] } } })
  pipeline.keys = ['good']
  const answer = await fetch(url + CHAT_PATH, { method: 'POST', headers: { origin: 'https://app.test' }, body: BODY })
  t.equal(answer.status, 401)
  t.equal(answer.headers.get('access-control-allow-origin'), 'https://app.test')
  t.match(answer.headers.get('access-control-expose-headers') ?? '', /x-request-id/)
  await answer.arrayBuffer()
  const foreign = await fetch(url + CHAT_PATH, { method: 'POST', headers: { origin: 'null' }, body: BODY })
  t.notOk(foreign.headers.has('access-control-allow-origin'))
  await foreign.arrayBuffer()
})

test('drops a header of an answer that would begin another one', async (t) => {
  const { port } = await startFront(t, {
    script: (exchange) => {
      const headers = [
        ['x-a', 'one\r\nx-evil: 1'],
        ['x-b', 'nul\0'],
        ['x-c', 'good'],
        ['x-d', 'h'.repeat(9000)],
      ] as const
      exchange.sink.reply({ status: 200, headers, body: Buffer.from('{}'), error: null })
    },
  })
  const { headers } = firstOf((await exchangeRaw(port, post(CHAT_PATH, BODY))).answers)
  t.notOk(headers.has('x-a'))
  t.notOk(headers.has('x-b'))
  t.notOk(headers.has('x-evil'))
  t.notOk(headers.has('x-d'))
  t.equal(headers.get('x-c'), 'good')
})

test('sends a whole answer of any size unharmed', async (t) => {
  const sizes = [1, 14_000, 15_360, 16_384, 17_000, 300_000, 8_000_000]
  let size = 0
  const { url } = await startFront(t, { script: (exchange) => exchange.reply(200, Buffer.alloc(size, 'abcdefghij')) })
  for (size of sizes) {
    const answer = await fetch(url + CHAT_PATH, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: BODY,
    })
    t.equal(answer.headers.get('content-length'), String(size))
    const body = Buffer.from(await answer.arrayBuffer())
    t.ok(body.equals(Buffer.alloc(size, 'abcdefghij')), `${size} bytes`)
  }
})

test('sends a large answer to a client that reads late', async (t) => {
  const size = 12_000_000
  const { port } = await startFront(t, {
    script: (exchange) => setImmediate(() => exchange.reply(200, Buffer.alloc(size, 'abcdefghij'))),
  })
  const socket = await openRaw(port)
  socket.pause()
  socket.write(post(CHAT_PATH, BODY))
  await new Promise((resolve) => setTimeout(resolve, 300))
  let received = 0
  for await (const chunk of socket) {
    received += chunk.length
    if (received > size) break
  }
  t.ok(received > size)
})

test('answers pipelined requests in order or closes, and never crosses them', async (t) => {
  const { port } = await startFront(t, { script: (exchange) => exchange.reply(200, exchange.text) })
  const bodies = Array.from({ length: 20 }, (_, i) => `{"canary":${i}}`)
  const { answers, isClosed } = await exchangeRaw(
    port,
    bodies.map((body) => post(CHAT_PATH, body)).join(''),
    bodies.length,
  )
  t.same(
    answers.map((answer) => answer.body.toString()),
    bodies.slice(0, answers.length),
  )
  // Where they take long, on a busy machine, they are as many as a turn has room for.
  t.ok(answers.length === bodies.length || isClosed, `${answers.length} answers`)
  // An exchange that is not answered at once: the engine refuses a second request behind it.
  const later = await startFront(t, { script: (exchange) => setTimeout(() => exchange.reply(200, exchange.text), 50) })
  const both = await exchangeRaw(later.port, post(CHAT_PATH, '{"canary":1}') + post(CHAT_PATH, '{"canary":2}'), 2)
  t.ok(both.isClosed)
  t.ok(both.answers.length === 0 || both.answers[0]?.body.toString() === '{"canary":1}')
})

test('keeps the connection for the next request, and closes it with a whole answer once draining', async (t) => {
  const { server, port } = await startFront(t)
  const socket = await openRaw(port)
  for (let i = 0; i < 3; i++) {
    socket.write(post(CHAT_PATH, BODY))
    const [chunk] = await once(socket, 'data')
    t.notMatch(chunk.toString().toLowerCase(), /connection: close/)
  }
  server.closeListener()
  socket.write(post(CHAT_PATH, BODY))
  const [chunk] = await once(socket, 'data')
  t.match(chunk.toString().toLowerCase(), /connection: close/)
  await once(socket, 'close')
  await t.rejects(openRaw(port))
})

test('notifies the pipeline once when the client leaves while its body is read', async (t) => {
  const { server, port, pipeline } = await startFront(t)
  const socket = await openRaw(port)
  socket.write(post(CHAT_PATH, BODY).slice(0, -3))
  while (server.open.requests === 0) await new Promise(setImmediate)
  socket.resetAndDestroy()
  while (server.open.requests > 0) await new Promise(setImmediate)
  t.equal(pipeline.exchanges.length, 0)
  t.same(
    pipeline.rejections.map(({ error }) => error.data.code),
    ['client_gone'],
  )
})

test('cancels the exchange once when the client leaves before the answer, whichever way it leaves', async (t) => {
  const { server, port, pipeline } = await startFront(t, { script: () => {} })
  for (const leave of ['destroy', 'resetAndDestroy', 'end'] as const) {
    const socket = await openRaw(port)
    socket.write(post(CHAT_PATH, BODY))
    const before = pipeline.exchanges.length
    while (pipeline.exchanges.length === before) await new Promise(setImmediate)
    const exchange = pipeline.exchanges.at(-1)
    socket[leave]()
    await exchange?.cancelled
    // Whatever the pipeline still does reaches nobody and harms nobody.
    exchange?.begin().follow()
    exchange?.sink.keepalive()
    exchange?.frame('late')
    exchange?.end()
    t.same(await exchange?.delivered, { result: 'client_gone', bytes: 0 })
    t.equal(exchange?.cancels, 1)
    t.equal(exchange?.deliveries.length, 1)
    socket.destroy()
  }
  t.equal(server.open.requests, 0)
})

test('answers 500 when the pipeline itself throws', async (t) => {
  const { url, pipeline } = await startFront(t, {
    script: () => {
      throw new Error('a bug')
    },
  })
  const ask = () =>
    fetch(url + CHAT_PATH, { method: 'POST', headers: { 'content-type': 'application/json' }, body: BODY })
  const answer = await ask()
  t.equal(answer.status, 500)
  t.notMatch(await answer.text(), /a bug/)
  pipeline.reject = () => {
    throw new Error('a worse bug')
  }
  const worse = await ask()
  t.equal(worse.status, 500)
  t.equal((await readError(worse)).code, 'internal')
})

test('without gateway keys, the name of another host is refused on every route, with keys on none', async (t) => {
  const config = { allowedHosts: ['gateway.example'] }
  const keyless = await startFront(t, { config })
  const keyed = await startFront(t, { config, options: { hasKeys: true } })
  const statusOf = async (port: number, path: string, host: string) => {
    const { answers } = await exchangeRaw(port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    return answers[0]?.status
  }
  for (const path of ['/v1/models', '/livez', '/nowhere', '/metrics', '/v1/ws', '/openapi.json']) {
    t.equal(await statusOf(keyless.port, path, 'evil.example'), 421, path)
    t.not(await statusOf(keyed.port, path, 'evil.example'), 421, path)
  }
  const own = ['127.0.0.1', `127.0.0.1:${keyless.port}`, 'localhost:1', '[::1]:1', 'gateway.example', 'sluice']
  for (const host of own) t.equal(await statusOf(keyless.port, '/livez', host), 200, host)
  const foreign = post(CHAT_PATH, BODY).replace('Host: x', 'Host: evil.example')
  const { answers } = await exchangeRaw(keyless.port, foreign)
  t.match(Buffer.from(answers[0]?.body ?? []).toString(), /misdirected/)
  t.equal(keyless.pipeline.exchanges.length, 0)
})
