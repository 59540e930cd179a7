// The official Ollama client against a running gateway, over each of the upstream wires: chats, prompts, tools, the models.
import { type ChatRequest, type ChatResponse, Ollama } from 'ollama'
import { t as tap, test } from 'tap'
import { simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'
import { rejectsWith } from '../helpers/rejects.js'
import { answer, chunk, LAST_CHUNK, ScriptedUpstream, whole } from '../helpers/scripted-upstream.js'

const KEY = 'test-key-0123456789abcdef'
const PROVIDERS = ['ollama', 'openai', 'responses', 'anthropic', 'google'] as const
const TEXT = 'Zażółć gęślą jaźń, 你好 👋 world'
const JSON_BODY = { 'content-type': 'application/json' }
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

async function start(t: Teardown, args: string[] = [], compat: object = {}) {
  const simulator = await startSimulator(t, args)
  const gateway = await startGateway(t, {
    config: {
      keys: [{ name: 'test', key: KEY }],
      providers: simulatedProviders(simulator.origin),
      models: Object.fromEntries(PROVIDERS.map((provider) => [`${provider}-echo`, { targets: [`${provider}/echo`] }])),
      compat,
    },
  })
  return { gateway, client: clientOf(`${gateway.origin}/ollama`) }
}

/** `seen` gets the request id of each answer. */
function clientOf(host: string, key = KEY, seen: string[] = []): Ollama {
  return new Ollama({
    host,
    headers: { authorization: `Bearer ${key}` },
    fetch: async (input, init) => {
      const response = await fetch(input, init)
      seen.push(response.headers.get('x-request-id') ?? '')
      return response
    },
  })
}

const { gateway, client } = await start(tap)

async function streamed(request: ChatRequest, from = client) {
  const parts: ChatResponse[] = []
  for await (const part of await from.chat({ ...request, stream: true })) parts.push(part)
  return {
    parts,
    last: parts.at(-1),
    text: parts.map(({ message }) => message.content).join(''),
    thinking: parts.map(({ message }) => message.thinking ?? '').join(''),
    calls: parts.flatMap(({ message }) => message.tool_calls ?? []),
  }
}

test('the same text from every upstream wire, whole and streamed, with counts and durations', async (t) => {
  for (const provider of PROVIDERS) {
    const request = {
      model: `${provider}/echo`,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: TEXT },
      ],
      options: { temperature: 0.5, num_predict: 100 },
    }
    const answer = await client.chat(request)
    t.equal(answer.message.content, TEXT, `${provider} whole`)
    t.match(answer, { done: true, done_reason: 'stop', message: { role: 'assistant' } })
    t.ok(answer.eval_count > 0 && answer.eval_duration > 0 && answer.total_duration >= answer.eval_duration)
    const { text, parts, last } = await streamed(request)
    t.equal(text, TEXT, `${provider} streamed`)
    t.ok(parts.length > 3, 'in pieces')
    t.match(last, { done: true, done_reason: 'stop' })
    t.same([last?.prompt_eval_count, last?.eval_count], [answer.prompt_eval_count, answer.eval_count], provider)
    t.ok((last?.eval_duration ?? 0) > 0, `${provider} tells how long it took`)
    t.equal(Number.isNaN(new Date(last?.created_at ?? '').getTime()), false)
  }
})

test('a prompt is answered, with a system text and images, whole and streamed', async (t) => {
  for (const provider of PROVIDERS) {
    const request = { model: `${provider}/echo`, prompt: TEXT, system: 'Be brief.', images: [PNG] }
    const answer = await client.generate(request)
    t.match(answer, { response: TEXT, done: true, done_reason: 'stop' }, provider)
    t.ok(answer.eval_count > 0 && answer.total_duration > 0)
    let text = ''
    for await (const part of await client.generate({ ...request, stream: true })) text += part.response
    t.equal(text, TEXT, `${provider} streamed`)
    await rejectsWith(t, client.generate({ ...request, suffix: 'end' }), { status_code: 400, error: /suffix/ })
  }
})

