// The WebSocket route with a real client: who may upgrade, and what ends a socket.
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { answerWith, ChatClient, refusalOf } from '../../helpers/chat-client.js'
import { startFront } from '../../helpers/front.js'
import { exchangeRaw } from '../../helpers/raw-http.js'

test('takes the key as a header or as a subprotocol, and answers only with its own subprotocol', async (t) => {
  const front = await startFront(t)
  front.pipeline.keys = ['good']
  t.equal(await refusalOf(front, ['sluice.v1']), 401)
  t.equal(await refusalOf(front, ['sluice.v1', 'bearer.bad']), 401)
  t.equal(await refusalOf(front, ['sluice.v1', 'bearer.good'], { headers: { authorization: 'Bearer bad' } }), 401)
  t.equal(await refusalOf(front, ['bearer.good']), 400)
  const browser = await ChatClient.open(front, ['bearer.good', 'sluice.v1'])
  t.equal(browser.socket.protocol, 'sluice.v1')
  const plain = await ChatClient.open(front, [], { headers: { 'x-api-key': 'good' } })
  t.equal(plain.socket.protocol, '')
  t.equal(front.server.open.sockets, 2)
  browser.socket.close()
  plain.socket.terminate()
  while (front.server.open.sockets > 0) await new Promise(setImmediate)
  t.equal(front.server.open.requests, 0)
})

test('refuses a page of a foreign origin before it upgrades', async (t) => {
  const front = await startFront(t, { config: { cors: { origins: ['https://app.test'] } } })
  t.equal(await refusalOf(front, ['sluice.v1'], { origin: 'https://evil.test' }), 403)
  t.equal(await refusalOf(front, ['sluice.v1'], { origin: 'null' }), 403)
  const client = await ChatClient.open(front, ['sluice.v1'], { origin: 'https://app.test' })
  client.send({ type: 'ping' })
  await client.until(() => client.got.length > 0)
  t.strictSame(client.got, [{ type: 'pong' }])
  client.socket.close()
})

test('refuses what is no upgrade to version 13, and names that version', async (t) => {
  const { port, pipeline } = await startFront(t)
  const upgrade = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
  const kinds = [
    [426, ''],
    [426, `${upgrade}Sec-WebSocket-Version: 12\r\n`],
    [426, `${upgrade}Sec-WebSocket-Version: 013\r\n`],
    [400, upgrade],
  ] as const
  for (const [status, headers] of kinds) {
    const { answers } = await exchangeRaw(port, `GET /v1/ws HTTP/1.1\r\nHost: x\r\n${headers}\r\n`)
    t.equal(answers[0]?.status, status, headers)
    t.equal(answers[0]?.headers.get('sec-websocket-version'), '13')
  }
  t.equal(pipeline.rejections.length, kinds.length)
})

test('closes the socket of an allowed origin with a wrong key with its own close code', async (t) => {
  const front = await startFront(t, { config: { cors: { origins: ['https://app.test'] } } })
  front.pipeline.keys = ['good']
  const origin = 'https://app.test'
  for (const protocols of [['sluice.v1', 'bearer.bad'], ['sluice.v1'], ['bearer64.YmFk', 'sluice.v1.msgpack'], []]) {
    const page = await ChatClient.open(front, protocols, { origin })
    page.chat('a')
    await page.until(() => page.closed !== null)
    t.strictSame(page.closed, { code: 4401, reason: 'unauthenticated' }, protocols.join())
    t.same(page.got, [])
  }
  t.equal(front.pipeline.rejections.length, 4)
  t.equal(front.pipeline.exchanges.length, 0)
  // A status is for those who see it: no origin, a foreign one, or no subprotocol that a browser would accept.
  t.equal(await refusalOf(front, ['sluice.v1', 'bearer.bad']), 401)
  t.equal(await refusalOf(front, ['sluice.v1', 'bearer.bad'], { origin: 'https://evil.test' }), 403)
  t.equal(await refusalOf(front, ['bearer.bad'], { origin }), 401)
  const known = await ChatClient.open(front, ['sluice.v1', 'bearer64.Z29vZA'], { origin })
  known.send({ type: 'ping' })
  await known.until(() => known.got.length > 0)
  t.strictSame(known.got, [{ type: 'pong' }])
  known.socket.close()
  while (front.server.open.sockets > 0) await new Promise(setImmediate)
  t.equal(front.server.open.requests, 0)
})

