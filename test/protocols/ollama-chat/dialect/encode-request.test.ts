// The whole body: options, tools, format, thinking, what is dropped, what the configuration adds.
import { test } from 'tap'
import { type ReasoningRequest, type ResponseFormat, type ToolChoice } from '../../../../src/model/request.js'
import { ollamaChat } from '../../../../src/protocols/ollama-chat/index.js'
import { dialectOf, target } from '../../../helpers/dialect.js'
import { request } from '../../../helpers/targets.js'

const dialect = dialectOf(ollamaChat)
const TARGET = target('ollama-chat', { model: 'llama3.2' })
const parameters = { type: 'object' }
const TOOLS = [
  { name: 'f', description: 'd', parameters, strict: null },
  { name: 'g', description: null, parameters, strict: true },
]

test('a plain request is model, turns and the stream flag, which is never left out', (t) => {
  for (const stream of [true, false]) {
    t.strictSame(dialect.encodeRequest(request({ stream }), TARGET), {
      body: { model: 'llama3.2', messages: [{ role: 'user', content: 'hi' }], stream },
      dropped: [],
    })
  }
  t.end()
})

test('each sampling parameter has its option', (t) => {
  const sampling = {
    temperature: 3,
    topP: 0.9,
    topK: 40,
    maxOutputTokens: 100,
    frequencyPenalty: 0.1,
    presencePenalty: 0.2,
    seed: 0,
    stop: ['END'],
  }
  t.strictSame(dialect.encodeRequest(request({ sampling }), TARGET).body.options, {
    temperature: 2,
    top_p: 0.9,
    top_k: 40,
    num_predict: 100,
    stop: ['END'],
    seed: 0,
    frequency_penalty: 0.1,
    presence_penalty: 0.2,
  })
  t.end()
})

test('the server’s own options are carried under its names, others are named as dropped', (t) => {
  const extensions = { typical_p: 1, repetition_penalty: 1.2, min_p: 0.1 }
  const { body, dropped } = dialect.encodeRequest(request({ extensions }), TARGET)
  t.strictSame(body.options, { typical_p: 1, repeat_penalty: 1.2 })
  t.strictSame(dropped, ['min_p'])
  t.end()
})

test('no tools are sent when none may be called; other choices than auto are dropped and named', (t) => {
  const encode = (toolChoice: ToolChoice | null) => dialect.encodeRequest(request({ tools: TOOLS, toolChoice }), TARGET)
  t.strictSame(encode(null).body.tools, [
    { type: 'function', function: { name: 'f', description: 'd', parameters: { ...parameters, properties: {} } } },
    { type: 'function', function: { name: 'g', parameters: { ...parameters, properties: {} } } },
  ])
  t.strictSame(encode({ type: 'auto' }).dropped, ['strict'])
  t.strictSame(encode({ type: 'required' }).dropped, ['strict', 'tool_choice'])
  t.strictSame(encode({ type: 'tool', name: 'f' }).dropped, ['strict', 'tool_choice'])
  t.strictSame(encode({ type: 'none' }).dropped, [])
  t.equal(encode({ type: 'none' }).body.tools, undefined)
  t.end()
})

test('JSON and schemas are asked for as the target takes them', (t) => {
  const encode = (responseFormat: ResponseFormat, jsonSchema: 'json-schema' | 'json-object' | 'none') => {
    const at = target('ollama-chat', {}, { jsonSchema })
    const { body, dropped } = dialect.encodeRequest(request({ responseFormat }), at)
    return [body.format, dropped]
  }
  const format = { type: 'json-schema', name: 'n', description: null, schema: parameters, strict: true } as const
  t.strictSame(encode({ type: 'text' }, 'json-schema'), [undefined, []])
  t.strictSame(encode({ type: 'json' }, 'none'), ['json', []])
  t.strictSame(encode(format, 'json-schema'), [parameters, []])
  t.strictSame(encode({ ...format, schema: true }, 'json-schema'), ['json', ['response_format']])
  t.strictSame(encode(format, 'json-object'), ['json', ['response_format']])
  t.strictSame(encode(format, 'none'), [undefined, ['response_format']])
  const none = target('ollama-chat', {}, { jsonSchema: 'none' })
  const { body } = dialect.encodeRequest(request({ responseFormat: format }), none)
  t.match(body.messages, [{ role: 'system', content: /JSON Schema/ }, {}], 'the model is told in words')
  t.end()
})

test('thinking is a level, or on, or off', (t) => {
  const think = (effort: ReasoningRequest['effort'], budgetTokens: number | null = null) =>
    dialect.encodeRequest(request({ reasoning: { effort, budgetTokens } }), TARGET).body.think
  t.equal(think(null), true)
  t.equal(think('none'), false)
  t.equal(think('minimal'), 'low')
  t.equal(think('medium'), 'medium')
  t.equal(think('xhigh'), 'high')
  t.equal(think(null, 8000), 'medium')
  t.end()
})

test('what the wire cannot carry is named', (t) => {
  const asked = request({ parallelToolCalls: false, user: 'u', extensions: { n: 2 } })
  t.strictSame(dialect.encodeRequest(asked, TARGET).dropped, ['n', 'parallel_tool_calls', 'user'])
  t.end()
})

test('the configured body lies under the request, its options member by member', (t) => {
  const extraBody = { keep_alive: '1h', stream: false, options: { num_ctx: 8192, top_k: 1 } }
  const at = target('ollama-chat', { extraBody })
  const encode = (topK: number | null) =>
    dialect.encodeRequest(request({ sampling: { ...request().sampling, topK } }), at).body
  t.match(encode(40), { keep_alive: '1h', stream: true, options: { num_ctx: 8192, top_k: 40 } })
  t.strictSame(encode(null).options, { num_ctx: 8192, top_k: 1 })
  t.end()
})

test('fields the server refuses are taken out and named, the configuration itself stays as it was', (t) => {
  const extraBody = { options: { seed: 1, num_ctx: 4096 } }
  const at = target('ollama-chat', { extraBody }, { refusedFields: ['seed', 'tools', 'absent'] })
  const { body, dropped } = dialect.encodeRequest(request({ tools: TOOLS }), at)
  t.strictSame(dropped, ['strict', 'seed', 'tools'])
  t.strictSame(body.options, { num_ctx: 4096 })
  t.equal(body.tools, undefined)
  t.strictSame(extraBody.options, { seed: 1, num_ctx: 4096 })
  t.end()
})

test('options and members that only this server has are carried to it', (t) => {
  const extensions = { 'options.num_ctx': 8192, 'options.mirostat': 1, keep_alive: '5m', other: 1 }
  const { body, dropped } = dialect.encodeRequest(request({ extensions }), TARGET)
  t.match(body, { options: { num_ctx: 8192, mirostat: 1 }, keep_alive: '5m' })
  t.same(dropped, ['other'])
  t.end()
})