const WEATHER = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'Weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}
const CLOCK = { type: 'function', function: { name: 'clock' } }

test('tools are called, together, and the turn goes on after their results, over every wire', async (t) => {
  for (const provider of PROVIDERS) {
    const ask = { role: 'user', content: 'Weather, and the time.' }
    const request = { model: `${provider}/tools`, messages: [ask], tools: [WEATHER, CLOCK] }
    const answer = await client.chat(request)
    const stream = await streamed(request)
    for (const calls of [answer.message.tool_calls ?? [], stream.calls]) {
      t.same(
        calls.map((call) => call.function.name),
        ['weather', 'clock'],
        provider,
      )
      t.type(calls[0]?.function.arguments.city, 'string')
    }
    const results = stream.calls.map((call) => ({
      role: 'tool',
      content: `${call.function.name} 21`,
      tool_name: call.function.name,
    }))
    // As the client library's own example returns them: without ids.
    const turn = {
      role: 'assistant',
      content: '',
      tool_calls: stream.calls.map((call) => ({ function: call.function })),
    }
    const after = await client.chat({ ...request, messages: [ask, turn, ...results] })
    t.match(after.message.content, /weather 21.*clock 21/, `${provider} answers after the results`)
  }
})

test('thinking is apart from the text, and comes back', async (t) => {
  for (const provider of PROVIDERS) {
    const ask = { role: 'user', content: 'Think about it' }
    const request = { model: `${provider}/reason`, messages: [ask], think: true }
    const answer = await client.chat(request)
    t.match(answer.message, { content: 'Think about it', thinking: /step by step/ }, provider)
    const { text, thinking } = await streamed(request)
    t.same([text, thinking], [answer.message.content, answer.message.thinking], `${provider} streamed`)
    const again = await client.chat({
      ...request,
      messages: [ask, answer.message, { role: 'user', content: 'And again' }],
    })
    t.equal(again.message.content, 'And again', provider)
    const prompted = await client.generate({ model: request.model, prompt: 'Think about it', think: 'low' })
    t.match(prompted, { response: 'Think about it', thinking: /step by step/ }, provider)
  }
})

test('JSON by a schema, and a cap, over every wire', async (t) => {
  for (const provider of PROVIDERS) {
    // This provider is asked for JSON by a forced tool, which only this simulated model calls.
    const model = `${provider}/${provider === 'anthropic' ? 'tools' : 'echo'}`
    const format = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
    const { message } = await client.chat({ model, messages: [{ role: 'user', content: 'A place' }], format })
    t.type(JSON.parse(message.content).city, 'string', provider)
    const capped = {
      model: `${provider}/lorem-max`,
      messages: [{ role: 'user', content: 'Go on' }],
      options: { num_predict: 5 },
    }
    t.equal((await client.chat(capped)).done_reason, 'length', provider)
    t.equal((await streamed(capped)).last?.done_reason, 'length', provider)
  }
})

test('errors arrive as the client knows them: before the answer, in the middle of it, and for a wrong key', async (t) => {
  const messages = [{ role: 'user', content: 'Hi' }]
  await rejectsWith(t, client.chat({ model: 'no-model', messages }), { status_code: 404, error: /model/ })
  const wrong = clientOf(`${gateway.origin}/ollama`, 'wrong-key')
  await rejectsWith(t, wrong.chat({ model: 'openai/echo', messages }), { status_code: 401 })
  await rejectsWith(t, wrong.list(), { status_code: 401, error: /key/ })
  await rejectsWith(t, client.chat({ model: 'openai/echo', messages: [{ role: 'robot', content: 'Hi' }] }), {
    status_code: 400,
    error: /messages\.0\.role/,
  })
  for (const provider of PROVIDERS) {
    await rejectsWith(t, client.chat({ model: `${provider}/lorem-max+fault=status,422`, messages }), {
      status_code: 422,
    })
    const cut = { model: `${provider}/lorem-max+fault=error-frame,4`, messages, options: { num_predict: 50 } }
    let text = ''
    const read = async () => {
      for await (const part of await client.chat({ ...cut, stream: true })) text += part.message.content
    }
    await rejectsWith(t, read(), /Simulated failure/)
    t.match(text, /^lorem ipsum/, `${provider} what came before`)
  }
})

