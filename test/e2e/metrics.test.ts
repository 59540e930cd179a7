// The metrics of a running gateway tell the truth: gauges come back to zero whatever happened, labels are closed.

import { once } from 'node:events'
import { t as tap, test } from 'tap'
import { request } from 'undici'
import WebSocket from 'ws'
import { type Running, simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { parsePage, type Sample, sampleValue } from '../helpers/prometheus.js'

type Chat = { readonly model: string; readonly stream?: boolean; readonly max_tokens?: number }

async function send(gateway: Running, chat: Chat, signal?: AbortSignal) {
  return request(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ max_tokens: 20, messages: [{ role: 'user', content: 'Hi' }], ...chat }),
    ...(signal === undefined ? {} : { signal }),
  })
}

async function ask(gateway: Running, chat: Chat): Promise<void> {
  const answer = await send(gateway, chat)
  await answer.body.dump()
  await gateway.exchange(String(answer.headers['x-request-id']))
}

async function scrape(gateway: Running): Promise<readonly Sample[]> {
  return parsePage(await (await request(`${gateway.origin}/metrics`)).body.text()).samples
}

const simulator = await startSimulator(tap, ['--tokens-per-second', '300'])
const gateway = await startGateway(tap, { config: { providers: simulatedProviders(simulator.origin) } })

test('gauges show what is open, and nothing once it has ended: well, ill, or left by the client', async (t) => {
  const leaving = new AbortController()
  const long = await send(gateway, { model: 'openai/lorem-max', stream: true, max_tokens: 3000 }, leaving.signal)
  await once(long.body, 'readable')
  const during = await scrape(gateway)
  t.equal(sampleValue(during, 'sluice_active_streams', { transport: 'sse' }), 1)
  t.equal(sampleValue(during, 'sluice_active_streams', { transport: 'json' }), 0)
  t.equal(sampleValue(during, 'sluice_active_requests'), 1)
  long.body.on('error', () => undefined)
  leaving.abort()
  await gateway.exchange(String(long.headers['x-request-id']))
  for (const model of ['openai/echo', 'anthropic/echo', 'openai/lorem-max+fault=cut-between-frames', 'nobody/x']) {
    for (const stream of [true, false]) await ask(gateway, { model, stream })
  }
  await chatAndLeave(gateway)
  const after = await scrape(gateway)
  for (const transport of ['sse', 'json', 'websocket']) {
    t.equal(sampleValue(after, 'sluice_active_streams', { transport }), 0, transport)
  }
  t.equal(sampleValue(after, 'sluice_active_requests'), 0)
  t.equal(sampleValue(after, 'sluice_offload_queue'), 0)
})

test('whatever clients call models, providers and paths, the series stay the same', async (t) => {
  await ask(gateway, { model: 'openai/unheard-of' })
  await ask(gateway, { model: 'unheard-of' })
  await (await request(`${gateway.origin}/unheard-of`)).body.dump()
  // Node's own appear with the first garbage collection of a kind, those of connections with the first look at the pools.
  const isOurs = ({ name }: Sample) => name.startsWith('sluice_') && name !== 'sluice_upstream_connections'
  const series = async () => (await scrape(gateway)).filter(isOurs)
  const before = await series()
  for (let i = 0; i < 20; i++) {
    await (await send(gateway, { model: `openai/random-${i}` })).body.dump()
    await (await send(gateway, { model: `random-${i}/"\n\\` })).body.dump()
    await (await request(`${gateway.origin}/random-${i}`)).body.dump()
  }
  const after = await series()
  t.equal(after.length, before.length)
  t.notOk(JSON.stringify(after).includes('random'))
})

async function chatAndLeave(gateway: Running): Promise<void> {
  const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, ['sluice.v1'])
  await once(socket, 'open')
  const chat = { model: 'openai/lorem-max', max_tokens: 3000, messages: [{ role: 'user', content: 'Hi' }] }
  socket.send(JSON.stringify({ type: 'chat', id: 'a', request: chat }))
  await once(socket, 'message')
  socket.terminate()
  await gateway.logLine((line) => line.transport === 'websocket')
}
