// Kept streams on a WebSocket: opened, numbered, taken up on another socket, and stopped. websocket.test.ts has the rest of what clients say.
import { once } from 'node:events'
import { unpack } from 'msgpackr'
import { test } from 'tap'
import { WebSocket } from 'ws'
import { GatewayError } from '../../../src/errors.js'
import { isJsonObject, type JsonObject } from '../../../src/model/json.js'
import { HandOver } from '../../../src/streams/kept/hand-over.js'
import { MAX_READERS } from '../../../src/streams/kept/readable-log.js'
import { pack } from '../../../src/wire/pack.js'
import { type FakeExchange, fakeSurface, type Script } from '../../helpers/fake-pipeline.js'
import { type FrontOptions } from '../../helpers/front.js'
import { COMPLETE, CUT, frame, turn } from '../../helpers/kept.js'
import { type KeptFront, startKeptFront } from '../../helpers/kept-front.js'

const REQUEST = { model: 'fast', messages: [] }

/** A client that keeps what it gets. */
class Client {
  readonly got: JsonObject[] = []
  readonly socket: WebSocket
  readonly #isPacked: boolean
  #wake: () => void = () => {}

  constructor(socket: WebSocket, isPacked: boolean) {
    this.socket = socket
    this.#isPacked = isPacked
    socket.on('message', (bytes: Buffer) => {
      const message: unknown = isPacked ? unpack(bytes) : JSON.parse(bytes.toString())
      if (isJsonObject(message)) this.got.push(message)
      this.#wake()
    })
  }

