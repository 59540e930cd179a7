// Stored answers by the official client: conversations that go on by an id, over each of the upstream wires, and what may be done with one
// answer by its owner, and by nobody else.
import OpenAI from 'openai'
import { t as tap, test } from 'tap'
import { type Running, simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'
import { rejectsWith } from '../helpers/rejects.js'
import { answer, ScriptedUpstream, whole } from '../helpers/scripted-upstream.js'

const KEY = 'test-key-0123456789abcdef'
const OTHER_KEY = 'other-key-0123456789abcdef'
const KEYS = [
  { name: 'test', key: KEY },
  { name: 'other', key: OTHER_KEY },
]
const PROVIDERS = ['responses', 'openai', 'anthropic', 'google', 'ollama'] as const
const TOOL: OpenAI.Responses.Tool = {
  type: 'function',
  name: 'weather',
  description: 'Weather of a city',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  strict: false,
}

type Request = Omit<OpenAI.Responses.ResponseCreateParamsNonStreaming, 'stream'>
type Answer = OpenAI.Responses.Response

async function start(t: Teardown, config: object = {}) {
  const simulator = await startSimulator(t)
  const gateway = await startGateway(t, {
    config: { keys: KEYS, providers: simulatedProviders(simulator.origin), ...config },
  })
  return { gateway, client: clientOf(gateway), other: clientOf(gateway, OTHER_KEY) }
}

function clientOf(gateway: Running, apiKey = KEY): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${gateway.origin}/v1`, maxRetries: 0 })
}

const { gateway, client, other } = await start(tap)

const WAYS: readonly (readonly [string, (request: Request) => Promise<Answer>])[] = [
  ['whole', (request) => client.responses.create(request)],
  ['streamed', (request) => client.responses.stream(request).finalResponse()],
]

function idsIn(text: string): string[] {
  return [...text.matchAll(/"id":"(resp_[^"]+)"/g)].map(([, id = '']) => id)
}

for (const provider of PROVIDERS) {
  for (const [way, create] of WAYS) {
    test(`a conversation goes on by the id of its last answer: ${provider}, ${way}`, async (t) => {
      const request = { model: `${provider}/tools`, tools: [TOOL] }
      const first = await create({ ...request, instructions: 'Be brief.', input: 'Weather in Łódź?' })
      const call = first.output.find((item) => item.type === 'function_call')
      if (call === undefined) return void t.fail('no call')
      t.match(first, { store: true })
      t.ok(Number(first.completed_at) >= first.created_at)
      const output = { type: 'function_call_output' as const, call_id: call.call_id, output: '21 degrees' }
      const second = await create({ ...request, previous_response_id: first.id, input: [output] })
      t.match(second.output_text, /21 degrees/, 'the model has seen the call and its result')
      t.equal(second.previous_response_id, first.id)
      t.not(second.id, first.id)
      const third = await create({ model: `${provider}/echo`, previous_response_id: second.id, input: 'Thanks' })
      t.equal(third.output_text, 'Thanks')
      const items = await client.responses.inputItems.list(third.id, { order: 'asc' })
      t.same(
        items.data.map(({ type }) => type),
        ['message', 'function_call', 'function_call_output', 'message', 'message'],
      )
      t.match(items.data[0], { role: 'user', content: [{ type: 'input_text', text: 'Weather in Łódź?' }] })
      t.match(first.output, (await client.responses.retrieve(first.id)).output, 'an answer is found as it was sent')
      t.equal((await client.responses.retrieve(third.id)).instructions, null, 'instructions do not carry over')
    })
  }
}

test('items of stored answers may be named by their ids, as some frameworks do, by their owner alone', async (t) => {
  for (const provider of PROVIDERS) {
    const request = { model: `${provider}/tools`, tools: [TOOL] }
    const first = await client.responses.create({ ...request, input: 'Weather in Łódź?' })
    const call = first.output.find((item) => item.type === 'function_call')
    if (call?.id === undefined) return void t.fail('no call')
    const input: OpenAI.Responses.ResponseInput = [
      { role: 'user', content: 'Weather in Łódź?' },
      { type: 'item_reference', id: call.id },
      { type: 'function_call_output', call_id: call.call_id, output: '21 degrees' },
    ]
    for (const store of [true, false]) {
      const second = await client.responses.create({ ...request, input, store })
      t.match(second.output_text, /21 degrees/, `${provider}, store ${store}: the model has seen the call`)
    }
    const stranger = other.responses.create({ ...request, input })
    await rejectsWith(t, stranger, { status: 400, code: 'item_not_found', param: 'input.1' })
    await client.responses.delete(first.id)
    await rejectsWith(t, client.responses.create({ ...request, input }), { status: 400, code: 'item_not_found' })
  }
})

test('every frame with a response has the id of the gateway, over every wire', async (t) => {
  for (const provider of PROVIDERS) {
    for (const store of [true, false]) {
      const text = await post({ model: `${provider}/echo`, input: 'Hi', stream: true, store })
      const ids = new Set(idsIn(text))
      t.equal(ids.size, 1, `${provider} ${store}`)
      const [id = ''] = ids
      t.match(id, /^resp_[\w-]{32}$/)
      t.notMatch(text, new RegExp(`"store":${!store}`))
      const headers = { authorization: `Bearer ${KEY}` }
      const found = await fetch(`${gateway.origin}/v1/responses/${id}`, { headers })
      t.equal(found.status, store ? 200 : 404)
      if (store) t.ok(text.includes(`"response":${await found.text()}`), 'it is found as it was sent')
    }
  }
})

async function post(body: object): Promise<string> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }
  const init = { method: 'POST', headers, body: JSON.stringify(body) }
  return (await fetch(`${gateway.origin}/v1/responses`, init)).text()
}

test('an answer belongs to its key: to others it does not exist', async (t) => {
  const { id } = await client.responses.create({ model: 'openai/echo', input: 'Secret' })
  const unknown = 'resp_00000000000000000000000000000000'
  const tellOf = async (act: (id: string) => Promise<unknown>, id: string) => {
    const error = await act(id).catch((thrown: unknown) => thrown)
    const { status, code, message } = error as { status: number; code: string; message: string }
    return { status, code, message: message.replaceAll(id, 'ID') }
  }
  const acts: ((id: string) => Promise<unknown>)[] = [
    (id) => other.responses.retrieve(id),
    (id) => other.responses.delete(id),
    async (id) => (await other.responses.inputItems.list(id)).data,
    (id) => other.responses.create({ model: 'openai/echo', input: 'x', previous_response_id: id }),
  ]
  for (const act of acts) {
    const told = await tellOf(act, id)
    t.same(told, await tellOf(act, unknown), 'the same answer as for an id that nobody has')
    t.match(told, { status: /^40[04]$/ })
  }
  t.equal((await client.responses.retrieve(id)).output_text, 'Secret', 'it is still there')
})

test('a deleted answer is not found again, and what continued it has its turns', async (t) => {
  const first = await client.responses.create({ model: 'openai/echo', input: 'One' })
  const second = await client.responses.create({ model: 'openai/echo', input: 'Two', previous_response_id: first.id })
  const deleted = await fetch(`${gateway.origin}/v1/responses/${first.id}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${KEY}` },
  })
  t.same(await deleted.json(), { id: first.id, object: 'response', deleted: true })
  await rejectsWith(t, client.responses.retrieve(first.id), { status: 404 })
  await rejectsWith(t, client.responses.delete(first.id), { status: 404 })
  const lost = client.responses.create({ model: 'openai/echo', input: 'x', previous_response_id: first.id })
  await rejectsWith(t, lost, {
    status: 400,
    code: 'previous_response_not_found',
    param: 'previous_response_id',
    type: 'invalid_request_error',
  })
  const third = await client.responses.create({ model: 'openai/echo', input: 'Three', previous_response_id: second.id })
  const items = await client.responses.inputItems.list(third.id, { order: 'asc' })
  t.equal(items.data.length, 5)
})

test('items of the input are listed in pages, newest first, each with an id', async (t) => {
  const input = Array.from({ length: 5 }, (_, i) => ({ role: 'user' as const, content: `part ${i}` }))
  const { id } = await client.responses.create({ model: 'openai/echo', input })
  const texts: string[] = []
  for await (const item of client.responses.inputItems.list(id, { limit: 2 })) {
    t.ok('id' in item && typeof item.id === 'string')
    if (item.type === 'message') for (const part of item.content) if (part.type === 'input_text') texts.push(part.text)
  }
  t.same(texts, ['part 4', 'part 3', 'part 2', 'part 1', 'part 0'])
  await rejectsWith(t, client.responses.inputItems.list(id, { limit: 101 }), { status: 400, param: 'limit' })
  await rejectsWith(t, client.responses.inputItems.list(id, { after: 'item_none' }), { status: 400, param: 'after' })
})

test('a provider of the same API stores nothing, gets all turns, and no id of the gateway', async (t) => {
  const output = [
    { id: 'rs_1', type: 'reasoning', summary: [] },
    { id: 'msg_1', type: 'message', status: 'completed', role: 'assistant', content: [] },
  ]
  const body = JSON.stringify({ id: 'resp_theirs', object: 'response', status: 'completed', output, store: false })
  const upstream = await ScriptedUpstream.listen(answer(whole(200, body, ['content-type: application/json'])))
  t.teardown(() => upstream.close())
  const gateway = await startGateway(t, {
    config: { providers: { up: { protocol: 'openai-responses', baseUrl: upstream.origin } } },
  })
  const client = clientOf(gateway, 'none')
  const first = await client.responses.create({ model: 'up/m', input: 'One', store: true })
  t.match(first, { store: true, previous_response_id: null })
  t.not(first.id, 'resp_theirs')
  await client.responses.create({
    model: 'up/m',
    input: [{ role: 'user', content: 'Two' }],
    previous_response_id: first.id,
  })
  t.match(JSON.parse(String(upstream.requests[0]?.body)), { store: false, input: 'One' })
  const sent = JSON.parse(String(upstream.requests[1]?.body))
  t.same(sent.input, [{ type: 'message', role: 'user', content: 'One' }, output[1], { role: 'user', content: 'Two' }])
  t.equal(sent.store, false)
  t.notOk('previous_response_id' in sent)
  const stranger = client.responses.create({ model: 'up/m', input: 'x', previous_response_id: 'resp_theirs' })
  await rejectsWith(t, stranger, { status: 400, code: 'previous_response_not_found' })
  t.equal(upstream.requests.length, 2, 'the provider was not asked')
})

test('an answer that has expired is not found', async (t) => {
  const { client } = await start(t, { responses: { retentionMs: 1000 } })
  const { id } = await client.responses.create({ model: 'openai/echo', input: 'Hi' })
  t.equal((await client.responses.retrieve(id)).id, id)
  let found: unknown = null
  for (let i = 0; i < 200 && !(found instanceof OpenAI.APIError); i++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    found = await client.responses.retrieve(id).catch((thrown: unknown) => thrown)
  }
  t.match(found, { status: 404 })
  const late = client.responses.create({ model: 'openai/echo', input: 'x', previous_response_id: id })
  await rejectsWith(t, late, { status: 400, code: 'previous_response_not_found' })
})

test('without a store an answer says so, and nothing is found', async (t) => {
  const { client } = await start(t, { responses: { store: 'off' } })
  const answer = await client.responses.create({ model: 'openai/echo', input: 'Hi', store: true })
  t.match(answer, { store: false })
  const { id } = answer
  await rejectsWith(t, client.responses.retrieve(id), { status: 404 })
  const next = client.responses.create({ model: 'openai/echo', input: 'x', previous_response_id: id })
  await rejectsWith(t, next, { status: 400, code: 'previous_response_not_found' })
})

test('an answer that is larger than its key may store ends with an error, or is sent where the operator says so', async (t) => {
  const responses = { maxBytesPerKey: 1024 }
  const request = { model: 'openai/echo', input: 'x'.repeat(2000) }
  for (const onStoreDown of ['fail', 'forward']) {
    const { client, gateway } = await start(t, { responses: { ...responses, onStoreDown } })
    const whole = client.responses.create(request)
    const streamed = client.responses.stream(request).finalResponse()
    for (const answer of [whole, streamed]) {
      if (onStoreDown === 'forward') t.equal((await answer).output_text, request.input)
      else await rejectsWith(t, answer, /responses\.maxBytesPerKey/)
    }
    await gateway.logLine(({ msg }) => msg === 'response not stored')
    t.equal((await client.responses.create({ ...request, store: false })).output_text, request.input)
  }
})

test('event loops share what is stored', async (t) => {
  const { client } = await start(t, { server: { threads: 3 } })
  const ids: string[] = []
  for (let i = 0; i < 12; i++) {
    // Each request on a connection of its own, so that all loops take part.
    const init = { headers: { connection: 'close' } }
    const last = ids.at(-1) ?? null
    ids.push(
      (await client.responses.create({ model: 'openai/echo', input: `${i}`, previous_response_id: last }, init)).id,
    )
  }
  const { data } = await client.responses.inputItems.list(ids.at(-1) ?? '', { limit: 100 })
  t.equal(data.length, 23)
  for (const id of ids) t.equal((await client.responses.retrieve(id)).id, id)
})

test('input tokens are those of the whole conversation', async (t) => {
  const count = async (body: object): Promise<number> => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }
    const init = { method: 'POST', headers, body: JSON.stringify({ model: 'openai/echo', ...body }) }
    const answer = (await (await fetch(`${gateway.origin}/v1/responses/input_tokens`, init)).json()) as {
      input_tokens: number
    }
    return answer.input_tokens
  }
  const { id } = await client.responses.create({ model: 'openai/echo', input: 'word '.repeat(400) })
  const alone = await count({ input: 'Hi' })
  t.ok((await count({ input: 'Hi', previous_response_id: id })) > alone + 500)
})
