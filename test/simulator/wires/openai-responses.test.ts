// The simulated OpenAI responses wire: streams, whole answers and errors as the vendor's reference shows them.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { post, sseObjects, startSimulator } from '../../helpers/simulator.js'

const input = [
  { role: 'developer', content: 'Be brief.' },
  { role: 'user', content: [{ type: 'input_text', text: 'hello brave  new wörld' }] },
]
const weather = {
  type: 'function',
  name: 'weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  strict: true,
}
const patch = { type: 'custom', name: 'patch' }

type Event = { type: string; sequence_number: number; delta?: string; item?: JsonObject; response?: JsonObject }

async function stream(origin: string, body: object): Promise<Event[]> {
  const got = await post(`${origin}/v1/responses`, { input, stream: true, ...body })
  return sseObjects(got.text) as unknown as Event[]
}

const outputOf = (event: Event | undefined) => (event?.response?.output ?? []) as JsonObject[]
const typesOf = (events: readonly Event[]) => [...new Set(events.map(({ type }) => type.replace('response.', '')))]

test('echoes word by word, numbers its events, and ends with the whole response', async (t) => {
  const { origin } = await startSimulator(t)
  const events = await stream(origin, { model: 'echo' })
  t.same(
    events.map((event) => event.sequence_number),
    events.map((_, i) => i),
  )
  t.same(typesOf(events), [
    ...['created', 'in_progress', 'output_item.added', 'content_part.added', 'output_text.delta'],
    ...['output_text.done', 'content_part.done', 'output_item.done', 'completed'],
  ])
  t.same(
    events.flatMap(({ delta }) => delta ?? []),
    ['hello', ' brave', '  new', ' wörld'],
  )
  const whole = await post(`${origin}/v1/responses`, { input, model: 'echo' })
  t.match(events.at(-1)?.response, {
    object: 'response',
    status: 'completed',
    store: false,
    output: [{ type: 'message', content: [{ text: 'hello brave  new wörld' }] }],
    usage: { input_tokens: 8, output_tokens: 4, total_tokens: 12 },
  })
  t.match(whole.json, {
    status: 'completed',
    output: [{ content: [{ text: 'hello brave  new wörld' }] }],
    model: 'echo',
  })
})

test('thinks in a summary, with its encrypted form only if it is asked for', async (t) => {
  const { origin } = await startSimulator(t)
  const plain = await stream(origin, { model: 'reason' })
  t.same(typesOf(plain).slice(2, 8), [
    ...['output_item.added', 'reasoning_summary_part.added', 'reasoning_summary_text.delta'],
    ...['reasoning_summary_text.done', 'reasoning_summary_part.done', 'output_item.done'],
  ])
  t.match(plain.at(-1)?.response, { output: [{ type: 'reasoning', summary: [{}] }, { type: 'message' }] })
  const asked = await stream(origin, { model: 'reason', include: ['reasoning.encrypted_content'] })
  const encrypted = (event: Event | undefined) => outputOf(event)[0]?.encrypted_content
  t.type(encrypted(asked.at(-1)), 'string')
  t.equal(encrypted(plain.at(-1)), undefined)
})

test('calls each tool once, custom ones with raw input, and then answers their results', async (t) => {
  const { origin } = await startSimulator(t)
  const events = await stream(origin, { model: 'tools', tools: [weather, patch] })
  t.match(events.at(-1)?.response, {
    output: [
      { type: 'function_call', name: 'weather', arguments: /^\{"city":/, status: 'completed' },
      { type: 'custom_tool_call', name: 'patch', input: /./ },
    ],
  })
  t.ok(typesOf(events).includes('custom_tool_call_input.done'))
  const one = { model: 'tools', tools: [weather, patch], tool_choice: { type: 'function', name: 'weather' } }
  t.equal((await stream(origin, one)).filter(({ type }) => type === 'response.output_item.done').length, 1)
  const none = await stream(origin, { ...one, tool_choice: 'none' })
  t.match(none.at(-1)?.response, { output: [{ type: 'message' }] })
  const serial = await stream(origin, { ...one, tool_choice: 'auto', parallel_tool_calls: false })
  t.equal(outputOf(serial.at(-1)).length, 1)
  const results = [...input, { type: 'function_call_output', call_id: 'c', output: '21 degrees' }]
  const after = await stream(origin, { ...one, input: results })
  t.match(after.at(-1)?.response, { output: [{ type: 'message', content: [{ text: /21 degrees/ }] }] })
})

test('a cap ends it early, a schema makes JSON', async (t) => {
  const { origin } = await startSimulator(t)
  const capped = await stream(origin, { model: 'lorem', max_output_tokens: 3 })
  t.match(capped.at(-1), {
    type: 'response.incomplete',
    response: { incomplete_details: { reason: 'max_output_tokens' }, output: [{ status: 'incomplete' }] },
  })
  const format = { type: 'json_schema', name: 'n', schema: weather.parameters }
  const { json } = await post(`${origin}/v1/responses`, { input: 'x', model: 'echo', text: { format } })
  t.match(json, { output: [{ content: [{ text: /^\{"city":/ }] }] })
  const plain = await post(`${origin}/v1/responses`, {
    input: 'x',
    model: 'echo',
    text: { format: { type: 'json_object' } },
  })
  t.match(plain.json, { output: [{ content: [{ text: '{}' }] }] })
})

test('refuses what the vendor refuses, in its envelope', async (t) => {
  const { origin } = await startSimulator(t, { requireKey: 'k' })
  const ask = async (body: object, key = 'k') => {
    const got = await post(`${origin}/v1/responses`, body, { authorization: `Bearer ${key}` })
    return [got.status, (got.json.error as JsonObject).code]
  }
  t.same(await ask({ input }), [400, null])
  t.same(await ask({ model: 'echo' }), [400, 'missing_required_parameter'])
  t.same(await ask({ model: 'echo', input, previous_response_id: 'resp_1' }), [400, 'previous_response_not_found'])
  t.same(await ask({ model: 'nobody', input }), [404, 'model_not_found'])
  t.same(await ask({ model: 'echo', input }, 'x'), [401, 'invalid_api_key'])
  t.same(await ask({ model: 'echo+fault=status,429', input }), [429, 'rate_limit_exceeded'])
  t.same(await ask({ model: 'echo+fault=status,500', input }), [500, null])
})

test('an error within a stream is an event of it', async (t) => {
  const { origin } = await startSimulator(t)
  const got = await post(`${origin}/v1/responses`, { model: 'echo+fault=error-frame', input, stream: true })
  t.match(sseObjects(got.text).at(-1), { type: 'error', message: 'Simulated failure.' })
  const models = await (await fetch(`${origin}/v1/models`)).json()
  t.match(models, { object: 'list' })
})
