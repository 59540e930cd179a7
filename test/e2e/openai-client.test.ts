// The official OpenAI client against a running gateway, over each of the upstream wires.
import OpenAI, { AzureOpenAI } from 'openai'
import { t as tap, test } from 'tap'
import { type Running, simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { rejectsWith } from '../helpers/rejects.js'

const KEY = 'test-key-0123456789abcdef'
const PROVIDERS = ['openai', 'responses', 'anthropic', 'google', 'ollama'] as const

async function start(t: { teardown(callback: () => unknown): void }, args: string[] = []) {
  const simulator = await startSimulator(t, args)
  const gateway = await startGateway(t, {
    config: { keys: [{ name: 'test', key: KEY }], providers: simulatedProviders(simulator.origin) },
  })
  return { gateway, simulator, client: clientOf(gateway) }
}

function clientOf(gateway: Running, apiKey = KEY): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${gateway.origin}/v1`, maxRetries: 0 })
}

const { gateway, client } = await start(tap)

const WEATHER: OpenAI.ChatCompletionTool[] = [
  {
    type: 'function',
    function: {
      name: 'weather',
      description: 'Weather of a city',
      parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    },
  },
  {
    type: 'function',
    function: { name: 'clock', parameters: { type: 'object', properties: { zone: { type: 'string' } } } },
  },
]

test('the OpenAI client reads the same text from every upstream wire, streamed and whole', async (t) => {
  for (const provider of PROVIDERS) {
    const request = {
      model: `${provider}/echo`,
      messages: [{ role: 'user' as const, content: 'Zażółć gęślą jaźń, 你好 👋 world' }],
    }
    const whole = await client.chat.completions.create(request)
    t.equal(whole.choices[0]?.message.content, 'Zażółć gęślą jaźń, 你好 👋 world', `${provider} whole`)
    t.equal(whole.choices[0]?.finish_reason, 'stop')
    t.ok((whole.usage?.completion_tokens ?? 0) > 0)

    const stream = await client.chat.completions.create({
      ...request,
      stream: true,
      stream_options: { include_usage: true },
    })
    let text = ''
    let usage: OpenAI.CompletionUsage | null = null
    const finishes: string[] = []
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ''
      if (chunk.choices[0]?.finish_reason) finishes.push(chunk.choices[0].finish_reason)
      usage = chunk.usage ?? usage
    }
    t.equal(text, 'Zażółć gęślą jaźń, 你好 👋 world', `${provider} streamed`)
    t.same(finishes, ['stop'])
    t.equal(usage?.completion_tokens, whole.usage?.completion_tokens, `${provider} usage agrees`)
    t.equal(usage?.prompt_tokens, whole.usage?.prompt_tokens)
  }
})

test('no usage chunk reaches a client that did not ask for one', async (t) => {
  for (const provider of PROVIDERS) {
    const stream = await client.chat.completions.create({
      model: `${provider}/echo`,
      messages: [{ role: 'user', content: 'Hi there' }],
      stream: true,
    })
    for await (const chunk of stream) {
      t.equal(chunk.choices.length, 1, `${provider}: every chunk has a choice`)
      t.notOk(chunk.usage, `${provider}: no usage`)
    }
  }
})

test('parallel tool calls come whole, in order and with their arguments, from every wire', async (t) => {
  for (const provider of PROVIDERS) {
    const request = {
      model: `${provider}/tools`,
      messages: [{ role: 'user' as const, content: 'Weather and time?' }],
      tools: WEATHER,
    }
    const whole = await client.chat.completions.create(request)
    const calls = whole.choices[0]?.message.tool_calls ?? []
    const runner = client.chat.completions.stream(request)
    const streamed = (await runner.finalChatCompletion()).choices[0]
    t.same(names(calls), ['weather', 'clock'], `${provider} whole`)
    t.same(names(streamed?.message.tool_calls ?? []), ['weather', 'clock'], `${provider} streamed`)
    t.equal(whole.choices[0]?.finish_reason, 'tool_calls')
    t.equal(streamed?.finish_reason, 'tool_calls')
    for (const call of calls) t.type(JSON.parse(call.type === 'function' ? call.function.arguments : ''), 'object')

    const after = await client.chat.completions.create({
      ...request,
      messages: [
        ...request.messages,
        { role: 'assistant', content: null, tool_calls: calls },
        ...calls.map((call) => ({ role: 'tool' as const, tool_call_id: call.id, content: '{"ok":true}' })),
      ],
    })
    t.equal(after.choices[0]?.finish_reason, 'stop', `${provider} answers after the tool results`)
    t.ok(after.choices[0]?.message.content)
  }
})

function names(calls: readonly OpenAI.ChatCompletionMessageToolCall[]): string[] {
  return calls.map((call) => (call.type === 'function' ? call.function.name : ''))
}

test('errors arrive as the client library knows them', async (t) => {
  const messages = [{ role: 'user' as const, content: 'Hi' }]
  await rejectsWith(t, client.chat.completions.create({ model: 'nobody/nothing', messages }), {
    status: 404,
    code: 'model_not_found',
  })
  await rejectsWith(t, clientOf(gateway, 'wrong-key').chat.completions.create({ model: 'openai/echo', messages }), {
    status: 401,
  })
  await rejectsWith(
    t,
    client.chat.completions.create({
      model: 'openai/echo',
      messages: [{ role: 'user', content: 7 as unknown as string }],
    }),
    {
      status: 400,
      param: 'messages.0.content',
    },
  )
  const refused = client.chat.completions.create({ model: 'openai/lorem-max+fault=status,429,7', messages })
  await rejectsWith(t, refused, { status: 429 })
})

test('a client that aborts stops its upstream, and the outcome says so', async (t) => {
  const { client, gateway } = await start(t, ['--tokens-per-second', '20'])
  for (const provider of PROVIDERS) {
    const controller = new AbortController()
    const { data: stream, response } = await client.chat.completions
      .create(
        {
          model: `${provider}/lorem-max`,
          messages: [{ role: 'user', content: 'Go on' }],
          max_tokens: 2000,
          stream: true,
        },
        { signal: controller.signal },
      )
      .withResponse()
    let seen = 0
    try {
      for await (const _ of stream) {
        seen += 1
        if (seen === 3) controller.abort()
      }
    } catch {
      // An aborted stream may throw or just end, as the library likes.
    }
    const line = await gateway.exchange(response.headers.get('x-request-id') ?? '')
    t.equal(line.outcome, 'client_gone', provider)
  }
})

test('a model is found by each name that a chat may use', async (t) => {
  for (const id of ['openai/echo', 'anthropic/never-listed', 'openai/org/model']) {
    t.match(await client.models.retrieve(id), { id, object: 'model', owned_by: id.split('/')[0] })
  }
  await rejectsWith(t, client.models.retrieve('nowhere/echo'), { status: 404, code: 'model_not_found' })
})

test('the Azure client sends its key in a header of its own', async (t) => {
  const options = { apiVersion: '2024-10-21', baseURL: `${gateway.origin}/v1`, maxRetries: 0 }
  const ask = (apiKey: string) => new AzureOpenAI({ apiKey, ...options }).models.retrieve('openai/echo')
  t.match(await ask(KEY), { id: 'openai/echo' })
  await rejectsWith(t, ask('wrong'), { status: 401 })
})
