// The official OpenAI client's Responses API against a running gateway, over each of the upstream wires: whole, by its stream helper,
// and event by event.
import OpenAI from 'openai'
import { type Test, t as tap, test } from 'tap'
import { type Running, simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'
import { rejectsWith } from '../helpers/rejects.js'
import { answer, chunk, LAST_CHUNK, ScriptedUpstream, streamHead } from '../helpers/scripted-upstream.js'

const KEY = 'test-key-0123456789abcdef'
const PROVIDERS = ['responses', 'openai', 'anthropic', 'google', 'ollama'] as const
/** Those that speak another API than the client. */
const FOREIGN = PROVIDERS.filter((provider) => provider !== 'responses')
const TEXT = 'Zażółć gęślą jaźń, 你好 👋 world'

async function start(t: Teardown, args: string[] = []) {
  const simulator = await startSimulator(t, args)
  const gateway = await startGateway(t, {
    config: { keys: [{ name: 'test', key: KEY }], providers: simulatedProviders(simulator.origin) },
  })
  return { gateway, client: clientOf(gateway) }
}

function clientOf(gateway: Running, apiKey = KEY): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${gateway.origin}/v1`, maxRetries: 0 })
}

const { gateway, client } = await start(tap)

/** All events of a stream, which must be numbered from 0, under one id, and repeat themselves at their end. */
async function eventsOf(t: Test, stream: AsyncIterable<Event>): Promise<Event[]> {
  const events: Event[] = []
  for await (const event of stream) events.push(event)
  t.same(
    events.map((event) => event.sequence_number),
    events.map((_, i) => i),
    'numbers',
  )
  const ids = new Set(events.flatMap((event) => ('response' in event ? [event.response.id] : [])))
  t.equal(ids.size, 1, 'one id')
  const done = events.flatMap((event) => (event.type === 'response.output_item.done' ? [event.item] : []))
  const last = events.at(-1)
  t.same(last !== undefined && 'response' in last ? last.response.output : [], done, 'the last event has all items')
  return events
}

type Event = OpenAI.Responses.ResponseStreamEvent

test('the same text from every upstream wire: whole, by the helper, and event by event', async (t) => {
  for (const provider of PROVIDERS) {
    const request = { model: `${provider}/echo`, input: TEXT, instructions: 'Be brief.', metadata: { team: 'a' } }
    const whole = await client.responses.create(request)
    t.equal(whole.output_text, TEXT, `${provider} whole`)
    t.match(whole, { status: 'completed', store: true, error: null, object: 'response' }, provider)
    t.ok((whole.usage?.output_tokens ?? 0) > 0)
    const helped = await client.responses.stream(request).finalResponse()
    t.equal(helped.output_text, TEXT, `${provider} by the helper`)
    t.equal(helped.status, 'completed')
    t.same(helped.usage, whole.usage, `${provider} usage agrees`)
    const events = await eventsOf(t, await client.responses.create({ ...request, stream: true }))
    t.equal(
      events.flatMap((event) => (event.type === 'response.output_text.delta' ? [event.delta] : [])).join(''),
      TEXT,
      `${provider} by its events`,
    )
    if (provider !== 'responses') t.match(whole, { instructions: 'Be brief.', metadata: { team: 'a' } }, provider)
  }
})

const TOOLS: OpenAI.Responses.Tool[] = [
  {
    type: 'function',
    name: 'weather',
    description: 'Weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    strict: false,
  },
  { type: 'custom', name: 'patch', description: 'Edits files' },
]
const NAMESPACE: OpenAI.Responses.Tool = {
  type: 'namespace',
  name: 'files',
  description: 'Files',
  tools: [{ type: 'function', name: 'read', parameters: { type: 'object', properties: {} }, strict: false }],
}

test('tools are called as what they are, and the turn goes on after their results, over every wire', async (t) => {
  for (const provider of PROVIDERS) {
    // The simulated vendor knows no namespaces; to other wires they are functions.
    const tools = provider === 'responses' ? TOOLS : [...TOOLS, NAMESPACE]
    const request = { model: `${provider}/tools`, tools, store: false }
    const input: OpenAI.Responses.ResponseInputItem[] = [{ role: 'user', content: 'Weather, and patch.' }]
    const whole = await client.responses.create({ ...request, input })
    const streamed = await client.responses.stream({ ...request, input }).finalResponse()
    await eventsOf(t, await client.responses.create({ ...request, input, stream: true }))
    for (const { output } of [whole, streamed]) {
      t.same(output.map(nameOf), ['weather', 'custom patch', ...(tools.length > 2 ? ['files/read'] : [])], provider)
    }
    input.push(...(streamed.output as OpenAI.Responses.ResponseInputItem[]))
    for (const item of streamed.output) {
      if (item.type === 'function_call')
        input.push({ type: 'function_call_output', call_id: item.call_id, output: '21' })
      if (item.type === 'custom_tool_call') {
        input.push({ type: 'custom_tool_call_output', call_id: item.call_id, output: 'done' })
      }
    }
    const after = await client.responses.create({ ...request, input })
    t.match(after.output_text, /21/, `${provider} answers after the results`)
  }
})

function nameOf(item: OpenAI.Responses.ResponseOutputItem): string {
  if (item.type === 'custom_tool_call') return item.input === '' ? 'no input' : `custom ${item.name}`
  if (item.type !== 'function_call') return item.type
  if (typeof JSON.parse(item.arguments) !== 'object') return item.arguments
  return item.namespace === undefined ? item.name : `${item.namespace}/${item.name}`
}

test('reasoning is an item of its own and comes back to the model that made it', async (t) => {
  for (const provider of PROVIDERS) {
    const request = { model: `${provider}/reason`, store: false, reasoning: { effort: 'low' as const } }
    const include = ['reasoning.encrypted_content' as const]
    const input: OpenAI.Responses.ResponseInputItem[] = [{ role: 'user', content: 'Think about it' }]
    const first = await client.responses.stream({ ...request, include, input }).finalResponse()
    t.same(
      first.output.map(({ type }) => type),
      ['reasoning', 'message'],
      provider,
    )
    t.equal(first.output_text, 'Think about it')
    t.match(first.output[0], { summary: [{ type: 'summary_text', text: /step by step/ }] })
    input.push(...(first.output as OpenAI.Responses.ResponseInputItem[]), { role: 'user', content: 'And again' })
    const { data, response } = await client.responses.create({ ...request, include, input }).withResponse()
    t.equal(data.output_text, 'And again', provider)
    const dropped = response.headers.get('x-sluice-dropped') ?? ''
    const isKept = provider === 'responses' || provider === 'anthropic' || provider === 'google'
    if (isKept) t.notMatch(dropped, /reasoning/, provider)
  }
})

test('JSON by a schema is parsed by the client, over every wire', async (t) => {
  const schema = {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  }
  for (const provider of PROVIDERS) {
    const format = { type: 'json_schema' as const, name: 'place', schema, strict: true }
    // This provider is asked for JSON by a forced tool, which only this simulated model calls.
    const model = `${provider}/${provider === 'anthropic' ? 'tools' : 'echo'}`
    const parsed = await client.responses.parse({ model, input: 'A place', text: { format } })
    t.type((parsed.output_parsed as { city?: unknown } | null)?.city, 'string', provider)
  }
})

test('a cap ends an answer as incomplete, with what there is', async (t) => {
  for (const provider of PROVIDERS) {
    const request = { model: `${provider}/lorem-max`, input: 'Go on', max_output_tokens: 5 }
    const whole = await client.responses.create(request)
    const streamed = await client.responses.stream(request).finalResponse()
    for (const answer of [whole, streamed]) {
      t.match(answer, { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } }, provider)
      t.match(answer.output.at(-1), { status: 'incomplete' })
      t.match(answer.output_text, /^lorem ipsum/)
    }
  }
})

test('errors arrive as the client library knows them, before any provider is called where that is possible', async (t) => {
  const input = 'Hi'
  const model = 'anthropic/echo'
  await rejectsWith(t, client.responses.create({ model: 'nobody/nothing', input }), {
    status: 404,
    code: 'model_not_found',
  })
  await rejectsWith(t, clientOf(gateway, 'wrong-key').responses.create({ model, input }), { status: 401 })
  await rejectsWith(t, client.responses.create({ model, input: [{ role: 'user', content: 7 as never }] }), {
    status: 400,
    param: 'input.0.content',
  })
  for (const provider of PROVIDERS) {
    const refused = client.responses.create({ model: `${provider}/lorem-max+fault=status,422`, input })
    await rejectsWith(t, refused, { status: 422 })
  }
  const cases = [
    [{ previous_response_id: 'resp_1' }, 'previous_response_not_found', 'previous_response_id'],
    [{ conversation: 'conv_1' }, 'conversation_not_found', 'conversation'],
    [{ background: true, store: false }, 'unsupported_parameter', 'background'],
    [{ input: [{ type: 'item_reference', id: 'msg_1' }] }, 'item_not_found', 'input.0'],
  ] as const
  for (const provider of PROVIDERS) {
    for (const [over, code, param] of cases) {
      for (const stream of [false, true]) {
        const request = { model: `${provider}/echo`, input, stream, ...over } as OpenAI.Responses.ResponseCreateParams
        const error = await client.responses.create(request).catch((thrown: unknown) => thrown)
        t.match(error, { status: 400, code, param, type: 'invalid_request_error' }, `${provider} ${code}`)
        const headers = (error as { headers: Headers }).headers
        t.notOk(headers.has('x-sluice-target'), 'no provider was asked')
      }
    }
  }
})

test('items of tools that the vendor runs pass to it, and are refused by name for another', async (t) => {
  const input = [
    { role: 'user', content: 'Find it' },
    { type: 'web_search_call', id: 'ws_1', status: 'completed', action: { type: 'search', query: 'x' } },
    { role: 'user', content: 'And?' },
  ] as OpenAI.Responses.ResponseInput
  t.equal((await client.responses.create({ model: 'responses/echo', input })).output_text, 'And?')
  for (const provider of FOREIGN) {
    await rejectsWith(t, client.responses.create({ model: `${provider}/echo`, input }), {
      status: 400,
      param: 'input.1',
      message: /'web_search_call'/,
    })
  }
})

test('an error in mid-stream is raised by raw iteration and by the helper, and tells of a failed response', async (t) => {
  for (const provider of PROVIDERS) {
    const model = `${provider}/lorem-max+fault=error-frame,4`
    const request = { model, input: 'Go on', max_output_tokens: 50 }
    const stream = await client.responses.create({ ...request, stream: true })
    let text = ''
    const read = async () => {
      for await (const event of stream) if (event.type === 'response.output_text.delta') text += event.delta
    }
    await rejectsWith(t, read(), /Simulated failure/)
    t.match(text, /^lorem ipsum/, `${provider} what came before`)
    await rejectsWith(t, client.responses.stream(request).finalResponse(), /Simulated failure/)
    const raw = await post({ ...request, stream: true })
    t.match(raw, /event: error\ndata: .*"error":\{.*\n\nevent: response\.failed\ndata: .*"status":"failed"/, provider)
    t.notMatch(raw, /\[DONE\]/)
    const numbers = [...raw.matchAll(/"sequence_number":(\d+)/g)].map(([, digits]) => Number(digits))
    t.same(
      numbers,
      numbers.map((_, i) => i),
      `${provider} numbers go on`,
    )
  }
})

async function post(body: object): Promise<string> {
  const answer = await fetch(`${gateway.origin}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    body: JSON.stringify(body),
  })
  return answer.text()
}

