// Open Responses, the specification that several vendors share: the cases of its compliance suite, over each of the upstream wires, and
// the members that it requires of a response, whole and in each event (openresponses.org, ResponseResource, November 2026).
import { type Test, t as tap, test } from 'tap'
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/model/json.js'
import { simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'

const KEY = 'test-key-0123456789abcdef'
const PROVIDERS = ['responses', 'openai', 'anthropic', 'google', 'ollama'] as const
const PIXEL =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=='

type Kind = 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object' | 'null'
/** Each member must be there, with one of these kinds of value. */
const REQUIRED: Readonly<Record<string, readonly Kind[]>> = {
  id: ['string'],
  object: ['string'],
  created_at: ['integer'],
  completed_at: ['integer', 'null'],
  status: ['string'],
  incomplete_details: ['object', 'null'],
  model: ['string'],
  previous_response_id: ['string', 'null'],
  instructions: ['string', 'array', 'null'],
  output: ['array'],
  error: ['object', 'null'],
  tools: ['array'],
  tool_choice: ['string', 'object'],
  truncation: ['string'],
  parallel_tool_calls: ['boolean'],
  text: ['object'],
  top_p: ['integer', 'number'],
  presence_penalty: ['integer', 'number'],
  frequency_penalty: ['integer', 'number'],
  top_logprobs: ['integer'],
  temperature: ['integer', 'number'],
  reasoning: ['object', 'null'],
  user: ['string', 'null'],
  usage: ['object', 'null'],
  max_output_tokens: ['integer', 'null'],
  max_tool_calls: ['integer', 'null'],
  store: ['boolean'],
  background: ['boolean'],
  service_tier: ['string'],
  metadata: ['object'],
  safety_identifier: ['string', 'null'],
  prompt_cache_key: ['string', 'null'],
}
const USAGE = ['input_tokens', 'output_tokens', 'total_tokens'] as const

const simulator = await startSimulator(tap)
const gateway = await startGateway(tap, {
  config: { keys: [{ name: 'test', key: KEY }], providers: simulatedProviders(simulator.origin) },
})

function kindOf(value: JsonValue | undefined): Kind | 'missing' {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value as 'string' | 'boolean' | 'object'
}

/** What of a response the specification does not allow. */
function faultsOf(response: JsonValue | undefined): string[] {
  if (!isJsonObject(response)) return ['no response']
  const wrong = Object.entries(REQUIRED).filter(([name, kinds]) => {
    const kind = kindOf(response[name])
    return kind === 'missing' || !kinds.includes(kind)
  })
  return wrong.map(([name]) => `${name}: ${kindOf(response[name])}`)
}

async function ask(body: JsonObject): Promise<Response> {
  return fetch(`${gateway.origin}/v1/responses`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

/** A whole answer, which must be completed and sound. */
async function answerTo(t: Test, body: JsonObject): Promise<JsonObject> {
  const answer = await ask(body)
  const response = (await answer.json()) as JsonObject
  const { model } = body
  t.equal(answer.status, 200, `${model}: ${JSON.stringify(response.error)}`)
  t.same(faultsOf(response), [], `${model}`)
  t.match(response, { object: 'response', status: 'completed' }, `${model}`)
  t.ok(Array.isArray(response.output) && response.output.length > 0, `${model}`)
  for (const name of USAGE) t.type((response.usage as JsonObject)[name], 'number', `${model} ${name}`)
  t.match(response.usage, {
    input_tokens_details: { cached_tokens: Number },
    output_tokens_details: { reasoning_tokens: Number },
  })
  return response
}

/** The events of a stream, each response in them sound. */
async function eventsOf(t: Test, body: JsonObject): Promise<JsonObject[]> {
  const answer = await ask({ ...body, stream: true })
  t.match(answer.headers.get('content-type'), /^text\/event-stream/)
  const frames = (await answer.text()).split('\n\n').filter((frame) => frame.includes('data: '))
  const events = frames.map((frame) => JSON.parse(frame.slice(frame.indexOf('data: ') + 'data: '.length)) as JsonObject)
  for (const { response, type } of events) if (response !== undefined) t.same(faultsOf(response), [], `${type}`)
  const last = events.at(-1)
  t.match(last, { type: 'response.completed', response: { status: 'completed' } }, `${body.model}`)
  return events
}

const user = (content: JsonValue): JsonObject => ({ type: 'message', role: 'user', content })
const WEATHER = {
  type: 'function',
  name: 'get_weather',
  description: 'Get the current weather for a location',
  parameters: { type: 'object', properties: { location: { type: 'string' } }, required: ['location'] },
}

for (const provider of PROVIDERS) {
  test(`${provider}: a text, a system prompt, an image, several turns`, async (t) => {
    const model = `${provider}/echo`
    await answerTo(t, { model, input: [user('Say hello in exactly 3 words.')] })
    const system = { type: 'message', role: 'system', content: 'You are a pirate.' }
    await answerTo(t, { model, input: [system, user('Say hello.')] })
    const parts = [
      { type: 'input_text', text: 'What do you see in this image?' },
      { type: 'input_image', image_url: PIXEL },
    ]
    await answerTo(t, { model, input: [user(parts)] })
    const said = { type: 'message', role: 'assistant', content: 'Hello Alice! How can I help you today?' }
    await answerTo(t, { model, input: [user('My name is Alice.'), said, user('What is my name?')] })
  })

  test(`${provider}: a stream`, async (t) => {
    const events = await eventsOf(t, { model: `${provider}/echo`, input: [user('Count from 1 to 5.')] })
    t.match(events[0], { type: 'response.created' })
  })

  test(`${provider}: a tool is called, whole and streamed`, async (t) => {
    const body = { model: `${provider}/tools`, input: [user("What's the weather like?")], tools: [WEATHER] }
    const { output } = await answerTo(t, body)
    t.match(
      (output as JsonObject[]).find(({ type }) => type === 'function_call'),
      { name: 'get_weather', call_id: String, arguments: /location/ },
    )
    const events = await eventsOf(t, body)
    const ofCall = (type: string) =>
      events.find(({ type: each, item }) => each === type && isJsonObject(item) && item.type === 'function_call')
    t.ok(ofCall('response.output_item.added'))
    t.ok(ofCall('response.output_item.done'))
    for (const end of ['delta', 'done']) {
      t.ok(
        events.some(({ type }) => type === `response.function_call_arguments.${end}`),
        end,
      )
    }
  })
}