  send(message: JsonObject): void {
    this.socket.send(this.#isPacked ? pack(message) : JSON.stringify(message))
  }

  /** Resolves once so many messages have come, with all of them. */
  async count(count: number): Promise<JsonObject[]> {
    while (this.got.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.got
  }

  /** All there is, once it has answered. */
  async settled(): Promise<JsonObject[]> {
    this.send({ type: 'ping' })
    while (this.got.at(-1)?.type !== 'pong') await turn()
    this.got.pop()
    return this.got
  }
}

async function connect(front: KeptFront, key = 'a', protocol = 'sluice.v1'): Promise<Client> {
  const headers = { authorization: `Bearer ${key}` }
  const socket = new WebSocket(`ws://127.0.0.1:${front.port}/v1/ws`, [protocol], { headers })
  const client = new Client(socket, protocol.endsWith('msgpack'))
  await once(socket, 'open')
  return client
}

/** A front whose exchanges the test writes. */
const FOLLOW: Script = (each) => void each.begin().follow()

async function start(t: Parameters<typeof startKeptFront>[0], script = FOLLOW, options: FrontOptions['options'] = {}) {
  const front = await startKeptFront(t, { script, options })
  const latest = (): FakeExchange => {
    const exchange = front.pipeline.exchanges.at(-1)
    if (exchange === undefined) throw new Error('nothing was asked')
    return exchange
  }
  return { front, latest }
}

const idOf = (message: JsonObject | undefined): string => String(message?.stream)

test('a kept chat is opened first; its events have the numbers of its frames, and so has its end', async (t) => {
  for (const protocol of ['sluice.v1', 'sluice.v1.msgpack']) {
    const { front, latest } = await start(t)
    const client = await connect(front, 'a', protocol)
    client.send({ type: 'chat', id: 'x', resume: true, request: REQUEST })
    const [opened] = await client.count(1)
    t.match(opened, { type: 'opened', id: 'x', stream: /^str_00[\w-]{22}$/, requestId: latest().request.requestId })
    t.ok(front.streams.find(idOf(opened), 'a'))
    // Two frames in one entry, and one without data.
    latest().log.append(Buffer.from('data: {"n":0}\n\n: nothing\n\ndata: {"n":1}\n\n'))
    latest().frame('[DONE]')
    latest().end()
    t.match((await client.count(4)).slice(1), [
      { type: 'event', id: 'x', seq: 0, data: { n: 0 } },
      { type: 'event', id: 'x', seq: 1, data: { n: 1 } },
      { type: 'done', id: 'x', seq: 2, outcome: 'complete' },
    ])
    t.same(front.counters.readers, ['first delivered'])
    client.socket.terminate()
  }
})

test('the error of a kept chat has the number after its last frame', async (t) => {
  const { front, latest } = await start(t)
  const client = await connect(front)
  t.teardown(() => client.socket.terminate())
  client.send({ type: 'chat', id: 'x', resume: true, request: REQUEST })
  await client.count(1)
  latest().frame('{"n":0}')
  latest().end(CUT)
  t.match((await client.count(3))[2], {
    type: 'error',
    id: 'x',
    seq: 1,
    outcome: 'upstream_cut',
    error: { code: 'upstream_cut' },
  })
  const stream = idOf(client.got[0])
  client.send({ type: 'resume', id: 'y', stream, after: 0 })
  t.match((await client.count(4))[3], { type: 'error', id: 'y', seq: 1, requestId: latest().request.requestId })
})

test('a lost socket stops its chats but those that are kept, which another socket takes up where the first one was', async (t) => {
  const { front, latest } = await start(t)
  const first = await connect(front)
  first.send({ type: 'chat', id: 'plain', request: REQUEST })
  while (front.pipeline.exchanges.length < 1) await turn()
  const plain = latest()
  first.send({ type: 'chat', id: 'kept', resume: true, request: REQUEST })
  const stream = idOf((await first.count(1))[0])
  const kept = latest()
  kept.frame('{"n":0}')
  await first.count(2)
  first.socket.terminate()
  t.equal((await plain.delivered).result, 'client_gone')
  kept.frame('{"n":1}')
  kept.frame('{"n":2}')
  while (front.server.open.sockets > 0) await turn()
  t.same([kept.deliveries, kept.cancels, kept.abandons], [[], 0, 0], 'it goes on')
  const second = await connect(front)
  t.teardown(() => second.socket.terminate())
  second.send({ type: 'resume', id: 'again', stream, after: 0 })
  await second.count(2)
  kept.frame('[DONE]')
  kept.end()
  t.match(await second.count(3), [
    { type: 'event', id: 'again', seq: 1, data: { n: 1 } },
    { type: 'event', id: 'again', seq: 2, data: { n: 2 } },
    { type: 'done', id: 'again', seq: 3, outcome: 'complete', requestId: kept.request.requestId },
  ])
  t.equal((await kept.delivered).result, 'delivered', 'settled once, at its own end')
  second.send({ type: 'resume', id: 'all', stream })
  t.match(
    (await second.count(7)).slice(3).map(({ type, seq }) => `${type} ${seq}`),
    ['event 0', 'event 1', 'event 2', 'done 3'],
  )
  second.send({ type: 'resume', id: 'none', stream, after: 3 })
  t.match((await second.count(8))[7], { type: 'done', id: 'none', seq: 3 }, 'nothing is left but the end')
})

test('a stream that began over HTTP is taken up on a socket, lines of JSON as well', async (t) => {
  const { front } = await start(t)
  const client = await connect(front)
  t.teardown(() => client.socket.terminate())
  const sse = front.begin()
  sse.append(frame('{"n":0}'))
  const lines = front.begin({ framing: 'ndjson' })
  lines.append(Buffer.from('{"n":0}\n{"n":1}\n'))
  for (const each of [sse, lines]) each.close(COMPLETE)
  client.send({ type: 'resume', id: 's', stream: sse.facts.id })
  t.match(await client.count(2), [{ type: 'event', seq: 0, data: { n: 0 } }, { type: 'done' }])
  client.send({ type: 'resume', id: 'n', stream: lines.facts.id, after: 0 })
  t.match((await client.count(4)).slice(2), [
    { type: 'event', id: 'n', seq: 1, data: { n: 1 } },
    { type: 'done', id: 'n' },
  ])
})

test('cancel stops a kept chat for all its readers, whichever socket sends it', async (t) => {
  const { front, latest } = await start(t)
  const first = await connect(front)
  const second = await connect(front)
  t.teardown(() => first.socket.terminate())
  t.teardown(() => second.socket.terminate())
  first.send({ type: 'chat', id: 'x', resume: true, request: REQUEST })
  const stream = idOf((await first.count(1))[0])
  second.send({ type: 'resume', id: 'y', stream })
  latest().frame('{"n":0}')
  await second.count(1)
  second.send({ type: 'cancel', id: 'y' })
  t.match((await second.count(2))[1], { type: 'done', id: 'y', outcome: 'client_gone' })
  t.equal((await latest().delivered).result, 'client_gone')
  t.match((await first.count(3))[2], { type: 'error', id: 'x', seq: 1, outcome: 'client_gone' })
})

test('a gap is reported, with the number of the first frame that is held', async (t) => {
  const { front } = await start(t)
  const client = await connect(front)
  t.teardown(() => client.socket.terminate())
  const stream = front.begin({}, { maxStreamBytes: 64 * 1024 })
  for (let n = 0; n < 200; n++) {
    stream.append(frame(`{"n":${n},"fill":"${'x'.repeat(1000)}"}`))
    await turn()
  }
  client.send({ type: 'resume', id: 'y', stream: stream.facts.id, after: 3 })
  const [gone] = await client.count(1)
  t.match(gone, { type: 'error', id: 'y', first: stream.first, error: { code: 'stream_gone', type: 'fake' } })
  t.same(front.counters.readers, ['resume gone'])
  client.send({ type: 'resume', id: 'y', stream: stream.facts.id, after: stream.first - 1 })
  t.match((await client.count(2))[1], { type: 'event', id: 'y', seq: stream.first })
})

test('a stream of another API is refused in the words of the socket, whose codes say whether to come again', async (t) => {
  const other = {
    ...fakeSurface,
    id: 'other',
    encodeError: () => ({ status: 410, body: { error: { type: 'no code' } } }),
  }
  const { front } = await start(t, FOLLOW, { surfaces: [fakeSurface, other] })
  const client = await connect(front)
  t.teardown(() => client.socket.terminate())
  const gone = front.begin({ surfaceId: 'other' }, { maxStreamBytes: 4096 })
  for (let n = 0; n < 20; n++) {
    gone.append(frame(`{"fill":"${'x'.repeat(1000)}"}`))
    await turn()
  }
  client.send({ type: 'resume', id: 'gone', stream: gone.facts.id })
  const crowded = front.begin({ surfaceId: 'other' })
  for (let i = 0; i < MAX_READERS; i++) crowded.hold()
  client.send({ type: 'resume', id: 'crowded', stream: crowded.facts.id })
  t.match(await client.count(2), [
    { id: 'gone', error: { code: 'stream_gone' } },
    { id: 'crowded', error: { code: 'rate_limited' } },
  ])
})

test('a stream that has as many readers as it may have takes no further one', async (t) => {
  const { front } = await start(t)
  const client = await connect(front)
  t.teardown(() => client.socket.terminate())
  const stream = front.begin()
  for (let i = 0; i < MAX_READERS; i++) stream.hold()
  client.send({ type: 'resume', id: 'y', stream: stream.facts.id })
  t.match(await client.count(1), [{ type: 'error', id: 'y', error: { code: 'rate_limited' } }])
  t.equal(stream.readerCount, MAX_READERS)
})

test('a stream from elsewhere that cannot be attached ends its chat and nothing else', async (t) => {
  const { front } = await start(t)
  const client = await connect(front)
  t.teardown(() => client.socket.terminate())
  const stream = front.begin()
  const { facts } = stream
  const broken = Object.assign(Object.create(stream), {
    facts,
    attach: () => {
      throw new Error('no way there')
    },
  })
  Object.defineProperties(broken, { first: { value: 0 }, isCrowded: { value: false } })
  front.streams.reach = () => Promise.resolve(broken)
  const refused = { type: 'error', id: 'y', error: { code: 'internal' } }
  client.send({ type: 'resume', id: 'y', stream: facts.id })
  t.match(await client.count(1), [refused])
  client.send({ type: 'resume', id: 'y', stream: facts.id })
  t.match(await client.count(2), [refused, refused], 'its id is free again')
})

test('not there and not yours are one answer', async (t) => {
  const { front } = await start(t)
  const client = await connect(front, 'b')
  t.teardown(() => client.socket.terminate())
  const mine = front.begin()
  const odd = front.begin({ owner: 'b', surfaceId: 'gone' })
  const asks: JsonObject[] = [
    { stream: mine.facts.id },
    { stream: odd.facts.id },
    { stream: `str_00${'A'.repeat(22)}` },
    { stream: 'x', after: 3 },
    { stream: 7 },
    {},
  ]
  for (const ask of asks) client.send({ type: 'resume', id: 'y', ...ask })
  const told = await client.count(asks.length)
  t.equal(new Set(told.map((each) => JSON.stringify(each))).size, 1)
  t.match(told[0], { type: 'error', id: 'y', error: { message: 'No such stream.', code: 'not_found' } })
})

test('a resume needs an id that is free, a place on the socket, and a cursor that is a number', async (t) => {
  const { front } = await start(t)
  const client = await connect(front)
  t.teardown(() => client.socket.terminate())
  const stream = front.begin().facts.id
  const refused = async (message: JsonObject): Promise<JsonObject> => {
    client.got.length = 0
    client.send({ type: 'resume', ...message })
    return (await client.count(1))[0] ?? {}
  }
  for (const after of [-1, 1.5, '17', true]) {
    t.match(await refused({ id: 'y', stream, after }), { type: 'error', id: 'y', error: { param: 'after' } })
  }
  t.match(await refused({ stream }), { type: 'error', id: null, error: { param: 'id' } })
  for (const id of ['1', '2', '3', '4']) client.send({ type: 'resume', id, stream })
  t.match(await refused({ id: '4', stream }), { type: 'error', id: '4', error: { param: 'id' } })
  t.match(await refused({ id: '5', stream }), { type: 'error', id: '5', error: { code: 'rate_limited' } })
  front.pipeline.keys = ['b']
  front.reload()
  t.match(await refused({ id: '6', stream }), { type: 'error', id: '6', error: { code: 'unauthenticated' } })
})

test('a chat without room is not kept: no opened, numbers as ever, and it ends with its socket', async (t) => {
  const { front, latest } = await start(t)
  front.budget.maxBytes = 0
  const client = await connect(front)
  client.send({ type: 'chat', id: 'x', resume: true, request: REQUEST })
  while (front.pipeline.exchanges.length < 1) await turn()
  latest().log.append(Buffer.from('data: {"n":0}\n\ndata: {"n":1}\n\n'))
  t.match(await client.count(2), [
    { type: 'event', id: 'x', seq: 0 },
    { type: 'event', id: 'x', seq: 1 },
  ])
  t.same(front.counters.notKept, ['gateway'])
  client.socket.terminate()
  t.equal((await latest().delivered).result, 'client_gone')
})

test('a chat that is lost before its stream begins is cancelled, kept or not', async (t) => {
  const { front, latest } = await start(t, () => {})
  const client = await connect(front)
  client.send({ type: 'chat', id: 'x', resume: true, request: REQUEST })
  while (front.pipeline.exchanges.length < 1) await turn()
  client.socket.terminate()
  await latest().cancelled
  t.equal(front.streams.size, 0)
})

test('a chat that goes on at another node closes its socket with 1012, once no other chat needs it', async (t) => {
  const { front, latest } = await start(t)
  const handOver = new HandOver()
  const stored: number[] = []
  front.streams.join({
    ...{
      opened() {},
      copies() {},
      storeOrigin() {},
      cancelled() {},
      find: () => Promise.resolve(null),
      isShared: () => true,
    },
    ...{ handOver: () => handOver.begin(), close: () => Promise.resolve() },
    movable: (_stream, reader, { onReadable }) => {
      const isStored = (number: number): Promise<boolean> => Promise.resolve(stored.push(number) > 0)
      return handOver.hold({ reader, onReadable, stored: isStored })
    },
  })
  const [mixed, alone] = [await connect(front), await connect(front)]
  const closes = [mixed, alone].map(async ({ socket }) => {
    const [code, reason] = await once(socket, 'close')
    return `${code} ${reason}`
  })
  mixed.send({ type: 'chat', id: 'plain', request: REQUEST })
  while (front.pipeline.exchanges.length < 1) await turn()
  const plain = latest()
  mixed.send({ type: 'chat', id: 'kept', resume: true, request: REQUEST })
  const stream = idOf((await mixed.count(1))[0])
  const kept = latest()
  alone.send({ type: 'resume', id: 'again', stream })
  kept.frame('{"n":0}')
  await Promise.all([mixed.count(2), alone.count(1)])
  front.streams.leave()
  kept.frame('{"n":1}')
  t.equal(await closes[1], '1012 moved')
  t.same(stored.sort(), [1, 1], 'after the frames that were sent')
  plain.frame('{"p":0}')
  t.match((await mixed.count(3)).slice(2), [{ type: 'event', id: 'plain', seq: 0 }], 'the other chat goes on')
  t.same([kept.deliveries, kept.cancels], [[], 0])
  plain.frame('[DONE]')
  plain.end()
  t.equal(await closes[0], '1012 moved')
  t.match(mixed.got.at(-1), { type: 'done', id: 'plain' }, 'nothing of the one that moved')
  t.equal(mixed.got.length, 4)
  t.same(front.counters.readers.sort(), ['first moved', 'resume moved'])
})

test('a stream that lives elsewhere is waited for: its id is taken meanwhile, and may be cancelled', async (t) => {
  const { front } = await start(t)
  const client = await connect(front)
  t.teardown(() => client.socket.terminate())
  const stream = front.begin()
  stream.append(frame('{"n":0}'))
  const arrivals: (() => void)[] = []
  const near = front.streams.reach.bind(front.streams)
  front.streams.reach = (id, owner) =>
    new Promise((resolve, reject) => {
      arrivals.push(() => (id === 'lost' ? reject(new GatewayError('overloaded')) : resolve(near(id, owner))))
    })
  client.send({ type: 'resume', id: 'kept', stream: stream.facts.id })
  client.send({ type: 'resume', id: 'kept', stream: stream.facts.id })
  client.send({ type: 'resume', id: 'cancelled', stream: stream.facts.id })
  client.send({ type: 'resume', id: 'lost', stream: 'lost' })
  client.send({ type: 'cancel', id: 'cancelled' })
  t.match(await client.settled(), [
    { type: 'error', id: 'kept', error: { param: 'id' } },
    { type: 'done', id: 'cancelled', outcome: 'client_gone' },
  ])
  for (const arrive of arrivals) arrive()
  t.match(
    (await client.count(4)).slice(2).sort((a, b) => String(a.id).localeCompare(String(b.id))),
    [
      { type: 'event', id: 'kept', seq: 0 },
      { type: 'error', id: 'lost', error: { code: 'overloaded' } },
    ],
  )
  t.equal(stream.readerCount, 1)
  client.send({ type: 'resume', id: 'late', stream: stream.facts.id })
  while (arrivals.length < 4) await turn()
  client.socket.terminate()
  while (front.server.open.sockets > 0) await turn()
  arrivals[3]?.()
  await turn()
  t.equal(stream.readerCount, 0, 'a client that is gone attaches nothing')
})
