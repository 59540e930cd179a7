// Wrong bodies are refused with the path of the field; what OpenAI-compatible vendors take is not refused.
import { test } from 'tap'
import { Compile } from 'typebox/compile'
import { type JsonObject, type JsonValue } from '../../../../src/model/json.js'
import { bodySchema, checkBody } from '../../../../src/protocols/openai-chat/surface/schema.js'
import { thrownBy } from '../../../helpers/thrown.js'
import { cases, readJson } from '../recordings.js'

const hi = (rest: JsonObject = {}): JsonObject => ({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...rest })

test('every recorded request is accepted', (t) => {
  for (const name of cases('requests')) t.doesNotThrow(() => checkBody(readJson(`requests/${name}.json`)), name)
  t.end()
})

test('optional fields may be null, unknown ones anything, and vendors differ on stop and content', (t) => {
  const nulls = [
    'stream',
    'stream_options',
    'tools',
    'tool_choice',
    'response_format',
    'temperature',
    'stop',
    'user',
    'n',
  ]
  t.doesNotThrow(() => checkBody(hi(Object.fromEntries(nulls.map((field) => [field, null])))))
  t.doesNotThrow(() =>
    checkBody(hi({ stop: ['a', 'b', 'c', 'd', 'e', 'f'], unknown: { a: [1] }, reasoning_effort: 'x' })),
  )
  t.doesNotThrow(() => checkBody(hi({ tools: [{ type: 'custom' }, { type: 'web_search' }] })))
  t.doesNotThrow(() => checkBody(hi({ messages: [{ role: 'assistant', tool_calls: [] }] })))
  t.end()
})

test('the first wrong field is named by its path', (t) => {
  const wrong: readonly [string, JsonObject][] = [
    ['model', { messages: [] }],
    ['model', hi({ model: '' })],
    ['model', hi({ model: 'x'.repeat(257) })],
    ['model', hi({ model: 7 })],
    ['messages', { model: 'm' }],
    ['messages', hi({ messages: [] })],
    ['messages', hi({ messages: 'hi' })],
    ['temperature', hi({ temperature: 2.1 })],
    ['temperature', hi({ temperature: '1' })],
    ['top_p', hi({ top_p: 1.1 })],
    ['presence_penalty', hi({ presence_penalty: -3 })],
    ['frequency_penalty', hi({ frequency_penalty: 3 })],
    ['max_tokens', hi({ max_tokens: 0 })],
    ['max_completion_tokens', hi({ max_completion_tokens: 1.5 })],
    ['stream', hi({ stream: 'yes' })],
    ['stream_options.include_usage', hi({ stream_options: { include_usage: 1 } })],
    ['stop.1', hi({ stop: ['a', 1] })],
    ['response_format.type', hi({ response_format: {} })],
    ['n', hi({ n: 0 })],
    [
      'tools.1.function.name',
      hi({
        tools: [
          { type: 'function', function: { name: 'f' } },
          { type: 'function', function: {} },
        ],
      }),
    ],
    ['tools.0.type', hi({ tools: [{}] })],
    ['tools.0.type', hi({ tools: [{ function: { name: 'f' } }] })],
    ['tool_choice.name', hi({ tool_choice: { type: 'tool', name: '' } })],
    ['tool_choice.function.name', hi({ tool_choice: { type: 'function', function: { name: '' } } })],
    ['function_call.name', hi({ function_call: { name: '' } })],
    ['functions.0.name', hi({ functions: [{}] })],
  ]
  for (const [path, body] of wrong) {
    const error = thrownBy(() => checkBody(body))
    t.equal(error.code, 'invalid_request', path)
    t.equal(error.param, path, JSON.stringify(body).slice(0, 80))
    t.match(error.message, `'${path}'`)
  }
  t.end()
})

test('wrong messages are named by their place', (t) => {
  const paramOf = (turn: JsonValue) =>
    thrownBy(() => checkBody(hi({ messages: [{ role: 'user', content: 'a' }, turn] }))).param
  t.equal(paramOf({ role: 'robot', content: 'a' }), 'messages.1.role')
  t.equal(paramOf({ content: 'a' }), 'messages.1.role')
  t.equal(paramOf({ role: 'user', content: 5 }), 'messages.1.content')
  t.equal(paramOf({ role: 'user', content: null }), 'messages.1.content')
  t.equal(paramOf({ role: 'system' }), 'messages.1.content')
  t.equal(paramOf({ role: 'user', content: [{}] }), 'messages.1.content.0.type')
  t.equal(paramOf({ role: 'user', content: ['a'] }), 'messages.1.content.0')
  t.equal(paramOf('hi'), 'messages.1')
  const call = { id: 'a', function: { name: 'f', arguments: 5 } }
  t.equal(paramOf({ role: 'assistant', tool_calls: [call] }), 'messages.1.tool_calls.0.function.arguments')
  t.match(thrownBy(() => checkBody(hi({ messages: [{ role: 'robot' }] }))).message, 'system, developer, user')
  t.end()
})

test("a body is accepted exactly where it is valid by the schema of the API's document", (t) => {
  const documented = Compile(bodySchema())
  const turn = (fields: JsonObject) => hi({ messages: [fields] })
  const bodies: readonly JsonObject[] = [
    ...[hi({ tools: [{}] }), hi({ tools: [{ type: 'custom' }] }), hi({ tool_choice: 'auto' }), hi({ functions: [{}] })],
    hi({ tool_choice: { type: 'function', function: { name: '' } } }),
    hi({ tool_choice: { type: 'function', function: { name: 'f' } } }),
    hi({ function_call: { name: '' } }),
    ...['user', 'system', 'developer', 'assistant', 'tool'].flatMap((role) => [
      turn({ role }),
      turn({ role, content: null }),
      turn({ role, content: 'a' }),
      turn({ role, content: [{ type: 'text', text: 'a' }] }),
    ]),
  ]
  const verdicts = bodies.map((body) => documented.Check(body))
  t.ok(verdicts.includes(true) && verdicts.includes(false))
  for (const [i, body] of bodies.entries()) {
    if (verdicts[i]) t.doesNotThrow(() => checkBody(body), JSON.stringify(body))
    else t.throws(() => checkBody(body), JSON.stringify(body))
  }
  t.end()
})

test('the last of ten thousand messages is found as fast as the first', (t) => {
  const messages = Array.from(
    { length: 10_000 },
    (): JsonObject => ({ role: 'user', content: [{ type: 'text', text: 'a' }] }),
  )
  checkBody(hi({ messages }))
  messages.push({ role: 'robot' })
  t.equal(thrownBy(() => checkBody(hi({ messages }))).param, 'messages.10000.role')
  t.end()
})
