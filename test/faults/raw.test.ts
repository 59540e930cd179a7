// Bytes that no client library would send, at a running gateway: what the strictness tests prove of the front end by itself
// holds for the process, too, and after each case the next request finds it whole. Where the engine's own parser answers or
// waits (uWebSockets.js 20.49: idle heads and stalled bodies end after 8 to 12 s), that is what is written here.

import { test } from 'tap'
import { cpuMs } from '../../bench/stats.js'
import { FaultRig, GATEWAY_KEY } from '../helpers/fault-rig.js'
import { startGateway } from '../helpers/gateway.js'
import { exchangeRaw, openRaw } from '../helpers/raw-http.js'
import { BINARY, CLOSE, frameOf, PING, PONG, RawWebSocket, TEXT } from '../helpers/raw-websocket.js'

const AUTH = `Authorization: Bearer ${GATEWAY_KEY}\r\n`
const BODY = '{"model":"r0/m","messages":[{"role":"user","content":"canary-000000000"}]}'
const START = 'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n'
const JSON_TYPE = 'Content-Type: application/json\r\n'
const CHUNKED = 'Transfer-Encoding: chunked\r\n'
const LENGTH = `Content-Length: ${BODY.length}\r\n`

const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`
const post = (headers: string, body = BODY) => `${START}${headers}\r\n${body}`
const sized = (headers: string) => post(`${LENGTH}${headers}`)
/** A head of exactly so many bytes. */
const headOf = (bytes: number) => get('/livez', `X-A: ${'a'.repeat(bytes - get('/livez', 'X-A: \r\n').length)}\r\n`)
const many = (count: number) => get('/livez', Array.from({ length: count }, (_, i) => `X-${i}: a\r\n`).join(''))
const inChunks = (text: string, size: number) =>
  `${text.replace(new RegExp(`.{1,${size}}`, 'gs'), (part) => `${part.length.toString(16)}\r\n${part}\r\n`)}0\r\n\r\n`

type Row = readonly [name: string, bytes: string, statuses: readonly number[], isClosed?: boolean]
const OK = [200]

/** The answers that come on the connection, in order. */
const ROWS: readonly Row[] = [
  ['one request', sized(AUTH + JSON_TYPE), OK],
  ['97 headers and a host', many(97), OK],
  ['98 headers and a host', many(98), [431], true],
  ['99 headers and a host', many(99), [431], true],
  ['101 headers and a host', many(101), [431], true],
  ['a head of 4095 bytes', headOf(4095), OK],
  ['a head of 4097 bytes', headOf(4097), OK],
  ['a head of 16 KB', headOf(16_384), OK],
  ['a head of 16 KB and a half', headOf(16_900), [431], true],
  ['a body in chunks of one byte', post(AUTH + JSON_TYPE + CHUNKED, inChunks(BODY, 1)), OK],
  ['two requests, one after the other on one connection', sized(AUTH + JSON_TYPE), OK],
  ['TRACE', 'TRACE /livez HTTP/1.1\r\nHost: x\r\n\r\n', [405]],
  ['an unknown method', 'BREW /livez HTTP/1.1\r\nHost: x\r\n\r\n', [405]],
  ['PUT at a known path', 'PUT /v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n', [405]],
  ['%00 in a path', get('/v1/models/a%00b', AUTH), [404]],
  ['a bad percent', get('/v1/models/%zz', AUTH), [404]],
  ['dots in a path', get('/v1/../metrics'), [404]],
  ['two slashes', get('//metrics'), [404]],
  ['another case', get('/METRICS'), [404]],
  ['a semicolon', get('/metrics;x', ''), [404]],
  ['no key', sized(JSON_TYPE), [401]],
  ['an empty key', sized(`${JSON_TYPE}Authorization: Bearer \r\n`), [401]],
  ['only the scheme', sized(`${JSON_TYPE}Authorization: Bearer\r\n`), [401]],
  ['two keys', sized(`${JSON_TYPE}${AUTH}${AUTH}`), [401]],
  ['a key of 8 KB', sized(`${JSON_TYPE}X-API-Key: ${'k'.repeat(8192)}\r\n`), [401]],
  ['bytes beyond ASCII in a key', sized(`${JSON_TYPE}X-API-Key: \xe9\xff\r\n`), [401]],
  ['a key with SQL in it', sized(`${JSON_TYPE}X-API-Key: ' OR 1=1; --"\r\n`), [401]],
  ['the key but for its last letter', sized(`${JSON_TYPE}X-API-Key: ${GATEWAY_KEY.slice(0, -1)}\r\n`), [401]],
  [
    'another host and forwarded headers',
    sized(`${JSON_TYPE}X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: a\r\n`),
    [401],
  ],
  ['no content type', sized(AUTH), [415]],
  ['multipart', sized(`${AUTH}Content-Type: multipart/form-data; boundary=x\r\n`), [415]],
  ['a form', sized(`${AUTH}Content-Type: application/x-www-form-urlencoded\r\n`), [415]],
  ['UTF-16', sized(`${AUTH}Content-Type: application/json; charset=utf-16\r\n`), [415]],
  ['an upgrade to something else', get('/v1/ws', `${AUTH}Upgrade: h2c\r\nConnection: Upgrade\r\n`), [426]],
]