test('closes the socket of a page with 4429 when its address has tried too many keys, whatever its key', async (t) => {
  const failedKeys = {
    isQuiet: false,
    check: () => {
      throw new GatewayError('rate_limited')
    },
    note: () => {},
  }
  const origin = 'https://app.test'
  const front = await startFront(t, { config: { cors: { origins: [origin] } }, options: { failedKeys } })
  front.pipeline.keys = ['good']
  const page = await ChatClient.open(front, ['sluice.v1', 'bearer.good'], { origin })
  await page.until(() => page.closed !== null)
  t.strictSame(page.closed, { code: 4429, reason: 'rate_limited' })
  t.equal(await refusalOf(front, ['sluice.v1', 'bearer.good']), 429)
})

test('takes a prompt as large as the body limit, and closes what is larger', async (t) => {
  const front = await startFront(t, { config: { maxBodyBytes: 200_000 }, script: answerWith('{}') })
  const client = await ChatClient.open(front)
  client.chat('big', { model: 'x'.repeat(190_000) })
  t.match(await client.ending('big'), { outcome: 'complete' })
  client.chat('bigger', { model: 'x'.repeat(210_000) })
  await client.until(() => client.closed !== null)
  // The engine ends the connection itself, without a close frame.
  t.match(client.closed, { code: 1006 })
  t.equal(front.pipeline.exchanges.length, 1)
})

/** A frame as a client sends it, unmasked by a mask of zeros. */
const maskedFrame = (opcode: number, payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from([opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload])

test('what ends a socket in the engine is logged and counted as a refusal of its key', async (t) => {
  const front = await startFront(t, {
    config: { maxBodyBytes: 200_000 },
    script: (exchange) => exchange.begin().follow(),
  })
  front.pipeline.keys = ['good']
  const raw = (frame: Buffer) => (client: ChatClient) => {
    const { _socket: tcp } = client.socket as unknown as { _socket: { write(bytes: Buffer): void } }
    tcp.write(frame)
  }
  const ways = [
    ['payload_too_large', (client: ChatClient) => client.chat('b', { model: 'x'.repeat(210_000) })],
    ['invalid_request', raw(maskedFrame(0xff, Buffer.alloc(0)))],
    ['invalid_request', raw(maskedFrame(0x81, Buffer.from([0xff])))],
    // A close frame of code 1006, which no client may send, with the engine's own reason.
    ['invalid_request', raw(maskedFrame(0x88, Buffer.from('\x03\xeeReceived too big message', 'latin1')))],
  ] as const
  for (const [code, breakRule] of ways) {
    const { length } = front.pipeline.rejections
    const client = await ChatClient.open(front, ['sluice.v1', 'bearer.good'])
    client.chat('a')
    while (front.server.open.sockets === 0) await new Promise(setImmediate)
    breakRule(client)
    await client.until(() => client.closed !== null)
    while (front.server.open.sockets > 0) await new Promise(setImmediate)
    const made = front.pipeline.rejections.slice(length)
    t.equal(made.length, 1, code)
    t.equal(made[0]?.error.data.code, code)
    t.match(made[0], { hasKey: true, origin: { path: '/v1/ws', socket: { connection: /-/, chat: null } } })
    t.equal(made[0]?.key?.name, front.pipeline.exchanges.at(-1)?.request.key.name)
    t.equal((await front.pipeline.exchanges.at(-1)?.delivered)?.result, 'client_gone')
  }
  t.match(front.pipeline.rejections[0]?.error.message, /at most 200000 bytes/)
})

test('a socket that its client closes, in whatever words, or just leaves is no refusal', async (t) => {
  const front = await startFront(t)
  for (const leave of [
    ({ socket }: ChatClient) => socket.close(),
    ({ socket }: ChatClient) => socket.close(4000, 'Received too big message'),
    ({ socket }: ChatClient) => socket.terminate(),
  ]) {
    const client = await ChatClient.open(front)
    leave(client)
    await client.until(() => client.closed !== null)
    while (front.server.open.sockets > 0) await new Promise(setImmediate)
  }
  t.equal(front.pipeline.rejections.length, 0)
})