test('a client that aborts stops its upstream, and the outcome says so', async (t) => {
  const { client, gateway } = await start(t, ['--tokens-per-second', '20'])
  for (const provider of PROVIDERS) {
    const controller = new AbortController()
    const { data: stream, response } = await client.responses
      .create(
        { model: `${provider}/lorem-max`, input: 'Go on', max_output_tokens: 2000, stream: true },
        { signal: controller.signal },
      )
      .withResponse()
    let seen = 0
    try {
      for await (const event of stream) {
        if (event.type === 'response.output_text.delta') seen += 1
        if (seen === 3) controller.abort()
      }
    } catch {
      // An aborted stream may throw or just end, as the library likes.
    }
    const line = await gateway.exchange(response.headers.get('x-request-id') ?? '')
    t.equal(line.outcome, 'client_gone', provider)
  }
})

/** What the gateway decides of a response that is not stored. */
const OURS = { store: false, background: false, previous_response_id: null }

test('the same API on both sides: bytes pass but for the model, store, and reasoning that the provider cannot read', async (t) => {
  const keepalive = 'data: {"type":"keepalive"}\n\n'
  const created = {
    type: 'response.created',
    sequence_number: 0,
    response: { ...OURS, id: 'resp_9', status: 'in_progress', output: [] },
  }
  const ended = {
    type: 'response.completed',
    sequence_number: 2,
    response: { ...OURS, id: 'resp_9', status: 'completed', output: [] },
  }
  const delta = '{"type":"response.output_text.delta", "sequence_number":1,"delta":"a","obfuscation":"xy"}'
  const frames = [JSON.stringify(created), delta, JSON.stringify(ended)].map((data) => `data: ${data}\n\n`)
  const upstream = await ScriptedUpstream.listen(
    answer(streamHead(), chunk(`${frames[0]}${keepalive}${frames[1]}${frames[2]}data: [DONE]\n\n`), LAST_CHUNK),
  )
  t.teardown(() => upstream.close())
  const gateway = await startGateway(t, {
    config: {
      providers: { up: { protocol: 'openai-responses', baseUrl: upstream.origin } },
      models: { mine: { targets: [{ provider: 'up', model: 'theirs' }] } },
    },
  })
  const ask = async (body: string) => {
    const headers = { 'content-type': 'application/json' }
    return (await fetch(`${gateway.origin}/v1/responses`, { method: 'POST', headers, body })).text()
  }
  const bodyOf = (i: number) => upstream.requests[i]?.body.toString()
  const odd =
    '{ "model": "mine", "stream":true, "store": false, "input" : [{"type":"web_search_call","id":"w"}], "x": 1.50 }'
  const passed = await ask(odd)
  const [, id = ''] = /"id":"(resp_[\w-]{32})"/.exec(passed) ?? []
  t.equal(
    passed,
    frames.join('').replaceAll('resp_9', id),
    'frames pass byte for byte but for the id; the keepalive event and the end marker do not',
  )
  t.equal(bodyOf(0), odd.replace('"mine"', '"theirs"'))
  await ask(
    '{"model":"mine","stream":true,"input":[{"type":"reasoning","summary":[],"encrypted_content":"sluice:s:EqQB"}]}',
  )
  t.equal(bodyOf(1), '{"store":false,"model":"theirs","stream":true,"input":[]}')
})

