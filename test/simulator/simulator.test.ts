// The simulator as a whole: routes, requests, rules of faults and counts, seen by real clients.
import { test } from 'tap'
import { type JsonValue } from '../../src/model/json.js'
import { loadEngine } from '../../src/server/engine/engine.js'
import { type SeenRequest } from '../../src/simulator/simulator.js'
import { chat, ndjsonObjects, post, startSimulator } from '../helpers/simulator.js'

const PATH = '/v1/chat/completions'

test('lists its models on every wire', async (t) => {
  const { origin } = await startSimulator(t)
  const get = async (path: string, headers = {}) =>
    JSON.stringify(await (await fetch(origin + path, { headers })).json())
  t.match(await get('/v1/models'), /^\{"object":"list".*"id":"lorem"/)
  t.match(await get('/v1/models', { 'anthropic-version': 'x' }), /"type":"model","id":"lorem"/)
  t.match(await get('/v1beta/models'), /"name":"models\/lorem"/)
  t.match(await get('/api/tags'), /"name":"lorem:latest"/)
})

test('speaks only the protocols it is given, and answers every other path with 404', async (t) => {
  const { origin } = await startSimulator(t, { protocols: ['ollama-chat'] })
  t.equal((await post(`${origin}/v1/chat/completions`, chat('echo'))).status, 404)
  t.equal((await post(`${origin}/api/chat`, chat('echo'))).status, 200)
})

test('a fault that does not exist is an error, not an answer without a fault', async (t) => {
  const { origin } = await startSimulator(t)
  const byHeader = await post(origin + PATH, chat('echo'), { 'x-sim-fault': 'stal,3' })
  t.match(byHeader, { status: 400, json: { error: { message: 'Unknown fault: stal,3' } } })
  const byModel = await post(origin + PATH, chat('echo+fault=stall,x'))
  t.match(byModel, { status: 400, json: { error: { message: 'Unknown fault: stall,x' } } })
})

test('shows each request to onRequest and counts it', async (t) => {
  const seen: SeenRequest[] = []
  const { origin, simulator } = await startSimulator(t, { onRequest: (request) => void seen.push(request) })
  await post(`${origin}/v1/chat/completions?a=1`, chat('echo'), { 'x-canary': 'c1' })
  t.match(seen[0], { protocol: 'openai-chat', url: { path: '/v1/chat/completions', query: 'a=1' } })
  t.equal(seen[0]?.headers['x-canary'], 'c1')
  t.match(seen[0]?.body, { model: 'echo' })
  t.equal(seen[0]?.bytes.toString(), JSON.stringify(chat('echo')))
  t.same(simulator.stats(), { requests: 1, openStreams: 0, aborted: 0 })
})

test('takes bodies of many packets', async (t) => {
  const { origin } = await startSimulator(t)
  const text = 'wörd '.repeat(200_000)
  const body = { model: 'echo', messages: [{ role: 'user', content: text }] }
  const got = await post(`${origin}/v1/chat/completions`, body)
  t.match(got.json, { usage: { completion_tokens: 200_001, prompt_tokens: 300_000 } })
  t.equal((got.json.choices as JsonValue[] as Array<{ message: { content: string } }>)[0]?.message.content, text)
})

test('sends a stream far larger than any buffer, whole', async (t) => {
  const { origin } = await startSimulator(t)
  const got = await post(`${origin}/api/chat`, { ...chat('lorem-max'), options: { num_predict: 60_000 } })
  const lines = ndjsonObjects(got.text)
  t.equal(lines.length, 60_001)
  t.match(lines.at(-1), { done: true, eval_count: 60_000 })
})

test('counts a stream that the peer closes as aborted and plays it no further', async (t) => {
  const { origin, simulator } = await startSimulator(t, { tokensPerSecond: 100 })
  const abort = new AbortController()
  const options = {
    method: 'POST',
    body: JSON.stringify({ ...chat('lorem-max'), options: { num_predict: 100_000 } }),
    signal: abort.signal,
  }
  const response = await fetch(`${origin}/api/chat`, options)
  await response.body?.getReader().read()
  t.equal(simulator.stats().openStreams, 1)
  abort.abort()
  while (simulator.stats().aborted === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  t.match(simulator.stats(), { openStreams: 0, aborted: 1 })
})

test('follows the rules of a faults file', async (t) => {
  const fault = { name: 'status' as const, numbers: [503] }
  const rule = { fault, model: 'echo*', protocol: 'openai-chat', skip: 1, every: 2, times: 2 }
  const { origin } = await startSimulator(t, { faults: [rule] })
  const statuses: number[] = []
  for (let i = 0; i < 7; i++) statuses.push((await post(origin + PATH, chat('echo-1'))).status)
  t.same(statuses, [200, 503, 200, 503, 200, 200, 200])
  t.equal((await post(origin + PATH, chat('lorem'))).status, 200)
})

test('a port that is taken is an error', async (t) => {
  const { port } = await startSimulator(t)
  const { uws } = loadEngine()
  const { createSimulator } = await import('../../src/simulator/simulator.js')
  const second = createSimulator({ uws })
  await t.rejects(second.listen(port), { message: `Port ${port} is taken.` })
  second.close()
})

test('a tool choice that demands a call is obeyed on every wire that has one, also by a model that echoes', async (t) => {
  const { origin } = await startSimulator(t)
  const schema = { type: 'object', properties: {} }
  const messages = [{ role: 'user', content: 'Hi' }]
  const chats = { model: 'echo', messages, tools: [{ type: 'function', function: { name: 'f', parameters: schema } }] }
  const items = { model: 'echo', input: 'Hi', tools: [{ type: 'function', name: 'f', parameters: schema }] }
  const blocks = { model: 'echo', max_tokens: 9, messages, tools: [{ name: 'f', input_schema: schema }] }
  const parts = {
    contents: [{ role: 'user', parts: [{ text: 'Hi' }] }],
    tools: [{ functionDeclarations: [{ name: 'f', parameters: schema }] }],
  }
  const called = /"function_?[cC]all"|"tool_calls":\[\{|"tool_use"/
  for (const [path, body, choice, demands] of [
    [PATH, chats, 'tool_choice', ['required', { type: 'function', function: { name: 'f' } }]],
    ['/v1/responses', items, 'tool_choice', ['required', { type: 'function', name: 'f' }]],
    ['/v1/messages', blocks, 'tool_choice', [{ type: 'any' }, { type: 'tool', name: 'f' }]],
    ['/v1beta/models/echo:generateContent', parts, 'toolConfig', [{ functionCallingConfig: { mode: 'ANY' } }]],
  ] as const) {
    for (const demand of demands) t.match((await post(origin + path, { ...body, [choice]: demand })).text, called, path)
    t.notMatch((await post(origin + path, body)).text, called, `${path}: none is demanded`)
  }
})