test('odd requests get one clear answer each, and the gateway is as before', async (t) => {
  const rig = await FaultRig.start(t, [])
  const port = Number(new URL(rig.gateway.origin).port)
  for (const [name, bytes, statuses, isClosed = false] of ROWS) {
    const { answers, isClosed: hasClosed } = await exchangeRaw(port, Buffer.from(bytes, 'latin1'), statuses.length)
    t.same(
      answers.map(({ status }) => status),
      statuses,
      name,
    )
    if (isClosed) t.ok(hasClosed, `${name}: closed`)
    for (const answer of answers) {
      if (answer.status < 400 || answer.status === 431 || (answer.status === 400 && isClosed)) continue
      t.ok(answer.headers.get('x-request-id'), `${name}: a request id`)
      t.type(JSON.parse(answer.body.toString()).error?.message, 'string', `${name}: an error`)
    }
    await rig.recount()
    t.same(await rig.complaints(), [], name)
  }
  t.equal(await rig.gateway.stop(), 0)
})

const HALF = frameOf(TEXT, '{"type":', { isFinal: false })
const FRAGMENTS = Buffer.concat([
  frameOf(TEXT, '{', { isFinal: false }),
  ...Array.from({ length: 100_000 }, () => frameOf(0, ' ', { isFinal: false })),
  frameOf(0, '"type":"ping"}'),
])
const closing = (code: number, reason = '') => {
  const payload = Buffer.from(`00${reason}`)
  payload.writeUInt16BE(code)
  return frameOf(CLOSE, payload)
}

/** RFC 6455, sections 5 and 7.4. `answered`: the message is taken, if only to be refused. `breach`: closed, and a refused request. */
const FRAMES: readonly (readonly [name: string, bytes: Buffer, expected: 'answered' | 'closed' | 'breach'])[] = [
  ['a ping message', frameOf(TEXT, '{"type":"ping"}'), 'answered'],
  ['a message in two fragments', Buffer.concat([HALF, frameOf(0, '"ping"}')]), 'answered'],
  ['a ping between fragments', Buffer.concat([HALF, frameOf(PING, 'x'), frameOf(0, '"ping"}')]), 'answered'],
  ['a hundred thousand fragments of one byte', FRAGMENTS, 'answered'],
  [
    'ten thousand pings',
    Buffer.concat([...Array.from({ length: 10_000 }, () => frameOf(PING, 'x')), frameOf(TEXT, '{"type":"ping"}')]),
    'closed',
  ],
  ['a pong that nobody asked for', Buffer.concat([frameOf(PONG, 'x'), frameOf(TEXT, '{"type":"ping"}')]), 'answered'],
  ['a reserved opcode', frameOf(3, 'x'), 'breach'],
  ['a reserved control opcode', frameOf(11, 'x'), 'breach'],
  ['a reserved bit', frameOf(TEXT, '{"type":"ping"}', { reserved: 2 }), 'breach'],
  ['a continuation of nothing', frameOf(0, 'x'), 'breach'],
  ['a message inside another', Buffer.concat([HALF, frameOf(TEXT, '{}')]), 'breach'],
  ['a ping in fragments', frameOf(PING, 'x', { isFinal: false }), 'breach'],
  ['a ping of 126 bytes', frameOf(PING, 'x'.repeat(126)), 'breach'],
  ['text that is not UTF-8', frameOf(TEXT, Buffer.from('{"type":"\xff"}', 'latin1')), 'breach'],
  ['binary', frameOf(BINARY, '{}'), 'answered'],
  ['a length over the limit', frameOf(TEXT, 'x', { length: 1n << 40n }), 'breach'],
  ['a length of 2^63', frameOf(TEXT, 'x', { length: 1n << 63n }), 'breach'],
  ['a close without a code', frameOf(CLOSE, ''), 'closed'],
  ['a close of one byte', frameOf(CLOSE, 'x'), 'closed'],
  ['a close with a code that must not be sent', closing(1005), 'breach'],
  ['a close with a code below 1000', closing(999), 'breach'],
  ['a close with a reason that is not UTF-8', frameOf(CLOSE, Buffer.from([3, 0xe8, 0xff])), 'breach'],
]