test('input tokens are counted or estimated for any model that the key may use, and nothing is run or charged', async (t) => {
  const input = 'Zażółć gęślą jaźń '.repeat(100)
  for (const provider of PROVIDERS) {
    const request = { model: `${provider}/echo`, input }
    const { data, response } = await client.responses.inputTokens.count(request).withResponse()
    t.match(data, { object: 'response.input_tokens', input_tokens: Number })
    const bytes = Buffer.byteLength(JSON.stringify(request))
    t.ok(Math.abs(data.input_tokens - bytes / 4) < bytes / 40, `${provider} ${data.input_tokens}`)
    const counts = ['anthropic', 'responses', 'google'].includes(provider)
    t.equal(response.headers.get('x-sluice-estimated'), counts ? null : 'input_tokens', provider)
    const line = await gateway.exchange(response.headers.get('x-request-id') ?? '')
    t.match(line, { outcome: 'complete', status: 200, attempts: counts ? 1 : 0, tokens: { in: 0, out: 0 } })
  }
  await rejectsWith(t, client.responses.inputTokens.count({ model: 'nobody/nothing', input }), { status: 404 })
  await rejectsWith(t, client.responses.inputTokens.count({ input }), { status: 400, param: 'model' })
})

test('a coding agent’s request passes to every provider; what it cannot have is named', async (t) => {
  const parameters = {
    type: 'object',
    properties: { cmd: { type: 'string' } },
    required: ['cmd'],
    additionalProperties: false,
  }
  const agent = {
    instructions: 'You are a coding agent.',
    input: [
      { type: 'message', role: 'developer', content: [{ type: 'input_text', text: '<permissions/>' }] },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: '<environment/>' }] },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'List the files.' }] },
    ],
    tools: [
      { type: 'function', name: 'exec_command', description: 'Runs a command', strict: false, parameters },
      { type: 'custom', name: 'apply_patch', format: { type: 'grammar', syntax: 'lark', definition: 'start: "x"' } },
      { type: 'web_search', external_web_access: false },
    ],
    tool_choice: 'auto',
    parallel_tool_calls: true,
    reasoning: { effort: 'medium', summary: 'auto' },
    store: false,
    stream: true,
    include: ['reasoning.encrypted_content'],
    prompt_cache_key: '0199',
    text: { verbosity: 'low' },
    client_metadata: { session: 'x' },
  }
  for (const provider of PROVIDERS) {
    const request = {
      ...agent,
      model: `${provider}/tools`,
    } as unknown as OpenAI.Responses.ResponseCreateParamsStreaming
    const { data, response } = await client.responses.create(request).withResponse()
    const last = (await eventsOf(t, data)).at(-1)
    t.match(last, {
      type: 'response.completed',
      response: { output: [{ name: 'exec_command' }, { name: 'apply_patch' }] },
    })
    const dropped = (response.headers.get('x-sluice-dropped') ?? '').split(', ')
    const named =
      provider === 'responses' ? [''] : ['prompt_cache_key', 'client_metadata', 'verbosity', 'tools.web_search']
    t.same(dropped, named, provider)
  }
})

