// The simulated OpenAI chat wire: streams, whole answers and errors as the vendor's reference shows them.
import { test } from 'tap'
import { post, sseObjects, ssePayloads, startSimulator } from '../../helpers/simulator.js'

const messages = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: [{ type: 'text', text: 'hello brave  new wörld' }] },
]
const weather = {
  type: 'function',
  function: {
    name: 'weather',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer' } },
      required: ['city'],
    },
  },
}
const clock = { type: 'function', function: { name: 'clock', parameters: { type: 'object', properties: {} } } }

test('echoes word by word, ends with finish reason, usage when asked, and [DONE]', async (t) => {
  const { origin } = await startSimulator(t)
  const body = { model: 'echo', messages, stream: true, stream_options: { include_usage: true } }
  const got = await post(`${origin}/v1/chat/completions`, body)
  t.equal(got.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  t.equal(ssePayloads(got.text).at(-1), '[DONE]')
  const chunks = sseObjects(got.text)
  const usage = chunks.pop()
  t.match(usage, { choices: [], usage: { prompt_tokens: 8, completion_tokens: 4, total_tokens: 12 } })
  t.same(
    chunks.map((chunk) => (chunk as unknown as Chunk).choices[0]?.delta.content),
    ['', 'hello', ' brave', '  new', ' wörld', undefined],
  )
  t.match(chunks[0], { object: 'chat.completion.chunk', model: 'echo', usage: null })
  t.match(chunks.at(-1), { choices: [{ delta: {}, finish_reason: 'stop' }] })
  t.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1)
})

type Delta = { content?: string; reasoning_content?: string; tool_calls?: ToolDelta[] }
type ToolDelta = { index: number; id?: string; function: { name?: string; arguments: string } }
type Chunk = { choices: Array<{ delta: Delta; finish_reason: string | null }>; usage?: unknown }

test('leaves usage out of a stream that did not ask for it', async (t) => {
  const { origin } = await startSimulator(t)
  const got = await post(`${origin}/v1/chat/completions`, { model: 'echo', messages, stream: true })
  for (const chunk of sseObjects(got.text)) t.notOk('usage' in chunk)
})

test('gives a whole answer with exact usage', async (t) => {
  const { origin } = await startSimulator(t)
  const got = await post(`${origin}/v1/chat/completions`, { model: 'echo', messages })
  t.equal(got.headers.get('content-type'), 'application/json')
  t.match(got.json, {
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content: 'hello brave  new wörld' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 8, completion_tokens: 4, total_tokens: 12 },
  })
})

test('lorem is as long as its name says, the same each time, and a cap below that ends it by length', async (t) => {
  const { origin } = await startSimulator(t, { defaultTokens: 7 })
  const url = `${origin}/v1/chat/completions`
  const first = await post(url, { model: 'lorem', messages, max_completion_tokens: 3 })
  t.match(first.json, { choices: [{ message: { content: 'lorem ipsum dolor' }, finish_reason: 'length' }] })
  const plain = await post(url, { model: 'lorem', messages })
  t.match(plain.json, { choices: [{ finish_reason: 'stop' }], usage: { completion_tokens: 7 } })
  const named = await post(url, { model: 'lorem-5', messages, max_tokens: 100 })
  t.match(named.json, { choices: [{ finish_reason: 'stop' }], usage: { completion_tokens: 5 } })
})

test('stops before a stop sequence', async (t) => {
  const { origin } = await startSimulator(t)
  const got = await post(`${origin}/v1/chat/completions`, { model: 'echo', messages, stop: ['nothing', 'ave'] })
  t.match(got.json, { choices: [{ message: { content: 'hello br' }, finish_reason: 'stop' }] })
})

test('calls each offered tool once, in parallel, with arguments in pieces', async (t) => {
  const { origin } = await startSimulator(t)
  const body = { model: 'tools', messages, tools: [weather, clock], stream: true }
  const got = await post(`${origin}/v1/chat/completions`, body)
  const calls: Array<{ id: string; name: string; args: string }> = []
  for (const chunk of sseObjects(got.text) as unknown as Chunk[]) {
    for (const call of chunk.choices[0]?.delta.tool_calls ?? []) {
      if (call.id !== undefined) calls[call.index] = { id: call.id, name: call.function.name ?? '', args: '' }
      const known = calls[call.index]
      if (known !== undefined) known.args += call.function.arguments
    }
  }
  t.same(
    calls.map((call) => [call.name, JSON.parse(call.args)]),
    [
      ['weather', { city: 'text' }],
      ['clock', {}],
    ],
  )
  t.not(calls[0]?.id, calls[1]?.id)
  t.match(sseObjects(got.text).at(-1), { choices: [{ finish_reason: 'tool_calls' }] })
})

