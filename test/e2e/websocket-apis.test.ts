// Every API on one socket: the events of a chat are the frames of the API that it names, and that API's own client reads them.
import { once } from 'node:events'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { t as tap, test } from 'tap'
import WebSocket from 'ws'
import { type ApiRequest, type ChatRequest, SluiceSocket } from '../../src/client/index.js'
import { isJsonObject, type JsonObject } from '../../src/model/json.js'
import { startCuttingProxy } from '../helpers/cutting-proxy.js'
import { simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'
import { answer, chunk, ScriptedUpstream, streamHead, whole } from '../helpers/scripted-upstream.js'

const KEY = 'test-key-0123456789abcdef'
const LIMITED_KEY = 'limited-key-0123456789abcdef'
const PROVIDERS = ['responses', 'openai', 'anthropic', 'google', 'ollama']
const APIS = ['chat', 'messages', 'responses'] as const
type Api = (typeof APIS)[number]

const simulator = await startSimulator(tap)
const HALF = '{"choices":[{"index":0,"delta":{"role":"assistant","content":"Half"},"finish_reason":null}]}'
const cutting = await ScriptedUpstream.listen(
  answer(streamHead(), chunk(`data: ${HALF}\n\n`), { delayMs: 50 }, { end: 'rst' }),
)
const refusing = await ScriptedUpstream.listen(
  answer(whole(400, '{"error":{"message":"No such thing.","type":"invalid_request_error","param":"n","code":null}}')),
)
const held = await ScriptedUpstream.listen(answer(streamHead(), chunk(`data: ${HALF}\n\n`), { stall: true }))
for (const upstream of [cutting, refusing, held]) tap.teardown(() => upstream.close())
const scripted = ({ port }: ScriptedUpstream) => ({ protocol: 'openai-chat', baseUrl: `http://127.0.0.1:${port}/v1` })
const gateway = await startGateway(tap, {
  config: {
    keys: [
      { name: 'test', key: KEY },
      { name: 'limited', key: LIMITED_KEY, limits: { requestsPerMinute: 1 } },
    ],
    providers: {
      ...simulatedProviders(simulator.origin),
      cutting: scripted(cutting),
      refusing: scripted(refusing),
      held: scripted(held),
    },
  },
})

/** A socket, and what came on it, by the id of the chat. */
class Client {
  readonly socket: WebSocket
  readonly got: JsonObject[] = []
  #wake: () => void = () => {}

  constructor(t: Teardown, key: string) {
    const headers = { authorization: `Bearer ${key}`, 'anthropic-version': '2023-06-01' }
    this.socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, ['sluice.v1'], { headers })
    t.teardown(() => this.socket.terminate())
    this.socket.on('message', (bytes: Buffer) => {
      const message: unknown = JSON.parse(bytes.toString())
      if (isJsonObject(message)) this.got.push(message)
      this.#wake()
    })
  }

  static async open(t: Teardown, key = KEY): Promise<Client> {
    const client = new Client(t, key)
    await once(client.socket, 'open')
    return client
  }

  chat(id: string, api: Api, request: object, more: object = {}): void {
    this.socket.send(JSON.stringify({ type: 'chat', id, api, request, ...more }))
  }

  of(id: string): JsonObject[] {
    return this.got.filter((message) => message.id === id)
  }

  /** All of a chat, once it has so many messages, or has ended. */
  async until(id: string, count = Number.POSITIVE_INFINITY): Promise<JsonObject[]> {
    const isOver = () => this.of(id).some(({ type }) => type === 'done' || type === 'error')
    while (!isOver() && this.of(id).length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.of(id)
  }
}

function requestOf(api: Api, model: string, text: string): object {
  const messages = [{ role: 'user', content: text }]
  if (api === 'messages') return { model, max_tokens: 1000, messages }
  return api === 'responses' ? { model, input: text } : { model, messages }
}

/** What the API's own client makes of the events of a chat, as if they had come by HTTP. */
async function textOf(api: Api, events: readonly JsonObject[]): Promise<string> {
  const frames = events.map((event) =>
    api === 'chat' ? `data: ${JSON.stringify(event)}\n\n` : `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`,
  )
  const text = frames.join('') + (api === 'chat' ? 'data: [DONE]\n\n' : '')
  const fetch = async () => new Response(text, { headers: { 'content-type': 'text/event-stream' } })
  const options = { apiKey: 'none', baseURL: 'http://127.0.0.1:1', maxRetries: 0, fetch }
  if (api === 'messages') {
    const stream = new Anthropic(options).messages.stream({ model: 'm', max_tokens: 9, messages: [] })
    return stream.finalText()
  }
  const client = new OpenAI(options)
  if (api === 'responses') return (await client.responses.stream({ model: 'm', input: '' }).finalResponse()).output_text
  const completion = await client.chat.completions.stream({ model: 'm', messages: [] }).finalChatCompletion()
  return completion.choices[0]?.message.content ?? ''
}

const dataOf = (messages: readonly JsonObject[]): JsonObject[] =>
  messages.flatMap(({ type, data }) => (type === 'event' && isJsonObject(data) ? [data] : []))

test('chats of three APIs run side by side on one socket, over every upstream wire, and the client of each reads its own', async (t) => {
  const client = await Client.open(t)
  const cases = APIS.flatMap((api) => PROVIDERS.map((provider) => ({ api, provider, id: `${api}-${provider}` })))
  for (let at = 0; at < cases.length; at += 8) {
    const some = cases.slice(at, at + 8)
    for (const { api, provider, id } of some)
      client.chat(id, api, requestOf(api, `${provider}/echo`, `Hello, ${id} 👋`))
    for (const { api, id } of some) {
      const messages = await client.until(id)
      t.match(messages.at(-1), { type: 'done', outcome: 'complete', usage: { prompt_tokens: Number } }, id)
      t.equal(await textOf(api, dataOf(messages)), `Hello, ${id} 👋`, id)
      const events = messages.filter(({ type }) => type === 'event')
      t.same(
        events.map(({ seq }) => seq),
        events.map((_, index) => index),
        `${id}: numbers without a hole`,
      )
    }
  }
})

/** The error of an API for one failure, as its clients have it over HTTP. */
const WORDS = {
  chat: { bad: { type: 'invalid_request_error', param: 'messages' }, cut: { code: 'upstream_cut' } },
  messages: { bad: { type: 'invalid_request_error' }, cut: { type: 'api_error' } },
  responses: { bad: { type: 'invalid_request_error', param: 'input' }, cut: { code: 'upstream_cut' } },
}

test('errors are in the words of the API of their chat, and end that chat alone', async (t) => {
  const client = await Client.open(t)
  for (const api of APIS) {
    const bad = { model: 'openai/echo', max_tokens: 9, messages: 7, input: 7 }
    client.chat(`${api}-bad`, api, bad)
    client.chat(`${api}-refused`, api, requestOf(api, 'refusing/m', 'Hi'))
    client.chat(`${api}-cut`, api, requestOf(api, 'cutting/m', 'Hi'))
    client.chat(`${api}-none`, api, requestOf(api, 'nobody/nothing', 'Hi'))
    const errorOf = async (id: string) => (await client.until(id)).at(-1)
    const isAnthropic = api === 'messages'
    t.match(await errorOf(`${api}-bad`), { type: 'error', error: WORDS[api].bad, outcome: 'rejected' }, api)
    const refused = { type: 'invalid_request_error', message: 'No such thing.' }
    t.match(await errorOf(`${api}-refused`), { type: 'error', error: refused }, api)
    t.match(await errorOf(`${api}-cut`), { type: 'error', error: WORDS[api].cut, outcome: 'upstream_cut' }, api)
    t.ok(JSON.stringify(client.of(`${api}-cut`)).includes('Half'), `${api}: what had come before`)
    const missing = isAnthropic ? { type: 'not_found_error' } : { code: 'model_not_found' }
    t.match(await errorOf(`${api}-none`), { type: 'error', error: missing }, api)
    for (const message of client.of(`${api}-bad`))
      t.equal('code' in Object(message.error), !isAnthropic, `${api} alone`)
  }
})

test('cancel, resume and the limits of the key hold for each API alike', async (t) => {
  const client = await Client.open(t)
  for (const api of APIS) {
    const before = held.requests.length
    client.chat(`${api}-c`, api, requestOf(api, 'held/m', 'Hi'))
    await client.until(`${api}-c`, 1)
    t.equal(held.requests.length, before + 1)
    const closed = held.closed
    client.socket.send(JSON.stringify({ type: 'cancel', id: `${api}-c` }))
    t.match((await client.until(`${api}-c`)).at(-1), { type: 'done', outcome: 'client_gone' }, api)
    while (held.closed === closed) await new Promise((resolve) => setTimeout(resolve, 10))

    client.chat(`${api}-r`, api, requestOf(api, 'anthropic/echo', 'one two three'), { resume: true })
    const kept = await client.until(`${api}-r`)
    t.match(kept[0], { type: 'opened' }, api)
    const again = await Client.open(t)
    again.socket.send(JSON.stringify({ type: 'resume', id: 'again', stream: kept[0]?.stream }))
    t.same(dataOf(await again.until('again')), dataOf(kept), `${api}: the frames of its own API`)
    again.socket.terminate()
  }
  const limited = await Client.open(t, LIMITED_KEY)
  limited.chat('first', 'chat', requestOf('chat', 'openai/echo', 'Hi'))
  t.match((await limited.until('first')).at(-1), { type: 'done' })
  for (const api of APIS) {
    limited.chat(api, api, requestOf(api, 'openai/echo', 'Hi'))
    const type = api === 'messages' ? 'rate_limit_error' : 'rate_limit_exceeded'
    t.match((await limited.until(api)).at(-1), { type: 'error', error: { type } }, `${api} counts each request`)
  }
})

test('SluiceSocket reads the events of each API, each once, however its sockets are lost', async (t) => {
  const { port } = new URL(gateway.origin)
  const proxy = await startCuttingProxy(t, Number(port), (at) =>
    at < 3 ? { afterBytes: 5000 * (at + 1), how: 'fin' } : null,
  )
  const url = `ws://127.0.0.1:${proxy.port}/v1/ws`
  const socket = new SluiceSocket(url, { WebSocket, token: () => KEY, random: () => 0 })
  t.teardown(() => socket.close())
  const text = 'one two three four '.repeat(20)
  const collect = async (events: AsyncIterable<object>) => {
    const got: JsonObject[] = []
    for await (const event of events) if (isJsonObject(event as JsonObject)) got.push(event as JsonObject)
    return got
  }
  const requests = APIS.map((api) => requestOf(api, 'anthropic/echo', text))
  const [chat, messages, responses] = requests as [ChatRequest, ApiRequest, ApiRequest]
  const all = await Promise.all([
    collect(socket.chat(chat)),
    collect(socket.chat(messages, { api: 'messages' })),
    collect(socket.chat(responses, { api: 'responses' })),
  ])
  for (const [at, api] of APIS.entries()) t.equal(await textOf(api, all[at] ?? []), text, api)
  t.equal(proxy.counts.cut, 3, `${proxy.counts.cut} cuts`)
  const bad = socket.chat({ model: 'anthropic/echo', messages: 7 }, { api: 'messages' })
  await t.rejects(bad.result, { name: 'ChatFailedError', type: 'invalid_request_error', outcome: 'rejected' })
})
