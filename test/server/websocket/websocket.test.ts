// The WebSocket route with a real client: upgrade rules, many chats on one socket, and what becomes of a slow one.
import { once } from 'node:events'
import { unpack } from 'msgpackr'
import { test } from 'tap'
import { type ClientOptions, WebSocket } from 'ws'
import { errorData, GatewayError } from '../../../src/errors.js'
import { isJsonObject, type JsonObject } from '../../../src/model/json.js'
import { type Surface } from '../../../src/protocols/contract/protocol.js'
import { pack } from '../../../src/wire/pack.js'
import { COMPLETE, type FakeExchange, fakeSurface } from '../../helpers/fake-pipeline.js'
import { type RunningFront, startFront } from '../../helpers/front.js'
import { CUT } from '../../helpers/kept.js'
import { exchangeRaw } from '../../helpers/raw-http.js'

const REQUEST = { model: 'fast', messages: [] }

/** A client that keeps what it gets. */
class Client {
  readonly socket: WebSocket
  readonly got: JsonObject[] = []
  closed: { code: number; reason: string } | null = null
  #wake: () => void = () => {}

  constructor(front: RunningFront, protocols: string[] = ['sluice.v1'], options: ClientOptions = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${front.port}/v1/ws`, protocols, options)
    this.socket.on('message', (bytes: Buffer, isBinary) => {
      const message: unknown = isBinary ? unpack(bytes) : JSON.parse(bytes.toString())
      if (isJsonObject(message)) this.got.push(message)
      this.#wake()
    })
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() }
      this.#wake()
    })
    this.socket.on('error', () => {})
  }

  static async open(front: RunningFront, protocols?: string[], options?: ClientOptions): Promise<Client> {
    const client = new Client(front, protocols, options)
    await once(client.socket, 'open')
    return client
  }

  send(message: unknown): void {
    this.socket.send(JSON.stringify(message))
  }

  chat(id: string, request: unknown = REQUEST): void {
    this.send({ type: 'chat', id, request })
  }

  async until(isMet: () => boolean): Promise<void> {
    while (!isMet()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** The message that ends a chat. */
  async ending(id: string): Promise<JsonObject> {
    const find = () => this.got.find((message) => message.id === id && message.type !== 'event')
    await this.until(() => find() !== undefined)
    return find() ?? {}
  }
}

async function refusal(front: RunningFront, protocols: string[], options: ClientOptions = {}): Promise<number> {
  const { socket } = new Client(front, protocols, options)
  const [, answer] = await once(socket, 'unexpected-response')
  answer.destroy()
  return answer.statusCode
}

function answerWith(...frames: string[]) {
  return (exchange: FakeExchange) => {
    exchange.begin().follow()
    for (const frame of frames) exchange.frame(frame)
    exchange.end()
  }
}

test('streams a chat as events, then done with outcome and usage', async (t) => {
  const front = await startFront(t, { script: answerWith('{"n":0}', '{"n":"é\\n"}', '[DONE]') })
  const client = await Client.open(front)
  t.equal(client.socket.protocol, 'sluice.v1')
  client.chat('a1', { ...REQUEST, stream: false })
  await client.ending('a1')
  const usage = {
    prompt_tokens: 0,
    completion_tokens: 0,
    total_tokens: 0,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0 },
  }
  t.strictSame(client.got, [
    { type: 'event', id: 'a1', seq: 0, data: { n: 0 } },
    { type: 'event', id: 'a1', seq: 1, data: { n: 'é\n' } },
    { type: 'done', id: 'a1', requestId: 'seed1234-2', outcome: 'complete', usage, usage_source: 'provider' },
  ])
  const [exchange] = front.pipeline.exchanges
  t.strictSame(JSON.parse(exchange?.text ?? ''), { ...REQUEST, stream: true })
  t.equal(exchange?.request.body.buffer.byteLength, exchange?.request.body.length)
  t.equal((await exchange?.delivered)?.result, 'delivered')
  t.equal(exchange?.sink.transport, 'websocket')
  t.match(
    exchange?.request,
    {
      requestId: 'seed1234-2',
      origin: { method: 'GET', path: '/v1/ws', address: '127.0.0.1', socket: { connection: 'seed1234-1', chat: 'a1' } },
    },
    'the log can join the chat to its socket',
  )
  client.socket.close()
})

/** A second API, whose errors are recognisable as its own. */
const otherSurface: Surface = {
  ...fakeSurface,
  id: 'other',
  encodeError: (error) => ({ status: error.status, body: { error: { message: error.message, type: 'other' } } }),
}
const APIS = { webSocketApis: new Map([['fake', fakeSurface] as const, ['other', otherSurface] as const]) }

test('a chat may name its API, and its request, its events and its errors are of that one', async (t) => {
  const script = (exchange: FakeExchange): void => {
    exchange.begin().follow()
    exchange.frame('{"type":"delta"}')
    exchange.end(exchange.text.includes('cut') ? CUT : COMPLETE)
  }
  const front = await startFront(t, { script, options: APIS })
  const client = await Client.open(front)
  client.send({ type: 'chat', id: 'a', api: 'other', request: { prompt: 'cut' } })
  client.send({ type: 'chat', id: 'b', api: 'fake', request: { prompt: 'cut' } })
  client.send({ type: 'chat', id: 'c', request: { prompt: 'cut' } })
  client.send({ type: 'chat', id: 'd', api: 'other', request: {} })
  const error = async (id: string) => ((await client.ending(id)).error as JsonObject).type
  t.same([await error('a'), await error('b'), await error('c')], ['other', 'fake', 'fake'])
  t.match(await client.ending('d'), { type: 'done', outcome: 'complete' })
  t.match(client.got[0], { type: 'event', id: 'a', seq: 0, data: { type: 'delta' } })
  const asked = front.pipeline.exchanges.map(({ request }) => request.surface.id)
  t.same(asked, ['other', 'fake', 'fake', 'other'])
  client.socket.close()
})

test('a refusal of a chat is in the words of its API, and an unknown API is refused in those of the default', async (t) => {
  const front = await startFront(t, { options: APIS })
  const client = await Client.open(front)
  client.send({ type: 'chat', id: 'a', api: 'other', request: 7 })
  t.match((await client.ending('a')).error, { message: 'The request must be an object.' })
  for (const [index, api] of ['else', 7, null, '__proto__'].entries()) {
    client.send({ type: 'chat', id: `x${index}`, api, request: {} })
    const { error } = await client.ending(`x${index}`)
    t.match(error, { message: 'The api must be one of fake, other.', param: 'api' })
  }
  t.same(
    front.pipeline.rejections.map(({ surface }) => surface?.id),
    ['other', 'fake', 'fake', 'fake', 'fake'],
    'each is counted for the API that it was answered in',
  )
  t.equal(front.pipeline.exchanges.length, 0)
  client.socket.close()
})

test('speaks msgpack in binary frames with the same objects', async (t) => {
  const front = await startFront(t, { script: answerWith('{"n":[1,null,"é"]}', '[DONE]') })
  const client = await Client.open(front, ['sluice.v1.msgpack'])
  t.equal(client.socket.protocol, 'sluice.v1.msgpack')
  client.socket.send(pack({ type: 'chat', id: 'm', request: REQUEST }))
  const done = await client.ending('m')
  t.strictSame(client.got[0], { type: 'event', id: 'm', seq: 0, data: { n: [1, null, 'é'] } })
  t.equal(client.got.length, 2)
  t.equal(done.outcome, 'complete')
  t.strictSame(JSON.parse(front.pipeline.exchanges[0]?.text ?? ''), { ...REQUEST, stream: true })
  client.socket.close()
})

test('takes the key as a header or as a subprotocol, and answers only with its own subprotocol', async (t) => {
  const front = await startFront(t)
  front.pipeline.keys = ['good']
  t.equal(await refusal(front, ['sluice.v1']), 401)
  t.equal(await refusal(front, ['sluice.v1', 'bearer.bad']), 401)
  t.equal(await refusal(front, ['sluice.v1', 'bearer.good'], { headers: { authorization: 'Bearer bad' } }), 401)
  t.equal(await refusal(front, ['bearer.good']), 400)
  const browser = await Client.open(front, ['bearer.good', 'sluice.v1'])
  t.equal(browser.socket.protocol, 'sluice.v1')
  const plain = await Client.open(front, [], { headers: { 'x-api-key': 'good' } })
  t.equal(plain.socket.protocol, '')
  t.equal(front.server.open.sockets, 2)
  browser.socket.close()
  plain.socket.terminate()
  while (front.server.open.sockets > 0) await new Promise(setImmediate)
  t.equal(front.server.open.requests, 0)
})

test('refuses a page of a foreign origin before it upgrades', async (t) => {
  const front = await startFront(t, { config: { cors: { origins: ['https://app.test'] } } })
  t.equal(await refusal(front, ['sluice.v1'], { origin: 'https://evil.test' }), 403)
  t.equal(await refusal(front, ['sluice.v1'], { origin: 'null' }), 403)
  const client = await Client.open(front, ['sluice.v1'], { origin: 'https://app.test' })
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
    const page = await Client.open(front, protocols, { origin })
    page.chat('a')
    await page.until(() => page.closed !== null)
    t.strictSame(page.closed, { code: 4401, reason: 'unauthenticated' }, protocols.join())
    t.same(page.got, [])
  }
  t.equal(front.pipeline.rejections.length, 4)
  t.equal(front.pipeline.exchanges.length, 0)
  // A status is for those who see it: no origin, a foreign one, or no subprotocol that a browser would accept.
  t.equal(await refusal(front, ['sluice.v1', 'bearer.bad']), 401)
  t.equal(await refusal(front, ['sluice.v1', 'bearer.bad'], { origin: 'https://evil.test' }), 403)
  t.equal(await refusal(front, ['bearer.bad'], { origin }), 401)
  const known = await Client.open(front, ['sluice.v1', 'bearer64.Z29vZA'], { origin })
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
  const page = await Client.open(front, ['sluice.v1', 'bearer.good'], { origin })
  await page.until(() => page.closed !== null)
  t.strictSame(page.closed, { code: 4429, reason: 'rate_limited' })
  t.equal(await refusal(front, ['sluice.v1', 'bearer.good']), 429)
})

test('keeps chats on one socket apart: an end, an error and a cancel touch only their own', async (t) => {
  const front = await startFront(t, { script: (exchange) => exchange.begin().follow() })
  const client = await Client.open(front)
  for (const id of ['ok', 'bad', 'off', 'on']) client.chat(id)
  while (front.pipeline.exchanges.length < 4) await new Promise(setImmediate)
  const [ok, bad, off, on] = front.pipeline.exchanges
  for (const exchange of front.pipeline.exchanges) exchange.frame('{"hello":true}')
  ok?.end()
  bad?.end({ ...COMPLETE, outcome: 'upstream_cut', error: errorData('upstream_cut'), usageSource: 'partial' })
  client.send({ type: 'cancel', id: 'off' })
  client.send({ type: 'cancel', id: 'unknown' })
  t.equal((await client.ending('ok')).type, 'done')
  const error = await client.ending('bad')
  t.match(error, { type: 'error', outcome: 'upstream_cut', error: { code: 'upstream_cut' }, usage_source: 'partial' })
  t.match(await client.ending('off'), { type: 'done', id: 'off', outcome: 'client_gone' })
  t.equal((await off?.delivered)?.result, 'client_gone')
  t.equal(off?.abandons, 1)
  on?.frame('{"still":"here"}')
  on?.end()
  await client.ending('on')
  t.strictSame(
    client.got.filter(({ id, type }) => id === 'on' && type === 'event').map(({ seq }) => seq),
    [0, 1],
  )
  client.socket.close()
})

test('cancels a chat that has not begun, and lets its id be used again', async (t) => {
  const front = await startFront(t, { script: () => {} })
  const client = await Client.open(front)
  client.chat('a')
  client.send({ type: 'cancel', id: 'a' })
  await client.ending('a')
  const [exchange] = front.pipeline.exchanges
  await exchange?.cancelled
  exchange?.begin().follow()
  exchange?.frame('{"late":1}')
  exchange?.reply(500, '{}', errorData('internal'))
  t.equal((await exchange?.delivered)?.result, 'client_gone')
  client.chat('a')
  while (front.pipeline.exchanges.length < 2) await new Promise(setImmediate)
  t.equal(exchange?.cancels, 1)
  t.equal(client.got.length, 1)
  client.socket.close()
})

test('answers an exchange that fails or replies whole', async (t) => {
  const front = await startFront(t, {
    script: (exchange) => {
      const isGood = exchange.text.includes('good')
      if (isGood) exchange.reply(200, '{"whole":true}')
      else
        exchange.reply(
          404,
          '{"error":{"message":"No such model.","code":"model_not_found"}}',
          errorData('model_not_found'),
        )
    },
  })
  const client = await Client.open(front)
  client.chat('x')
  t.match(await client.ending('x'), { type: 'error', id: 'x', error: { code: 'model_not_found' } })
  client.chat('x', { model: 'good' })
  await client.until(() => client.got.length === 3)
  t.strictSame(client.got.slice(1), [
    { type: 'event', id: 'x', seq: 0, data: { whole: true } },
    { type: 'done', id: 'x', requestId: 'seed1234-3', outcome: 'complete' },
  ])
  client.socket.close()
})

test('answers malformed frames with an error and stays open', async (t) => {
  const front = await startFront(t, { script: () => {} })
  const client = await Client.open(front)
  const ill = [
    '{',
    '[]',
    '"x"',
    '{}',
    '{"type":"nonsense"}',
    '{"type":"chat"}',
    '{"type":"chat","id":7}',
    '{"type":"cancel","id":""}',
  ]
  ill.push(`{"type":"chat","id":"${'i'.repeat(129)}","request":{}}`)
  for (const frame of ill) client.socket.send(frame)
  await client.until(() => client.got.length === ill.length)
  for (const answer of client.got) t.match(answer, { type: 'error', id: null, error: { code: 'invalid_request' } })
  client.send({ type: 'chat', id: 'b', request: [] })
  client.send({ type: 'chat', id: 'c', request: {} })
  client.send({ type: 'chat', id: 'c', request: {} })
  await client.until(() => client.got.length === ill.length + 2)
  t.match(client.got.at(-2), { type: 'error', id: 'b', error: { param: 'request' } })
  t.match(client.got.at(-1), { type: 'error', id: 'c', error: { param: 'id' } })
  t.equal(front.pipeline.exchanges.length, 1)
  for (const id of ['d', 'e', 'f', 'g']) client.chat(id)
  t.match(await client.ending('g'), { type: 'error', id: 'g', error: { code: 'rate_limited' } })
  t.equal(front.pipeline.exchanges.length, 4)
  t.same(
    front.pipeline.rejections.map(({ error }) => error.data.code),
    ['invalid_request', 'invalid_request', 'rate_limited'],
    'a chat that is refused is logged and counted',
  )
  client.socket.close()
})

test("leaves a request's own bytes to the pipeline: numbers, doubled members and depth are as the client sent them", async (t) => {
  const front = await startFront(t, { script: answerWith('{}') })
  const client = await Client.open(front)
  const members = `"n":12345678901234567890,"n":1e400,"a":${'['.repeat(50_000)}${']'.repeat(50_000)}`
  client.socket.send(`{"type":"chat","id":"raw","request":{${members}}}`)
  t.match(await client.ending('raw'), { outcome: 'complete' })
  t.equal(front.pipeline.exchanges[0]?.text, `{"stream":true,${members}}`)
  client.socket.close()
})

test('answers a frame of the wrong kind with an error and continues the chats of the socket', async (t) => {
  const front = await startFront(t, { script: answerWith('{"n":0}') })
  const text = await Client.open(front)
  text.socket.send(Buffer.from('{"type":"chat","id":"x","request":{}}'))
  await text.until(() => text.got.length > 0)
  const message = 'The subprotocol sluice.v1 requires text frames.'
  t.match(text.got, [{ type: 'error', id: null, error: { code: 'invalid_request', message } }])
  text.chat('a')
  t.match(await text.ending('a'), { type: 'done', outcome: 'complete' })
  text.socket.close()
  const binary = await Client.open(front, ['sluice.v1.msgpack'])
  binary.send({ type: 'ping' })
  binary.socket.send(pack({ type: 'ping' }))
  await binary.until(() => binary.got.length === 2)
  t.match(binary.got, [
    { error: { message: 'The subprotocol sluice.v1.msgpack requires binary frames.' } },
    { type: 'pong' },
  ])
  binary.socket.close()
})

test('takes a prompt as large as the body limit, and closes what is larger', async (t) => {
  const front = await startFront(t, { config: { maxBodyBytes: 200_000 }, script: answerWith('{}') })
  const client = await Client.open(front)
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
  const raw = (frame: Buffer) => (client: Client) => {
    const { _socket: tcp } = client.socket as unknown as { _socket: { write(bytes: Buffer): void } }
    tcp.write(frame)
  }
  const ways = [
    ['payload_too_large', (client: Client) => client.chat('b', { model: 'x'.repeat(210_000) })],
    ['invalid_request', raw(maskedFrame(0xff, Buffer.alloc(0)))],
    ['invalid_request', raw(maskedFrame(0x81, Buffer.from([0xff])))],
    // A close frame of code 1006, which no client may send, with the engine's own reason.
    ['invalid_request', raw(maskedFrame(0x88, Buffer.from('\x03\xeeReceived too big message', 'latin1')))],
  ] as const
  for (const [code, breakRule] of ways) {
    const { length } = front.pipeline.rejections
    const client = await Client.open(front, ['sluice.v1', 'bearer.good'])
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
    ({ socket }: Client) => socket.close(),
    ({ socket }: Client) => socket.close(4000, 'Received too big message'),
    ({ socket }: Client) => socket.terminate(),
  ]) {
    const client = await Client.open(front)
    leave(client)
    await client.until(() => client.closed !== null)
    while (front.server.open.sockets > 0) await new Promise(setImmediate)
  }
  t.equal(front.pipeline.rejections.length, 0)
})

test('ends every chat as client_gone when the socket closes, in whatever state it is', async (t) => {
  for (const way of ['close', 'terminate'] as const) {
    const front = await startFront(t, {
      script: (exchange) => (exchange.text.includes('begun') ? exchange.begin().follow() : exchange),
    })
    const client = await Client.open(front)
    client.chat('1', { model: 'begun' })
    client.chat('2', { model: 'waiting' })
    while (front.pipeline.exchanges.length < 2) await new Promise(setImmediate)
    const [begun, waiting] = front.pipeline.exchanges
    client.socket[way]()
    t.equal((await begun?.delivered)?.result, 'client_gone')
    await waiting?.cancelled
    t.equal(begun?.cancels, 0)
    t.equal(begun?.deliveries.length, 1)
    t.equal(waiting?.cancels, 1)
    while (front.server.open.sockets > 0) await new Promise(setImmediate)
  }
})

test('gives a slow reader every event of every chat in order', async (t) => {
  const events = 400
  const front = await startFront(t, {
    script: (exchange) => {
      exchange.begin().follow()
      for (let i = 0; i < events; i++) exchange.frame(JSON.stringify({ i, pad: 'p'.repeat((i * 37) % 20_000) }))
      exchange.frame('[DONE]')
      exchange.end()
    },
  })
  const client = await Client.open(front)
  const pauses = setInterval(() => {
    client.socket.pause()
    setTimeout(() => client.socket.resume(), 5)
  }, 10)
  const ids = ['a', 'b', 'c']
  for (const id of ids) client.chat(id)
  for (const id of ids) await client.ending(id)
  clearInterval(pauses)
  for (const id of ids) {
    const seen = client.got.filter((message) => message.id === id && message.type === 'event')
    t.strictSame(
      seen.map(({ seq }) => seq),
      Array.from({ length: events }, (_, i) => i),
    )
    t.ok(
      seen.every(
        ({ data }, i) =>
          isJsonObject(data ?? null) &&
          JSON.stringify(data) === JSON.stringify({ i, pad: 'p'.repeat((i * 37) % 20_000) }),
      ),
    )
  }
  client.socket.close()
})

test('cuts a socket that stays full with 1013, all its chats as slow_reader, and no hole before', async (t) => {
  const front = await startFront(t, { config: { readerStallMs: 200 }, script: (exchange) => exchange.begin().follow() })
  const client = await Client.open(front)
  client.chat('flood')
  client.chat('calm')
  while (front.pipeline.exchanges.length < 2) await new Promise(setImmediate)
  client.socket.pause()
  const [flood, calm] = front.pipeline.exchanges
  for (let i = 0; i < 400; i++) flood?.frame(`{"pad":"${'p'.repeat(50_000)}"}`)
  t.equal((await flood?.delivered)?.result, 'slow_reader')
  t.equal((await calm?.delivered)?.result, 'slow_reader')
  client.socket.resume()
  await client.until(() => client.closed !== null)
  t.equal(client.closed?.code, 1013)
  t.strictSame(
    client.got.map(({ seq }) => seq),
    client.got.map((_, i) => i),
  )
  t.equal(flood?.deliveries.length, 1)
  t.ok(client.got.length < 400)
})

test('cuts a socket whose log has moved on', async (t) => {
  const front = await startFront(t, { script: (exchange) => exchange.begin().follow() })
  front.pipeline.capBytes = 500_000
  const client = await Client.open(front)
  client.chat('lag')
  while (front.pipeline.exchanges.length < 1) await new Promise(setImmediate)
  client.socket.pause()
  const [lag] = front.pipeline.exchanges
  for (let i = 0; i < 1000 && lag?.deliveries.length === 0; i++) {
    lag.frame(`{"pad":"${'p'.repeat(50_000)}"}`)
    await new Promise(setImmediate)
  }
  t.equal((await lag?.delivered)?.result, 'slow_reader')
  client.socket.terminate()
})

test('lets a calm chat through while another floods the socket', async (t) => {
  const front = await startFront(t, { script: (exchange) => exchange.begin().follow() })
  const client = await Client.open(front)
  client.chat('flood')
  client.chat('calm')
  while (front.pipeline.exchanges.length < 2) await new Promise(setImmediate)
  const [flood, calm] = front.pipeline.exchanges
  client.socket.pause()
  for (let i = 0; i < 600; i++) flood?.frame(`{"pad":"${'p'.repeat(20_000)}"}`)
  await new Promise(setImmediate)
  calm?.frame('{"calm":true}')
  calm?.end()
  client.socket.resume()
  await client.ending('calm')
  t.ok(client.got.filter(({ id }) => id === 'flood').length < 600)
  client.socket.terminate()
})
