// The simulated Anthropic wire: event order, cumulative usage, blocks and errors as the vendor's reference shows them.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { post, sseObjects, startSimulator } from '../../helpers/simulator.js'

const messages = [{ role: 'user', content: 'hello brave' }]
const tool = { name: 'weather', input_schema: { type: 'object', properties: { city: { type: 'string' } } } }

/** Event types in order, repeated ones once. */
function order(text: string): string {
  const types = sseObjects(text).map((event) => (typeof event.type === 'string' ? event.type : '?'))
  return types.filter((type, at) => type !== types[at - 1]).join(' ')
}

test('streams a text block in the order of the reference, usage cumulative at the end', async (t) => {
  const { origin } = await startSimulator(t)
  const body = { model: 'echo', max_tokens: 100, system: 'abcd', messages, stream: true }
  const got = await post(`${origin}/v1/messages`, body)
  t.equal(
    order(got.text),
    'message_start ping content_block_start content_block_delta content_block_stop message_delta message_stop',
  )
  for (const frame of got.text.split('\n\n').filter((text) => text !== '')) {
    const [, name, type] = /^event: (.*)\ndata: \{"type":"([a-z_]+)"/.exec(frame) ?? []
    t.equal(name, type)
  }
  const events = sseObjects(got.text)
  t.match(events[0], { message: { role: 'assistant', content: [], usage: { input_tokens: 4, output_tokens: 1 } } })
  t.match(events.at(-2), { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 2 } })
})

test('gives a whole message', async (t) => {
  const { origin } = await startSimulator(t)
  const got = await post(`${origin}/v1/messages`, { model: 'echo', max_tokens: 1, messages })
  t.match(got.json, {
    type: 'message',
    role: 'assistant',
    content: [{ type: 'text', text: 'hello' }],
    stop_reason: 'max_tokens',
    usage: { input_tokens: 3, output_tokens: 1 },
  })
})

test('names the stop sequence it met', async (t) => {
  const { origin } = await startSimulator(t)
  const body = { model: 'echo', max_tokens: 9, messages, stop_sequences: [' b'] }
  const got = await post(`${origin}/v1/messages`, body)
  t.match(got.json, { content: [{ text: 'hello' }], stop_reason: 'stop_sequence', stop_sequence: ' b' })
})

test('signs the thinking block before the text opens, and indices count up', async (t) => {
  const { origin } = await startSimulator(t)
  const body = { model: 'reason', max_tokens: 100, messages }
  const got = await post(`${origin}/v1/messages`, { ...body, stream: true })
  const seen = sseObjects(got.text)
    .filter((event) => 'index' in event)
    .map((event) => {
      const part = (event.delta ?? event.content_block ?? {}) as JsonObject
      return `${event.index}:${String(part.type ?? 'stop')}`
    })
  t.same(
    seen.filter((text, at) => text !== seen[at - 1]),
    ['0:thinking', '0:thinking_delta', '0:signature_delta', '0:stop', '1:text', '1:text_delta', '1:stop'],
  )
  const whole = await post(`${origin}/v1/messages`, body)
  t.match(whole.json, {
    content: [
      { type: 'thinking', signature: /=$/ },
      { type: 'text', text: 'hello brave' },
    ],
  })
})

test('closes the blocks of an answer that ends while thinking', async (t) => {
  const { origin } = await startSimulator(t)
  const got = await post(`${origin}/v1/messages`, { model: 'reason', max_tokens: 3, messages, stream: true })
  t.match(got.text, /signature_delta.*content_block_stop.*"stop_reason":"max_tokens"/s)
  t.equal(got.text.match(/content_block_start"/g)?.length, 1)
  t.equal(got.text.match(/content_block_stop"/g)?.length, 1)
})

test('streams tool calls as blocks of their own and answers their results', async (t) => {
  const { origin } = await startSimulator(t)
  const url = `${origin}/v1/messages`
  const body = { model: 'tools', max_tokens: 100, messages, tools: [tool, { ...tool, name: 'clock' }] }
  const got = await post(url, { ...body, stream: true })
  const inputs: string[] = []
  for (const event of sseObjects(got.text)) {
    const delta = (event.delta ?? {}) as JsonObject
    if (delta.type === 'input_json_delta')
      inputs[Number(event.index)] = (inputs[Number(event.index)] ?? '') + delta.partial_json
  }
  t.same(inputs, ['{"city":"text"}', '{"city":"text"}'])
  t.match(sseObjects(got.text).at(-2), { delta: { stop_reason: 'tool_use' } })
  const whole = await post(url, { ...body, tool_choice: { type: 'tool', name: 'clock' } })
  t.match(whole.json, { content: [{ type: 'tool_use', name: 'clock', input: { city: 'text' } }] })
  const single = await post(url, { ...body, tool_choice: { type: 'auto', disable_parallel_tool_use: true } })
  t.match(single.json, { content: { length: 1 } })
  const result = {
    role: 'user',
    content: [{ type: 'tool_result', tool_use_id: 'x', content: [{ type: 'text', text: 'sunny' }] }],
  }
  const answered = await post(url, { ...body, messages: [...messages, { role: 'assistant', content: [] }, result] })
  t.match(answered.json, { content: [{ text: 'The tools say: sunny' }], stop_reason: 'end_turn' })
  const none = await post(url, { ...body, tool_choice: { type: 'none' } })
  t.match(none.json, { content: [{ text: 'No tools were offered.' }] })
})

test('answers a schema with its least instance', async (t) => {
  const { origin } = await startSimulator(t)
  const format = { type: 'json_schema', schema: { type: 'object', properties: { n: { type: 'integer', minimum: 3 } } } }
  const got = await post(`${origin}/v1/messages`, { model: 'echo', max_tokens: 9, messages, output_config: { format } })
  t.match(got.json, { content: [{ text: '{"n":3}' }] })
})

test('errors have the vendor’s shape', async (t) => {
  const { origin } = await startSimulator(t, { requireKey: 'k' })
  const url = `${origin}/v1/messages`
  const key = { 'x-api-key': 'k' }
  const rows: Array<[unknown, Record<string, string>, number, string, RegExp]> = [
    [{ model: 'echo', max_tokens: 9, messages }, {}, 401, 'authentication_error', /key/],
    [{ model: 'nope', max_tokens: 9, messages }, key, 404, 'not_found_error', /nope/],
    [{ model: 'echo', messages }, key, 400, 'invalid_request_error', /max_tokens: Field required/],
    [{ max_tokens: 1, messages }, key, 400, 'invalid_request_error', /model/],
    [{ model: 'echo', max_tokens: 1 }, key, 400, 'invalid_request_error', /messages/],
    [{ model: 'echo', max_tokens: 1, messages: [] }, key, 400, 'invalid_request_error', /messages/],
    [{ model: 'echo' }, { ...key, 'anthropic-version': '' }, 400, 'invalid_request_error', /anthropic-version/],
  ]
  for (const [body, headers, status, type, message] of rows) {
    const got = await post(url, body, headers)
    t.equal(got.status, status)
    t.match(got.json, { type: 'error', error: { type, message } })
  }
})