test('silence is filled by a comment of one line, which no client takes for an event', async (t) => {
  const [before, after] = ['response.created', 'response.completed'].map((type, i) => {
    const response = { id: 'resp_9', status: i === 0 ? 'in_progress' : 'completed', output: [] }
    return `data: ${JSON.stringify({ type, sequence_number: i, response })}\n\n`
  })
  const upstream = await ScriptedUpstream.listen(
    answer(streamHead(), chunk(before ?? ''), { wait: 'go', name: 'end' }, chunk(after ?? ''), LAST_CHUNK),
  )
  t.teardown(() => upstream.close())
  const gateway = await startGateway(t, {
    config: {
      server: { keepaliveMs: 100 },
      providers: { up: { protocol: 'openai-responses', baseUrl: upstream.origin } },
    },
  })
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ model: 'up/m', stream: true, store: false, input: 'Hi' })
  const reader = (await fetch(`${gateway.origin}/v1/responses`, { method: 'POST', headers, body })).body?.getReader()
  let text = ''
  for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader?.read()) {
    text += Buffer.from(part.value).toString()
    upstream.go('end')
  }
  t.match(text, /^(: ping\n)+data: /)
  const stream = clientOf(gateway, 'none').responses.stream({ model: 'up/m', store: false, input: 'Hi' })
  t.equal((await stream.finalResponse()).status, 'completed')
})

test('tools find their kind again when the work is done in another thread', async (t) => {
  const simulator = await startSimulator(t)
  const gateway = await startGateway(t, {
    config: { offload: { minBytes: 0 }, providers: simulatedProviders(simulator.origin) },
  })
  const client = clientOf(gateway, 'none')
  for (const provider of FOREIGN) {
    const request = { model: `${provider}/tools`, tools: [...TOOLS, NAMESPACE], input: 'Go', store: false }
    for (const { output } of [
      await client.responses.create(request),
      await client.responses.stream(request).finalResponse(),
    ]) {
      t.same(output.map(nameOf), ['weather', 'custom patch', 'files/read'], provider)
    }
  }
})

test('a GET without an upgrade is sent to POST, and an answer that is not stored is not there', async (t) => {
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${gateway.origin}${path}`, { headers: { authorization: `Bearer ${KEY}`, ...headers } })
  const upgrade = await get('/v1/responses')
  t.equal(upgrade.status, 426)
  t.match(await upgrade.json(), { error: { message: /send POST/, type: 'invalid_request_error' } })
  const stored = await get('/v1/responses/resp_1')
  t.equal(stored.status, 404)
  t.match(await stored.json(), { error: { message: "Response with id 'resp_1' not found." } })
})
