// WebSocket mode with a real client and a scripted pipeline: lanes, limits, what the connection keeps, and its end.
import { once } from 'node:events'
import { type Test, test } from 'tap'
import { type ClientOptions, WebSocket } from 'ws'
import { GatewayError } from '../../../src/errors.js'
import { isJsonObject, type JsonObject } from '../../../src/model/json.js'
import { openaiResponses } from '../../../src/protocols/openai-responses/index.js'
import { type Reservation } from '../../../src/server/context.js'
import { type FakeExchange, fakeSurface } from '../../helpers/fake-pipeline.js'
import { type FrontOptions, type RunningFront, startFront } from '../../helpers/front.js'
import { CUT, turn } from '../../helpers/kept.js'
import { storedResponse } from '../../helpers/responses.js'

const { surface } = openaiResponses
if (surface === null) throw new Error('no surface')
const SURFACES = [surface, fakeSurface]

class Client {
  readonly socket: WebSocket
  readonly got: JsonObject[] = []
  closed: { code: number; reason: string } | null = null
  #wake: () => void = () => {}

  constructor(front: RunningFront, options: ClientOptions = {}, protocols: string[] = []) {
    this.socket = new WebSocket(`ws://127.0.0.1:${front.port}/v1/responses`, protocols, options)
    this.socket.on('message', (bytes: Buffer) => {
      const message: unknown = JSON.parse(bytes.toString())
      if (isJsonObject(message)) this.got.push(message)
      this.#wake()
    })
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() }
      this.#wake()
    })
    this.socket.on('error', () => {})
  }

  create(model: string, lane: string | null = null, more: object = {}): void {
    const named = lane === null ? {} : { stream_id: lane }
    this.socket.send(JSON.stringify({ type: 'response.create', model, ...named, ...more }))
  }

  async until(isMet: () => boolean): Promise<void> {
    while (!isMet()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async count(count: number): Promise<JsonObject[]> {
    await this.until(() => this.got.length >= count)
    return this.got
  }
}

async function start(t: Test, { options, ...rest }: FrontOptions = {}) {
  const front = await startFront(t, { script: () => undefined, ...rest, options: { surfaces: SURFACES, ...options } })
  const exchanges = front.pipeline.exchanges
  /** The exchange of a model, once it has begun. */
  const begun = async (model: string): Promise<FakeExchange> => {
    for (;;) {
      const found = exchanges.find(({ text }) => JSON.parse(text).model === model)
      if (found !== undefined) return found
      await turn()
    }
  }
  const open = async (given?: ClientOptions, protocols?: string[]): Promise<Client> => {
    const client = new Client(front, given, protocols)
    t.teardown(() => client.socket.terminate())
    await once(client.socket, 'open')
    return client
  }
  return { front, exchanges, begun, open }
}

const idOf = (exchange: FakeExchange, id: string): void => {
  exchange.frame(`{"type":"response.created","response":{"id":"${id}"}}`)
}

test('turns of a lane follow each other, lanes run side by side, and turns without one are a lane, too', async (t) => {
  const { exchanges, begun, open } = await start(t, { config: { maxChatsPerSocket: 8 } })
  const client = await open()
  for (const model of ['a1', 'a2', 'a3']) client.create(model, 'a')
  client.create('b1', 'b')
  client.create('n1')
  client.create('n2')
  const [a1, b1, n1] = [await begun('a1'), await begun('b1'), await begun('n1')]
  for (let i = 0; i < 5; i++) await turn()
  t.same(exchanges.length, 3, 'the others wait')
  t.same(JSON.parse(a1.text), { model: 'a1', stream: true })
  t.match(a1.request, { surface: { id: 'openai-responses' }, origin: { path: '/v1/responses', socket: { chat: 'a' } } })
  for (const each of [a1, b1, n1]) each.begin().follow()
  b1.frame('{"n":1}')
  a1.frame('{"n":2}')
  n1.frame('{"n":3}')
  b1.frame('{"n":4}')
  const got = await client.count(4)
  t.same(
    got.filter(({ stream_id }) => stream_id === 'b'),
    [
      { n: 1, stream_id: 'b' },
      { n: 4, stream_id: 'b' },
    ],
  )
  t.ok(got.some((each) => each.n === 2 && each.stream_id === 'a'))
  t.ok(got.some((each) => each.n === 3 && !('stream_id' in each)))
  b1.end()
  n1.end()
  const n2 = await begun('n2')
  t.equal(exchanges.length, 4, 'the end of one lane starts no turn of another')
  a1.end()
  const a2 = await begun('a2')
  a2.reply(
    400,
    '{"error":{"message":"no","type":"t","param":null,"code":null}}',
    new GatewayError('invalid_request').data,
  )
  t.equal((await begun('a3')).sink.transport, 'websocket', 'a failed turn ends no lane')
  t.same((await client.count(5))[4], {
    type: 'error',
    status: 400,
    error: { message: 'no', type: 't', param: null, code: null },
    stream_id: 'a',
  })
  n2.begin().follow()
  n2.end()
})

test('a stream that breaks ends with its error, which has a status, and its failed answer; the lane goes on', async (t) => {
  const { begun, open } = await start(t)
  const client = await open()
  client.create('m1', 'a')
  client.create('m2', 'a')
  const m1 = await begun('m1')
  const format = {
    keepaliveFrame: '',
    encodeErrorFrame: (error: typeof CUT.error) =>
      surface.encodeErrorFrame(error ?? new GatewayError('internal').data, 'r'),
  }
  m1.sink.begin({ headers: [], contentType: 'text/event-stream', transport: 'sse' }, format)
  m1.follow()
  m1.frame('{"type":"response.created","response":{"id":"resp_1"}}')
  m1.end(CUT)
  t.match(await client.count(3), [
    { type: 'response.created', stream_id: 'a' },
    { type: 'error', status: 502, code: 'upstream_cut', stream_id: 'a' },
    { type: 'response.failed', response: { status: 'failed' }, stream_id: 'a' },
  ])
  const m2 = await begun('m2')
  m2.sink.begin({ headers: [], contentType: 'text/event-stream', transport: 'sse' }, format)
  m2.follow()
  m2.frame('{"n":1}{"n":2}')
  t.match((await client.count(5)).slice(3), [{ type: 'error', status: 502 }, { type: 'response.failed' }])
  t.equal((await m2.delivered).result, 'upstream_cut', 'a frame that is no object is never embedded')
})

test('a client that leaves ends its running turns, and those that wait never begin', async (t) => {
  const { front, exchanges, begun, open } = await start(t)
  const client = await open()
  client.create('a1', 'a')
  client.create('a2', 'a')
  client.create('b1', 'b')
  const a1 = await begun('a1')
  const b1 = await begun('b1')
  b1.begin().follow()
  b1.frame('{"n":1}')
  await client.count(1)
  client.socket.terminate()
  t.equal((await b1.delivered).result, 'client_gone')
  await a1.cancelled
  while (front.server.open.sockets > 0) await turn()
  for (let i = 0; i < 5; i++) await turn()
  t.equal(exchanges.length, 2)
})

test('turns beyond the limit are refused in the words of the API, and each refusal is counted; room comes with each end', async (t) => {
  const { front, begun, open } = await start(t)
  const client = await open()
  for (let n = 0; n < 6; n++) client.create(`m${n}`, `lane${n % 3}`)
  await client.count(2)
  for (const [n, message] of client.got.entries()) {
    const lane = `lane${n + 1}`
    t.match(message, { type: 'error', status: 429, error: { message: String }, stream_id: lane })
  }
  t.match(front.pipeline.rejections, [
    { error: { data: { ownCode: 'websocket_stream_limit_reached' } }, surface: { id: 'openai-responses' } },
    { error: { data: { code: 'rate_limited' } } },
  ])
  const first = await begun('m0')
  first.begin().follow()
  first.end()
  await begun('m3')
  client.create('later', 'lane4')
  await begun('later')
})

test('a flood of turns closes the socket', async (t) => {
  const floods: string[] = []
  const { open } = await start(t, { options: { onFlood: (kind) => floods.push(kind) } })
  const client = await open()
  const text = JSON.stringify({ type: 'response.create', model: 'm' })
  client.socket.on('error', () => {})
  for (let n = 0; n < 500; n++) client.socket.send(text)
  await client.until(() => client.closed !== null)
  t.same([client.closed?.code, floods], [1008, ['messages']])
})

test('the key and what it may do are asked for every turn', async (t) => {
  let isRefused = false
  const refusal = () => (isRefused ? new GatewayError('rate_limited', { retryAfterMs: 1000 }) : null)
  const { front, exchanges, begun, open } = await start(t, { options: { refusal } })
  front.pipeline.keys = ['good', 'other']
  const client = await open({ headers: { authorization: 'Bearer good' } })
  client.create('m1')
  client.create('m2')
  const m1 = await begun('m1')
  t.equal(m1.request.key.name, 'good')
  isRefused = true
  m1.reply(400, '{"error":{"message":"no"}}', new GatewayError('invalid_request').data)
  t.match((await client.count(2))[1], { type: 'error', status: 429 })
  isRefused = false
  front.pipeline.keys = ['other', 'good']
  front.reload()
  client.create('m3')
  await begun('m3')
  front.pipeline.keys = ['other']
  front.reload()
  client.create('m4', 'x')
  t.match((await client.count(3))[2], { type: 'error', status: 401, stream_id: 'x' })
  t.equal(exchanges.length, 2)
})

test('the connection has a shelf of its own, which every turn of it gets and no other connection', async (t) => {
  const { begun, open } = await start(t)
  const client = await open()
  const other = await open()
  client.create('m1', 'a')
  client.create('m2', 'b')
  other.create('m3')
  const [m1, m2, m3] = [await begun('m1'), await begun('m2'), await begun('m3')]
  m1.request.shelf?.put(storedResponse('resp_1'))
  t.match(m2.request.shelf?.get('resp_1'), { id: 'resp_1' })
  t.equal(m3.request.shelf?.get('resp_1'), null)
  client.socket.terminate()
  await m2.cancelled
  while (m2.request.shelf?.get('resp_1') !== null) await turn()
})

test('what is steered cannot be, and the answer says why', async (t) => {
  const { begun, open } = await start(t)
  const client = await open()
  client.create('m1', 'a')
  const m1 = await begun('m1')
  m1.begin().follow()
  idOf(m1, 'resp_1')
  await client.count(1)
  const steer = (id: string) =>
    client.socket.send(JSON.stringify({ type: 'response.steer', previous_response_id: id, input: 'wait' }))
  steer('resp_1')
  t.match((await client.count(2))[1], {
    type: 'response.steer.failed',
    error: { code: 'steering_not_supported' },
    steer: { previous_response_id: 'resp_1', input: 'wait' },
    stream_id: 'a',
  })
  m1.end()
  await m1.delivered
  steer('resp_1')
  steer('resp_2')
  t.match((await client.count(4)).slice(2), [
    { error: { code: 'response_already_completed' } },
    { error: { code: 'response_not_found' } },
  ])
})

test('a connection ends after its time, once what runs on it has ended', async (t) => {
  const { begun, open } = await start(t, { options: { maxSocketAgeMs: 500 } })
  const busy = await open()
  busy.create('m1')
  const m1 = await begun('m1')
  m1.begin().follow()
  // Younger: once its time is over, so is that of the other.
  const idle = await open()
  await idle.until(() => idle.closed !== null)
  const limit = { code: 'websocket_connection_limit_reached', type: 'invalid_request_error' }
  t.match(idle.got, [{ type: 'error', status: 400, error: limit }])
  t.same(idle.closed, { code: 1001, reason: 'websocket_connection_limit_reached' })
  busy.create('late', 'b')
  t.match((await busy.count(1))[0], { type: 'error', status: 400, stream_id: 'b' }, 'new turns are refused')
  t.equal(busy.closed, null)
  const before = busy.got.length
  m1.frame('{"n":1}')
  m1.end()
  await busy.until(() => busy.closed !== null)
  t.ok(
    busy.got.slice(before - 1).some(({ n }) => n === 1),
    'what ran has all of its events',
  )
  t.equal(busy.closed?.code, 1001)
})

test('a slow reader is cut; none of its turns goes on', async (t) => {
  const { begun, open, exchanges } = await start(t, { config: { readerStallMs: 200, maxReaderLagBytes: 256 * 1024 } })
  const client = await open()
  client.create('m1')
  client.create('m2')
  client.create('b1', 'b')
  const [m1, b1] = [await begun('m1'), await begun('b1')]
  m1.begin().follow()
  b1.begin().follow()
  client.socket.pause()
  const filler = 'x'.repeat(64 * 1024)
  for (let n = 0; n < 400; n++) {
    m1.frame(`{"x":"${filler}"}`)
    if (n % 20 === 0) await turn()
  }
  t.equal((await m1.delivered).result, 'slow_reader')
  t.equal((await b1.delivered).result, 'slow_reader')
  for (let i = 0; i < 5; i++) await turn()
  t.equal(exchanges.length, 2, 'no turn begins on it')
  client.socket.resume()
  await client.until(() => client.closed !== null)
})

test('binary frames and messages that cannot be read are answered, and end nothing', async (t) => {
  const { front, begun, open } = await start(t)
  const client = await open()
  client.socket.send(Buffer.from(JSON.stringify({ type: 'response.create', model: 'm' })))
  client.socket.send('no')
  client.create('m1')
  const m1 = await begun('m1')
  await client.count(2)
  for (const message of client.got) t.match(message, { type: 'error', status: 400 })
  t.equal(front.pipeline.rejections.length, 2)
  m1.begin().follow()
  m1.frame('{"n":1}')
  t.same((await client.count(3))[2], { n: 1 })
})

async function refusalOf(front: RunningFront, options: ClientOptions = {}, protocols: string[] = []) {
  const client = new Client(front, options, protocols)
  const [, answer] = await once(client.socket, 'unexpected-response')
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk as Buffer)
  return { status: Number(answer.statusCode), text: Buffer.concat(chunks).toString() }
}

