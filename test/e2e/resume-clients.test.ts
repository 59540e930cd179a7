// Real clients over connections that are cut at random, head included: every word once, none failed. `npm run soak:resume` is the
// same with a thousand streams.
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { test } from 'tap'
import { WebSocket } from 'ws'
import { resumingFetch, SluiceSocket } from '../../src/client/index.js'
import { runCutLoad } from '../helpers/cut-load.js'
import { simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { Random } from '../helpers/random.js'

const STREAMS = 40

test('every kind of client reads every word once, however its connections are cut', async (t) => {
  for (const threads of [1, 2]) {
    const random = Random.ofRun()
    const { faults, cut, resumed } = await runCutLoad(t, { streams: STREAMS, atOnce: 10, threads, random })
    t.same(faults, [], `SEED=${random.seed}`)
    t.ok(cut > STREAMS, `${cut} connections cut`)
    t.ok(resumed > STREAMS / 2, `${resumed} resumed`)
  }
})

test('over HTTP each stream is asked of the provider once, also if its connection was lost before its head', async (t) => {
  for (const threads of [1, 2]) {
    const random = Random.ofRun()
    const kinds = ['openai', 'anthropic', 'eventSource']
    const { faults, asked } = await runCutLoad(t, { streams: STREAMS, atOnce: 10, threads, random, kinds })
    t.same(faults, [], `SEED=${random.seed}`)
    t.equal(asked, STREAMS, `SEED=${random.seed}`)
  }
})

test('a client that stops ends the stream at the gateway at once, however long its grace', async (t) => {
  const simulator = await startSimulator(t, ['--tokens-per-second', '50'])
  const streams = { graceMs: 3_600_000 }
  const gateway = await startGateway(t, { config: { streams, providers: simulatedProviders(simulator.origin) } })
  const request = {
    model: 'openai/lorem-max',
    max_tokens: 5000,
    stream: true as const,
    messages: [{ role: 'user' as const, content: 'Go on' }],
  }
  const options = { apiKey: 'none', maxRetries: 0, fetch: resumingFetch() }
  const openai = new OpenAI({ ...options, baseURL: `${gateway.origin}/v1` })
  const anthropic = new Anthropic({ ...options, baseURL: gateway.origin })
  const socket = new SluiceSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, { WebSocket })
  t.teardown(() => socket.close())

  const left = await openai.chat.completions.create(request).withResponse()
  for await (const _ of left.data) break
  const aborted = await openai.chat.completions.create(request).withResponse()
  await aborted.data[Symbol.asyncIterator]().next()
  aborted.data.controller.abort()
  const other = anthropic.messages.stream(request)
  const { response } = await other.withResponse()
  other.once('text', () => other.abort())
  await other.done().catch(() => undefined)
  for (const { headers } of [left.response, aborted.response, response]) {
    t.match(await gateway.exchange(headers.get('x-request-id') ?? ''), { outcome: 'client_gone' })
  }

  const chat = socket.chat(request)
  const opened = new Promise<string>((resolve) => chat.on('opened', ({ requestId }) => resolve(requestId)))
  for await (const _ of chat) break
  t.match(await gateway.exchange(await opened), { outcome: 'client_gone' })
})