test('WebSocket frames, right and wrong, end in an answer or a close, and other sockets live on', async (t) => {
  const rig = await FaultRig.start(t, [])
  const port = Number(new URL(rig.gateway.origin).port)
  const other = await RawWebSocket.open(port, AUTH)
  for (const [name, bytes, expected] of FRAMES) {
    const socket = await RawWebSocket.open(port, AUTH)
    socket.socket.write(bytes)
    const isAnswered = () => socket.frames.some(({ opcode }) => opcode === TEXT)
    await socket.until(() => socket.isClosed || isAnswered())
    t.equal(isAnswered(), expected === 'answered', name)
    if (expected === 'breach') rig.count()
    const code = socket.closeCode
    if (code !== null) t.ok([1000, 1002, 1003, 1005, 1006, 1007, 1008, 1009].includes(code), `${name}: ${code}`)
    socket.socket.destroy()
    t.same(await rig.complaints(), [], name)
  }
  t.notOk(other.isClosed, 'another socket is open')
  other.socket.write(frameOf(TEXT, '{"type":"ping"}'))
  await other.until(() => other.frames.length > 0)
  t.match(other.frames[0]?.payload.toString(), /pong/)
  other.socket.destroy()
  t.equal(await rig.gateway.stop(), 0)
})

const SLOW_CLIENTS = 100
/** What a hundred probes may cost the event loop: they take a tenth of it. */
const PROBES_CPU_MS = 1000

test('clients that drip their head or body, say nothing, or name chunk extensions, are cut by the engine, and others do not feel them', async (t) => {
  const gateway = await startGateway(t, { config: {} })
  const port = Number(new URL(gateway.origin).port)
  const head = `${START}${JSON_TYPE}Content-Length: 100000\r\n\r\n`
  const slow = await Promise.all(
    Array.from({ length: SLOW_CLIENTS }, async (_, i) => {
      const socket = await openRaw(port)
      socket.on('error', () => undefined)
      const closed = new Promise((resolve) => socket.on('close', resolve))
      if (i % 4 === 0) socket.write(head.slice(0, 30))
      if (i % 4 === 1) socket.write(`${head}{`)
      if (i % 4 === 2) socket.write(post(JSON_TYPE + CHUNKED, '5;a=b\r\n{"a":'))
      const drip = setInterval(() => socket.write('a'), 2500)
      return closed.finally(() => clearInterval(drip))
    }).map((closed) => ({ closed })),
  )
  const beforeMs = cpuMs(gateway.pid)
  for (let i = 0; i < 100; i++) t.equal((await fetch(`${gateway.origin}/livez`)).status, 200)
  const tookMs = cpuMs(gateway.pid) - beforeMs
  t.ok(tookMs < PROBES_CPU_MS, `${tookMs} ms of processor time`)
  // A byte each 2.5 s would keep them for ever.
  await Promise.all(slow.map(({ closed }) => closed))
  t.equal(gateway.complaints, '')
})
