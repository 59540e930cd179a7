// The simulated Ollama wire: NDJSON by default, options, whole tool calls, plain error objects.
import { test } from 'tap'
import { ndjsonObjects, post, startSimulator } from '../../helpers/simulator.js'

const messages = [{ role: 'user', content: 'hello brave' }]
const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: {} } } }]

test('streams lines unless stream is false; the last one has the counts', async (t) => {
  const { origin } = await startSimulator(t)
  const got = await post(`${origin}/api/chat`, { model: 'echo:latest', messages })
  t.equal(got.headers.get('content-type'), 'application/x-ndjson')
  const lines = ndjsonObjects(got.text)
  t.match(lines[0], { model: 'echo', message: { role: 'assistant', content: 'hello' }, done: false })
  t.match(lines.at(-1), { done: true, done_reason: 'stop', prompt_eval_count: 3, eval_count: 2 })
  t.equal(lines.length, 3)
  const whole = await post(`${origin}/api/chat`, { model: 'echo', messages, stream: false })
  t.match(whole.json, { message: { content: 'hello brave' }, done: true, eval_count: 2 })
})

test('keeps num_predict, stop and format', async (t) => {
  const { origin } = await startSimulator(t)
  const url = `${origin}/api/chat`
  const base = { model: 'echo', messages, stream: false }
  t.match((await post(url, { ...base, options: { num_predict: 1 } })).json, { done_reason: 'length', eval_count: 1 })
  t.match((await post(url, { ...base, options: { num_predict: -1, stop: ' ' } })).json, {
    message: { content: 'hello' },
  })
  t.match((await post(url, { ...base, format: 'json' })).json, { message: { content: '{}' } })
  const format = { type: 'object', properties: { a: { type: 'number' } } }
  t.match((await post(url, { ...base, format })).json, { message: { content: '{"a":0}' } })
})

test('calls tools whole, thinks apart, answers results', async (t) => {
  const { origin } = await startSimulator(t)
  const url = `${origin}/api/chat`
  const streamed = ndjsonObjects((await post(url, { model: 'tools', messages, tools })).text)
  t.match(streamed[0], { message: { tool_calls: [{ function: { name: 'weather', arguments: {} } }] }, done: false })
  const whole = await post(url, { model: 'tools', messages, tools, stream: false })
  t.match(whole.json, { message: { tool_calls: [{ function: { name: 'weather' } }] } })
  const thought = await post(url, { model: 'reason', messages, stream: false })
  t.match(thought.json, { message: { thinking: /^The user/, content: 'hello brave' } })
  t.match(ndjsonObjects((await post(url, { model: 'reason', messages })).text)[0], {
    message: { content: '', thinking: 'The' },
  })
  const results = [...messages, { role: 'assistant', content: '' }, { role: 'tool', content: 'sunny' }]
  const answered = await post(url, { model: 'tools', messages: results, tools, stream: false })
  t.match(answered.json, { message: { content: 'The tools say: sunny' } })
})

test('errors are one string', async (t) => {
  const { origin } = await startSimulator(t)
  const unknown = await post(`${origin}/api/chat`, { model: 'nope', messages })
  t.equal(unknown.status, 404)
  t.match(unknown.json, { error: /nope/ })
  t.match((await post(`${origin}/api/chat`, {})).json, { error: 'model is required' })
})