test('the models are listed and shown, and the API has a version', async (t) => {
  const { models } = await client.list()
  t.same(models.map(({ name }) => name).sort(), PROVIDERS.map((provider) => `${provider}-echo`).sort())
  t.match(models[0], { details: { family: String }, size: 0 })
  t.match(await client.show({ model: 'openai-echo' }), { capabilities: ['completion', 'tools'], details: {} })
  t.match(await client.show({ model: 'anthropic/echo' }), { capabilities: ['completion', 'tools'] })
  await rejectsWith(t, client.show({ model: 'nothing' }), { status_code: 404 })
  await rejectsWith(t, clientOf(`${gateway.origin}/ollama`, 'wrong').show({ model: 'openai-echo' }), {
    status_code: 401,
  })
  t.match(await client.version(), { version: /^\d+\.\d+\.\d+$/ })
  t.same((await client.ps()).models, [])
  await rejectsWith(t, client.pull({ model: 'x' }), { status_code: 404, error: /No such route/ })
})

test('texts are embedded by every provider that has embeddings, in both forms', async (t) => {
  for (const provider of PROVIDERS) {
    const asked = client.embed({ model: `${provider}/v`, input: ['river', 'sea', 'river'], dimensions: 5 })
    if (provider === 'anthropic') {
      await rejectsWith(t, asked, { status_code: 400, error: /does not offer/ })
      continue
    }
    const { embeddings, prompt_eval_count: count } = await asked
    t.same(
      embeddings.map((vector) => vector.length),
      [5, 5, 5],
      provider,
    )
    t.same(embeddings[0], embeddings[2])
    t.notSame(embeddings[0], embeddings[1])
    t.ok(count > 0, `${provider} counts`)
    const { embedding } = await client.embeddings({ model: `${provider}/v`, prompt: 'river' })
    t.ok(embedding.length > 0 && embedding.every((value) => typeof value === 'number'), provider)
  }
  await rejectsWith(t, client.embed({ model: 'openai/v', input: [] }), { status_code: 400, error: /input/ })
})

test('a client that aborts stops its upstream, and the outcome says so', async (t) => {
  const { gateway } = await start(t, ['--tokens-per-second', '20'])
  for (const provider of PROVIDERS) {
    const seen: string[] = []
    const client = clientOf(`${gateway.origin}/ollama`, KEY, seen)
    const messages = [{ role: 'user', content: 'Go on' }]
    const options = { num_predict: 2000 }
    const stream = await client.chat({ model: `${provider}/lorem-max`, messages, options, stream: true })
    let parts = 0
    try {
      for await (const _ of stream) {
        parts += 1
        if (parts === 3) client.abort()
      }
    } catch {
      // An aborted stream may throw or just end, as the library likes.
    }
    t.equal((await gateway.exchange(seen[0] ?? '')).outcome, 'client_gone', provider)
  }
})

test('silence is filled with lines that say nothing, which no client fails on', async (t) => {
  const line = (content: string, more: object = { done: false }) =>
    `${JSON.stringify({ model: 'theirs', created_at: '2026-01-01T00:00:00Z', message: { role: 'assistant', content }, ...more })}\n`
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n'
  const upstream = await ScriptedUpstream.listen(
    answer(
      { send: head },
      chunk(line('a')),
      { wait: 'go', name: 'on' },
      chunk(line('b') + line('', { done: true, done_reason: 'stop' })),
      LAST_CHUNK,
    ),
  )
  t.teardown(() => upstream.close())
  const quiet = await startGateway(t, {
    config: {
      server: { keepaliveMs: 100 },
      providers: { up: { protocol: 'ollama-chat', baseUrl: upstream.origin } },
      models: { mine: { targets: [{ provider: 'up', model: 'theirs' }] } },
    },
  })
  const client = clientOf(`${quiet.origin}/ollama`)
  let silent = 0
  let text = ''
  for await (const part of await client.chat({
    model: 'mine',
    messages: [{ role: 'user', content: 'Hi' }],
    stream: true,
  })) {
    if (part.model === '') silent += 1
    if (silent === 2) upstream.go('on')
    text += part.message.content
  }
  t.equal(text, 'ab')
  t.ok(silent >= 2)
})

