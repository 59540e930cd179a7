// Sockets whose client reads slowly, or not at all, with a real client: every event in order, or the end, and never a hole.
import { test } from 'tap'
import { isJsonObject } from '../../../src/model/json.js'
import { ChatClient } from '../../helpers/chat-client.js'
import { startFront } from '../../helpers/front.js'

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
  const client = await ChatClient.open(front)
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
  const client = await ChatClient.open(front)
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
  const client = await ChatClient.open(front)
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
  const client = await ChatClient.open(front)
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