test('the key comes in a header or a subprotocol; without one it is 401, in the form of the API', async (t) => {
  const { front, open } = await start(t)
  front.pipeline.keys = ['good']
  const none = await refusalOf(front)
  t.equal(none.status, 401)
  t.ok(JSON.parse(none.text).error)
  t.equal((await refusalOf(front, {}, ['bearer.good'])).status, 400, 'a browser opens no socket without a subprotocol')
  const browser = await open({}, ['sluice.responses.v1', 'bearer.good'])
  t.equal(browser.socket.protocol, 'sluice.responses.v1')
  const plain = await open({ headers: { authorization: 'Bearer good' } })
  t.equal(plain.socket.protocol, '')
})

test('a message may be as large as the mode has it, and reserves as much; a larger one ends the socket', async (t) => {
  const reserved: number[] = []
  const room: Reservation = {
    grow: (bytes) => {
      reserved.push(bytes)
      return null
    },
    release: () => undefined,
  }
  const { begun, open } = await start(t, { options: { maxTurnBytes: 4000, reserve: () => room } })
  const client = await open()
  t.same(reserved, [4000])
  client.create('m', null, { input: 'x'.repeat(3000) })
  await begun('m')
  client.create('n', null, { input: 'x'.repeat(4000) })
  await client.until(() => client.closed !== null)
  t.match(client.closed, { code: 1006 })
})

test('where the mode is off, or has no room for a socket, it is 426, and GET without an upgrade always', async (t) => {
  const off = await start(t, { options: { hasSocketMode: false } })
  t.equal((await refusalOf(off.front)).status, 426)
  const full: Reservation = { grow: () => new GatewayError('rate_limited'), release: () => undefined }
  const crowded = await start(t, { options: { reserve: () => full } })
  const { status, text } = await refusalOf(crowded.front)
  t.equal(status, 426, 'not 429, which such clients repeat')
  t.match(JSON.parse(text).error, { message: /send POST/ })
  const on = await start(t)
  for (const { front } of [on, off]) {
    const answer = await fetch(`${front.url}/v1/responses`)
    t.equal(answer.status, 426)
    await answer.body?.cancel()
  }
})
