// Chats on a socket, with a real client: what each of them gets, and nothing of the others.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { type JsonObject } from '../../../src/model/json.js'
import { type Surface } from '../../../src/protocols/contract/protocol.js'
import { pack } from '../../../src/wire/pack.js'
import { answerWith, ChatClient, REQUEST } from '../../helpers/chat-client.js'
import { COMPLETE, type FakeExchange, fakeSurface } from '../../helpers/fake-pipeline.js'
import { startFront } from '../../helpers/front.js'
import { CUT } from '../../helpers/kept.js'

test('streams a chat as events, then done with outcome and usage', async (t) => {
  const front = await startFront(t, { script: answerWith('{"n":0}', '{"n":"é\\n"}', '[DONE]') })
  const client = await ChatClient.open(front)
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
  const client = await ChatClient.open(front)
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
  const client = await ChatClient.open(front)
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
  const client = await ChatClient.open(front, ['sluice.v1.msgpack'])
  t.equal(client.socket.protocol, 'sluice.v1.msgpack')
  client.socket.send(pack({ type: 'chat', id: 'm', request: REQUEST }))
  const done = await client.ending('m')
  t.strictSame(client.got[0], { type: 'event', id: 'm', seq: 0, data: { n: [1, null, 'é'] } })
  t.equal(client.got.length, 2)
  t.equal(done.outcome, 'complete')
  t.strictSame(JSON.parse(front.pipeline.exchanges[0]?.text ?? ''), { ...REQUEST, stream: true })
  client.socket.close()
})

test('keeps chats on one socket apart: an end, an error and a cancel touch only their own', async (t) => {
  const front = await startFront(t, { script: (exchange) => exchange.begin().follow() })
  const client = await ChatClient.open(front)
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
  const client = await ChatClient.open(front)
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
  const client = await ChatClient.open(front)
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
  const client = await ChatClient.open(front)
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
  const client = await ChatClient.open(front)
  const members = `"n":12345678901234567890,"n":1e400,"a":${'['.repeat(50_000)}${']'.repeat(50_000)}`
  client.socket.send(`{"type":"chat","id":"raw","request":{${members}}}`)
  t.match(await client.ending('raw'), { outcome: 'complete' })
  t.equal(front.pipeline.exchanges[0]?.text, `{"stream":true,${members}}`)
  client.socket.close()
})

test('answers a frame of the wrong kind with an error and continues the chats of the socket', async (t) => {
  const front = await startFront(t, { script: answerWith('{"n":0}') })
  const text = await ChatClient.open(front)
  text.socket.send(Buffer.from('{"type":"chat","id":"x","request":{}}'))
  await text.until(() => text.got.length > 0)
  const message = 'The subprotocol sluice.v1 requires text frames.'
  t.match(text.got, [{ type: 'error', id: null, error: { code: 'invalid_request', message } }])
  text.chat('a')
  t.match(await text.ending('a'), { type: 'done', outcome: 'complete' })
  text.socket.close()
  const binary = await ChatClient.open(front, ['sluice.v1.msgpack'])
  binary.send({ type: 'ping' })
  binary.socket.send(pack({ type: 'ping' }))
  await binary.until(() => binary.got.length === 2)
  t.match(binary.got, [
    { error: { message: 'The subprotocol sluice.v1.msgpack requires binary frames.' } },
    { type: 'pong' },
  ])
  binary.socket.close()
})

test('ends every chat as client_gone when the socket closes, in whatever state it is', async (t) => {
  for (const way of ['close', 'terminate'] as const) {
    const front = await startFront(t, {
      script: (exchange) => (exchange.text.includes('begun') ? exchange.begin().follow() : exchange),
    })
    const client = await ChatClient.open(front)
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