test('the same API on both sides: bytes pass as they are but for the model', async (t) => {
  const lines =
    '{"model":"theirs", "message":{"role":"assistant","content":"a"},"done":false,"x":1.50}\n{"done":true,"done_reason":"stop","total_duration":7}\n'
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n'
  const body = '{"model":"theirs","message":{"role":"assistant","content":"a"},"done":true, "x":1.50}'
  const upstream = await ScriptedUpstream.listen(
    answer({ send: head }, chunk(lines), LAST_CHUNK),
    answer(whole(200, body, ['content-type: application/json'])),
  )
  t.teardown(() => upstream.close())
  const gateway = await startGateway(t, {
    config: {
      providers: { up: { protocol: 'ollama-chat', baseUrl: upstream.origin } },
      models: { mine: { targets: [{ provider: 'up', model: 'theirs' }] } },
    },
  })
  const ask = async (sent: string) => {
    const content = { method: 'POST', headers: JSON_BODY, body: sent }
    return (await fetch(`${gateway.origin}/ollama/api/chat`, content)).text()
  }
  const odd = '{ "model" : "mine", "messages":[], "keep_alive": -1, "x": 1.50 }'
  t.equal(await ask(odd), lines)
  t.equal(
    upstream.requests[0]?.body.toString(),
    odd.replace('"mine"', '"theirs"'),
    'a chat that only loads the model, too',
  )
  t.equal(await ask(odd.replace('"x"', '"stream":false,"x"')), body)
})

test('the prefix may be empty where the other API moves, and a collision is refused at the start', async (t) => {
  const { gateway } = await start(t, [], { ollamaPrefix: '', apiPrefix: '/conversation' })
  const client = clientOf(gateway.origin)
  const messages = [{ role: 'user', content: 'Hi' }]
  t.equal((await client.chat({ model: 'openai/echo', messages })).message.content, 'Hi')
  t.equal((await client.list()).models.length, PROVIDERS.length)
  const headers = { ...JSON_BODY, authorization: `Bearer ${KEY}` }
  const body = JSON.stringify({ model: 'openai/echo', messages, stream: false })
  const other = await fetch(`${gateway.origin}/conversation/chat`, { method: 'POST', headers, body })
  t.match(await other.json(), { object: 'chat.completion' })
  const refused = startGateway(t, { config: { providers: { sim: {} }, compat: { ollamaPrefix: '' } } })
  await t.rejects(
    refused,
    /compat\.ollamaPrefix: would put two APIs on \/api\/chat; set compat\.apiPrefix to another path/,
  )
})

test('a stream is kept and read again to its end', async (t) => {
  const headers = { ...JSON_BODY, authorization: `Bearer ${KEY}`, 'x-sluice-resume': '1' }
  for (const provider of PROVIDERS) {
    const body = JSON.stringify({ model: `${provider}/echo`, messages: [{ role: 'user', content: 'one two three' }] })
    const first = await fetch(`${gateway.origin}/ollama/api/chat`, { method: 'POST', headers, body })
    const id = first.headers.get('x-sluice-stream')
    t.type(id, 'string', provider)
    const text = await first.text()
    const rest = await (await fetch(`${gateway.origin}/v1/streams/${id}?after=0`, { headers })).text()
    t.equal(text.slice(text.indexOf('\n') + 1), rest, `${provider}: all but the first line`)
  }
})