test('whole answers call tools too; tool choice and parallel_tool_calls count; results are answered with text', async (t) => {
  const { origin } = await startSimulator(t)
  const url = `${origin}/v1/chat/completions`
  const base = { model: 'tools', messages, tools: [weather, clock] }
  const both = await post(url, base)
  t.match(both.json, {
    choices: [{ message: { content: null, tool_calls: [{ type: 'function' }, { type: 'function' }] } }],
  })
  const one = await post(url, { ...base, parallel_tool_calls: false })
  t.match(one.json, { choices: [{ message: { tool_calls: { length: 1 } } }] })
  const named = await post(url, { ...base, tool_choice: { type: 'function', function: { name: 'clock' } } })
  t.match(named.json, { choices: [{ message: { tool_calls: [{ function: { name: 'clock' } }] } }] })
  const none = await post(url, { ...base, tool_choice: 'none' })
  t.match(none.json, { choices: [{ message: { content: 'No tools were offered.' }, finish_reason: 'stop' }] })
  const turn = { role: 'assistant', content: null, tool_calls: [] }
  const answered = await post(url, {
    ...base,
    messages: [...messages, turn, { role: 'tool', content: 'sunny' }, { role: 'tool', content: 'noon' }],
  })
  t.match(answered.json, { choices: [{ message: { content: 'The tools say: sunny noon' } }] })
})

test('thinks in reasoning_content first, and counts it', async (t) => {
  const { origin } = await startSimulator(t)
  const url = `${origin}/v1/chat/completions`
  const got = await post(url, { model: 'reason', messages, stream: true })
  const deltas = (sseObjects(got.text) as unknown as Chunk[]).map((chunk) => chunk.choices[0]?.delta ?? {})
  const kinds = deltas.map((delta) => ('reasoning_content' in delta ? 'r' : delta.content ? 't' : '-')).join('')
  t.match(kinds, /^-r{10,}t{4}-$/)
  const whole = await post(url, { model: 'reason', messages })
  t.match(whole.json, { choices: [{ message: { reasoning_content: /^The user/, content: /^hello/ } }] })
  t.match(whole.json, { usage: { completion_tokens_details: { reasoning_tokens: 15 }, completion_tokens: 19 } })
})

test('answers a schema with its least instance', async (t) => {
  const { origin } = await startSimulator(t)
  const schema = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] }
  const response_format = { type: 'json_schema', json_schema: { name: 'x', schema } }
  const got = await post(`${origin}/v1/chat/completions`, { model: 'lorem', messages, response_format })
  t.match(got.json, { choices: [{ message: { content: '{"ok":true}' } }] })
  const plain = { model: 'echo', messages, response_format: { type: 'json_object' } }
  t.match((await post(`${origin}/v1/chat/completions`, plain)).json, { choices: [{ message: { content: '{}' } }] })
})

test('errors have the vendor’s shape', async (t) => {
  const { origin } = await startSimulator(t, { requireKey: 'k' })
  const url = `${origin}/v1/chat/completions`
  const key = { authorization: 'Bearer k' }
  const rows: Array<[unknown, Record<string, string>, number, object]> = [
    [{ model: 'echo', messages }, {}, 401, { type: 'invalid_request_error', code: 'invalid_api_key' }],
    [{ model: 'gpt-x', messages }, key, 404, { code: 'model_not_found', message: /gpt-x/ }],
    [{ messages }, key, 400, { type: 'invalid_request_error' }],
    [{ model: 'echo' }, key, 400, { param: 'messages', code: 'missing_required_parameter' }],
    [{ model: 'echo', messages: [] }, key, 400, { param: 'messages' }],
    ['{not json', key, 400, { type: 'invalid_request_error' }],
    ['[]', key, 400, { type: 'invalid_request_error' }],
  ]
  for (const [body, headers, status, error] of rows) {
    const got = await post(url, body, headers)
    t.equal(got.status, status)
    t.match(got.json, { error })
  }
  t.equal((await post(url, { model: 'echo', messages }, key)).status, 200)
})
