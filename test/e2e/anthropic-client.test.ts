// The official Anthropic client against a running gateway, over each of the upstream wires.
import Anthropic from '@anthropic-ai/sdk'
import { t as tap, test } from 'tap'
import { type Running, simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'
import { rejectsWith } from '../helpers/rejects.js'

const KEY = 'test-key-0123456789abcdef'
const PROVIDERS = ['anthropic', 'openai', 'responses', 'google', 'ollama'] as const
const TEXT = 'Zażółć gęślą jaźń, 你好 👋 world'

async function start(t: Teardown, args: string[] = []) {
  const simulator = await startSimulator(t, args)
  const gateway = await startGateway(t, {
    config: { keys: [{ name: 'test', key: KEY }], providers: simulatedProviders(simulator.origin) },
  })
  return { gateway, simulator, client: clientOf(gateway) }
}

function clientOf(gateway: Running, apiKey = KEY): Anthropic {
  return new Anthropic({ apiKey, baseURL: gateway.origin, maxRetries: 0 })
}

const { gateway, client } = await start(tap)

test('the Anthropic client reads the same text from every upstream wire, streamed and whole', async (t) => {
  for (const provider of PROVIDERS) {
    const request = {
      model: `${provider}/echo`,
      max_tokens: 200,
      messages: [{ role: 'user' as const, content: TEXT }],
    }
    const whole = await client.messages.create(request)
    t.same(
      whole.content.map((block) => (block.type === 'text' ? block.text : block.type)),
      [TEXT],
      `${provider} whole`,
    )
    t.equal(whole.stop_reason, 'end_turn')
    const streamed = await client.messages.stream(request).finalMessage()
    t.same(
      streamed.content.map((block) => (block.type === 'text' ? block.text : block.type)),
      [TEXT],
      `${provider} streamed`,
    )
    t.equal(streamed.stop_reason, 'end_turn')
    t.equal(streamed.usage.output_tokens, whole.usage.output_tokens, `${provider} usage agrees`)
  }
})

test('thinking arrives as thinking blocks before the text, from every wire that reasons', async (t) => {
  for (const provider of PROVIDERS) {
    const message = await client.messages
      .stream({
        model: `${provider}/reason`,
        max_tokens: 4000,
        thinking: { type: 'enabled', budget_tokens: 1024 },
        messages: [{ role: 'user', content: 'Think about it' }],
      })
      .finalMessage()
    t.same(
      message.content.map((block) => block.type),
      ['thinking', 'text'],
      provider,
    )
  }
})

test('tool use comes back with its input and continues after the results, over every wire', async (t) => {
  const tools: Anthropic.Tool[] = [
    {
      name: 'weather',
      description: 'Weather',
      input_schema: { type: 'object', properties: { city: { type: 'string' } } },
    },
    { name: 'clock', input_schema: { type: 'object', properties: { zone: { type: 'string' } } } },
  ]
  for (const provider of PROVIDERS) {
    const messages: Anthropic.MessageParam[] = [{ role: 'user', content: 'Weather and time?' }]
    const request = { model: `${provider}/tools`, max_tokens: 400, tools }
    const message = await client.messages.stream({ ...request, messages }).finalMessage()
    const uses = message.content.filter((block) => block.type === 'tool_use')
    t.same(
      uses.map((use) => use.name),
      ['weather', 'clock'],
      provider,
    )
    t.equal(message.stop_reason, 'tool_use')
    const results = uses.map((use) => ({ type: 'tool_result' as const, tool_use_id: use.id, content: '{"ok":true}' }))
    const after = await client.messages.create({
      ...request,
      messages: [...messages, { role: 'assistant', content: message.content }, { role: 'user', content: results }],
    })
    t.equal(after.stop_reason, 'end_turn', `${provider} answers after the results`)
  }
})

test('errors arrive as the client library knows them, with a request id', async (t) => {
  const request = { model: 'anthropic/echo', max_tokens: 10, messages: [{ role: 'user' as const, content: 'Hi' }] }
  await rejectsWith(t, client.messages.create({ ...request, model: 'nobody/nothing' }), {
    status: 404,
    error: { type: 'error', error: { type: 'not_found_error' } },
  })
  await rejectsWith(t, clientOf(gateway, 'wrong-key').messages.create(request), {
    status: 401,
    error: { type: 'error', error: { type: 'authentication_error' } },
  })
  await rejectsWith(t, client.messages.create({ ...request, max_tokens: -1 }), {
    status: 400,
    error: { type: 'error', error: { type: 'invalid_request_error' } },
  })
  const refused = await clientOf(gateway, 'wrong-key')
    .messages.create(request)
    .catch((error: unknown) => error)
  t.ok(refused instanceof Anthropic.APIError && typeof refused.requestID === 'string', 'the error names its request')
  t.equal(refused instanceof Anthropic.APIError && refused.headers?.get('x-should-retry'), 'false')
  const body = await fetch(`${gateway.origin}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': KEY, 'x-request-id': 'mine-1' },
    body: '{}',
  }).then((answer) => answer.json() as Promise<{ request_id?: string }>)
  t.equal(body.request_id, 'mine-1')
})

test('a client that aborts stops its upstream, and the outcome says so', async (t) => {
  const { client, gateway } = await start(t, ['--tokens-per-second', '20'])
  for (const provider of PROVIDERS) {
    const stream = client.messages.stream({
      model: `${provider}/lorem-max`,
      max_tokens: 2000,
      messages: [{ role: 'user', content: 'Go on' }],
    })
    const { response } = await stream.withResponse()
    let seen = 0
    try {
      for await (const event of stream) {
        if (event.type === 'content_block_delta') seen += 1
        if (seen === 3) stream.abort()
      }
    } catch {
      // The library throws its own abort error; the gateway's log line is the proof.
    }
    const line = await gateway.exchange(response.headers.get('x-request-id') ?? '')
    t.equal(line.outcome, 'client_gone', provider)
  }
})

test('models are listed page by page and found by name as the client library knows them', async (t) => {
  const gateway = await startGateway(t, { config: { providers: { sim: {} } } })
  const own = clientOf(gateway)
  const ids: string[] = []
  for await (const model of own.models.list({ limit: 2 })) ids.push(model.id)
  t.same(ids, ['sim/echo', 'sim/lorem', 'sim/tools', 'sim/reason'])
  t.match(await own.models.retrieve('sim/lorem+fault=html'), { type: 'model', id: 'sim/lorem+fault=html' })
  await rejectsWith(t, own.models.retrieve('nowhere/echo'), {
    status: 404,
    error: { type: 'error', error: { type: 'not_found_error' } },
  })
  await rejectsWith(t, clientOf(gateway).models.list({ limit: 5000 }), { status: 400 })
  const plain = await fetch(`${gateway.origin}/v1/models`)
  t.match(await plain.json(), { object: 'list' }, 'others get the form that they know')
})

test('input tokens are counted by the provider that counts them, else estimated, which the answer says', async (t) => {
  const messages = [{ role: 'user' as const, content: 'r'.repeat(400) }]
  const tools = [{ name: 'f', description: 'd', input_schema: { type: 'object' as const } }]
  for (const provider of PROVIDERS) {
    const asked = { model: `${provider}/echo`, messages, system: 'Be brief.', tools }
    const { data, response } = await client.messages.countTokens(asked).withResponse()
    const counts = ['anthropic', 'responses', 'google'].includes(provider)
    t.equal(response.headers.get('x-sluice-estimated'), counts ? null : 'input_tokens', provider)
    t.equal(response.headers.get('x-sluice-target'), counts ? `${provider}/echo` : null, provider)
    t.ok(data.input_tokens > 100 && data.input_tokens < 300, `${provider}: ${data.input_tokens}`)
  }
  const beta = await client.beta.messages.countTokens({ model: 'anthropic/echo', messages, betas: ['x-1'] })
  t.ok(beta.input_tokens > 100)
  const failing = { model: 'anthropic/echo+fault=status,400', messages }
  const failed = await client.messages.countTokens(failing).withResponse()
  t.equal(
    failed.response.headers.get('x-sluice-estimated'),
    'input_tokens',
    'a provider that fails is no reason to fail',
  )
  t.ok(failed.data.input_tokens > 100)
  await rejectsWith(t, client.messages.countTokens({ model: 'nowhere', messages }), { status: 404 })
})
