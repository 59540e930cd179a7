// WebSocket mode of the Responses API with the official client, in two generations: turns and lanes over every upstream wire, what a
// connection keeps, limits, and faults of both sides.
import { once } from 'node:events'
import { createRequire } from 'node:module'
import OpenAI from 'openai'
import { ResponsesWS } from 'openai/resources/responses/ws'
import { type Test, t as tap, test } from 'tap'
import WebSocket from 'ws'
import { isJsonObject, type JsonObject } from '../../src/model/json.js'
import { type Running, simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'
import { answer, chunk, ScriptedUpstream, streamHead } from '../helpers/scripted-upstream.js'

const KEY = 'test-key-0123456789abcdef'
const OTHER_KEY = 'other-key-0123456789abcdef'
const LIMITED_KEY = 'limited-key-0123456789abcdef'
const PROVIDERS = ['responses', 'openai', 'anthropic', 'google', 'ollama']
const TEXT = 'Zażółć gęślą jaźń, 你好 👋 world'

/** The client that the agents library brings along, which is newer. */
const nested = createRequire(createRequire(import.meta.url).resolve('@openai/agents'))
const newer = {
  ...(nested('openai') as { OpenAI: typeof OpenAI }),
  ...(nested('openai/resources/responses/ws') as { ResponsesWS: typeof ResponsesWS }),
}
const GENERATIONS = [{ OpenAI, ResponsesWS }, newer]

const simulator = await startSimulator(tap)
const HALF = 'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"Half"},"finish_reason":null}]}\n\n'
const cutting = await ScriptedUpstream.listen(answer(streamHead(), chunk(HALF), { delayMs: 50 }, { end: 'rst' }))
const held = await ScriptedUpstream.listen(answer(streamHead(), chunk(HALF), { stall: true }))
for (const upstream of [cutting, held]) tap.teardown(() => upstream.close())
const scripted = ({ port }: ScriptedUpstream) => ({ protocol: 'openai-chat', baseUrl: `http://127.0.0.1:${port}/v1` })

async function start(t: Teardown, more: object = {}): Promise<Running> {
  return startGateway(t, {
    config: {
      keys: [
        { name: 'test', key: KEY },
        { name: 'other', key: OTHER_KEY },
        { name: 'limited', key: LIMITED_KEY, limits: { requestsPerMinute: 2 } },
      ],
      providers: { ...simulatedProviders(simulator.origin), cutting: scripted(cutting), held: scripted(held) },
      ...more,
    },
  })
}

const gateway = await start(tap)

/** The official client's WebSocket, and what came on it. */
class Client {
  readonly ws: ResponsesWS
  readonly got: JsonObject[] = []
  readonly errors: JsonObject[] = []
  #wake: () => void = () => {}

  constructor(t: Teardown, { origin }: Running, apiKey = KEY, library = { OpenAI, ResponsesWS }) {
    const openai = new library.OpenAI({ apiKey, baseURL: `${origin}/v1`, maxRetries: 0 })
    this.ws = new library.ResponsesWS(openai)
    t.teardown(() => this.ws.close())
    this.ws.on('event', (event) => {
      const message: unknown = event
      if (isJsonObject(message)) this.got.push(message)
      this.#wake()
    })
    this.ws.on('error', ({ error }) => {
      const event: unknown = error
      if (isJsonObject(event)) this.errors.push(event)
      this.#wake()
    })
  }

  create(request: object): void {
    this.ws.send({ type: 'response.create', ...request })
  }

  of(lane: string | null): JsonObject[] {
    return this.got.filter(({ stream_id: name = null }) => name === lane)
  }

  /** The last events of so many turns of a lane. */
  async ends(lane: string | null, count = 1): Promise<JsonObject[]> {
    for (;;) {
      const ends = this.of(lane).filter(({ type }) => ENDS.has(String(type)))
      if (ends.length >= count) return ends
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** The answer of the last of them. */
  async response(lane: string | null, count = 1): Promise<OpenAI.Responses.Response> {
    const end = (await this.ends(lane, count))[count - 1]
    return end?.response as unknown as OpenAI.Responses.Response
  }
}

const ENDS = new Set(['response.completed', 'response.failed', 'response.incomplete', 'error'])

function textOf({ output }: OpenAI.Responses.Response): string {
  return output
    .flatMap((item) => (item.type === 'message' ? item.content : []))
    .map((part) => (part.type === 'output_text' ? part.text : ''))
    .join('')
}

function numbered(t: Test, events: readonly JsonObject[], name: string): void {
  const numbers = events.map(({ sequence_number }) => sequence_number)
  t.same(
    numbers,
    numbers.map((_, i) => i),
    `${name}: all events, in order`,
  )
}

test('lanes over every upstream wire run side by side, and each has its own events whole and in order', async (t) => {
  for (const library of GENERATIONS) await runLanes(t, library)
})

async function runLanes(t: Test, library: (typeof GENERATIONS)[number]): Promise<void> {
  const client = new Client(t, gateway, KEY, library)
  for (const provider of PROVIDERS) {
    client.create({ model: `${provider}/echo`, input: `${provider}: ${TEXT}`, stream_id: provider })
  }
  client.create({ model: 'openai/echo', input: TEXT })
  for (const provider of PROVIDERS) {
    t.equal(textOf(await client.response(provider)), `${provider}: ${TEXT}`)
    numbered(t, client.of(provider), provider)
    const delta = client
      .of(provider)
      .flatMap((each) => (each.type === 'response.output_text.delta' ? [each.delta] : []))
    t.equal(delta.join(''), `${provider}: ${TEXT}`, 'as text deltas, too')
  }
  t.equal(textOf(await client.response(null)), TEXT)
  numbered(t, client.of(null), 'without a lane')
  client.ws.close()
}

test('a turn continues the one before; without a store as well, and then on its own connection alone', async (t) => {
  for (const [store, running] of [
    [true, gateway],
    [false, gateway],
    [true, await start(t, { responses: { store: 'off' } })],
  ] as const) {
    const client = new Client(t, running)
    client.create({ model: 'anthropic/echo', input: 'My name is Ada.', store })
    const first = await client.response(null)
    // The simulator's echo answers with the last message of the user; what it was sent shows in the count of tokens.
    client.create({ model: 'anthropic/echo', input: 'And?', store, previous_response_id: first.id })
    const second = await client.response(null, 2)
    t.equal(second.previous_response_id, first.id)
    t.equal(textOf(second), 'And?')
    t.ok((second.usage?.input_tokens ?? 0) > (first.usage?.input_tokens ?? 0) + 2, 'it has the turns before')
    // Lanes fork from another's answer.
    for (const lane of ['a', 'b']) {
      client.create({ model: 'openai/echo', input: lane, store, previous_response_id: second.id, stream_id: lane })
    }
    t.same([textOf(await client.response('a')), textOf(await client.response('b'))], ['a', 'b'])
    const isStored = store && running === gateway
    const elsewhere = new Client(t, running)
    elsewhere.create({ model: 'openai/echo', input: 'Hi', store, previous_response_id: second.id })
    const [end] = await elsewhere.ends(null)
    if (isStored) t.match(end, { type: 'response.completed' }, 'a stored answer is found from anywhere')
    else {
      const error = {
        code: 'previous_response_not_found',
        param: 'previous_response_id',
        type: 'invalid_request_error',
      }
      t.match(end, { type: 'error', status: 400, error })
    }
    const foreign = new Client(t, running, OTHER_KEY)
    foreign.create({ model: 'openai/echo', input: 'Hi', previous_response_id: second.id })
    t.match(
      (await foreign.ends(null))[0],
      { status: 400, error: { code: 'previous_response_not_found' } },
      'but by its key',
    )
    t.match(foreign.errors[0], { error: { code: 'previous_response_not_found' } }, 'the client raises it')
    // Each reserves its largest message: a key has three.
    for (const each of [client, elsewhere, foreign]) each.ws.close()
  }
})

test('a warm-up gets an id at once, generates nothing, and the next turn continues it', async (t) => {
  const input = 'A long system of rules that is sent once.'
  for (const store of [true, false]) {
    const client = new Client(t, gateway)
    client.create({ model: 'anthropic/echo', input, store, generate: false, stream_id: 'w' })
    const warm = await client.response('w')
    t.match(warm, { status: 'completed', output: [], store, usage: { input_tokens: 0, output_tokens: 0 } })
    numbered(t, client.of('w'), 'warm-up')
    client.create({ model: 'anthropic/echo', input: 'Go.', store, previous_response_id: warm.id, stream_id: 'w' })
    const second = await client.response('w', 2)
    t.equal(textOf(second), `${input}Go.`, 'the provider was sent both messages')
    client.create({ model: 'nobody/nothing', input, generate: false })
    t.match((await client.ends(null))[0], { type: 'error', error: { code: 'model_not_found' } })
    client.create({ model: 'openai/echo', input: 7, generate: false })
    t.match((await client.ends(null, 2))[1], { type: 'error', error: { param: 'input' } })
    client.create({ model: 'openai/echo', input, generate: false, previous_response_id: 'resp_none' })
    t.match((await client.ends(null, 3))[2], { type: 'error', error: { code: 'previous_response_not_found' } })
    client.ws.close()
  }
})

test('every turn is counted against the limits of the key, warm-ups as well, and told when to come back', async (t) => {
  const client = new Client(t, gateway, LIMITED_KEY)
  client.create({ model: 'openai/echo', input: 'one' })
  client.create({ model: 'openai/echo', input: 'two', generate: false })
  client.create({ model: 'openai/echo', input: 'three' })
  client.create({ model: 'openai/echo', input: 'four', generate: false })
  const ends = await client.ends(null, 4)
  t.match(ends.slice(0, 2), [{ type: 'response.completed' }, { type: 'response.completed' }])
  for (const end of ends.slice(2)) {
    t.match(end, {
      type: 'error',
      status: 429,
      error: { code: 'rate_limit_exceeded' },
      headers: { 'retry-after': /^\d+$/ },
    })
  }
})

test('an upstream that dies in mid-answer ends its turn in both forms of an error; other lanes and the next turn go on', async (t) => {
  const client = new Client(t, gateway)
  client.create({ model: 'cutting/m', input: 'Hi', stream_id: 'a' })
  client.create({ model: 'openai/echo', input: 'next', stream_id: 'a' })
  client.create({ model: 'openai/echo', input: 'other', stream_id: 'b' })
  t.equal(textOf(await client.response('b')), 'other')
  const ends = await client.ends('a', 3)
  t.match(ends, [
    { type: 'error', status: 502, error: { code: 'upstream_cut' } },
    { type: 'response.failed', response: { status: 'failed', error: { code: String } } },
    { type: 'response.completed' },
  ])
  t.ok(client.of('a').some(({ delta }) => delta === 'Half'))
})

test('a client that leaves in mid-answer stops its providers, in every lane', async (t) => {
  const client = new Client(t, gateway)
  const before = held.closed
  for (const lane of ['a', 'b']) client.create({ model: 'held/m', input: 'Hi', stream_id: lane })
  while (client.got.filter(({ delta }) => delta === 'Half').length < 2)
    await new Promise((resolve) => setTimeout(resolve, 10))
  client.ws.close()
  while (held.closed < before + 2) await new Promise((resolve) => setTimeout(resolve, 10))
  t.pass('both')
})

test('a context of megabytes is one message; without the mode, and without room for a socket, clients learn to send POST', async (t) => {
  const client = new Client(t, gateway)
  const rules = { role: 'developer', content: 'x'.repeat(5_000_000) }
  client.create({ model: 'openai/echo', input: [rules, { role: 'user', content: 'Hi' }], max_output_tokens: 100 })
  t.equal(textOf(await client.response(null)), 'Hi')
  const off = await start(t, { responses: { webSocket: false } })
  const statusOf = async ({ origin }: Running) => {
    const socket = new WebSocket(`${origin.replace('http', 'ws')}/v1/responses`, {
      headers: { authorization: `Bearer ${KEY}` },
    })
    socket.on('error', () => {})
    const [first] = await Promise.race([
      once(socket, 'unexpected-response').then(([, { statusCode }]) => [statusCode]),
      once(socket, 'open').then(() => ['open']),
    ])
    return { status: first, socket }
  }
  t.equal((await statusOf(off)).status, 426)
  const crowded = await start(t)
  const opened = await Promise.all(Array.from({ length: 8 }, () => statusOf(crowded)))
  t.same(
    opened.map(({ status }) => status),
    Array.from(opened, () => 'open'),
  )
  t.equal((await statusOf(crowded)).status, 426, 'a ninth one of the key')
  for (const { socket } of opened) socket.terminate()
})

test('an idle socket is pinged before half a minute is over', async (t) => {
  const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/responses`, {
    headers: { authorization: `Bearer ${KEY}` },
  })
  t.teardown(() => socket.terminate())
  await once(socket, 'open')
  const at = performance.now()
  await once(socket, 'ping')
  t.ok(performance.now() - at < 30_000)
})
