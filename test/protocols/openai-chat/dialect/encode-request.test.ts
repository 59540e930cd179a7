// The dialect's request half: every quirk, and what is named as dropped.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { type ChatRequest, NO_SAMPLING } from '../../../../src/model/request.js'
import { type Quirks } from '../../../../src/model/target.js'
import { encodeRequest, requestPath } from '../../../../src/protocols/openai-chat/dialect/encode-request.js'
import { decodeRequest } from '../../../../src/protocols/openai-chat/surface/decode-request.js'
import { readJson, targetWith } from '../recordings.js'

const PLAIN: ChatRequest = {
  ...decodeRequest({ model: 'alias', messages: [{ role: 'user', content: 'hi' }] }),
}

function encode(request: Partial<ChatRequest>, quirks: Partial<Quirks> = {}, extraBody: JsonObject = {}) {
  return encodeRequest({ ...PLAIN, ...request }, targetWith(quirks, { extraBody }))
}

test('a plain request is model, messages and stream', (t) => {
  t.strictSame(encode({}), {
    body: { model: 'upstream-model', messages: [{ role: 'user', content: 'hi' }], stream: false },
    dropped: [],
  })
  t.end()
})

test('the path is below the base URL; on Azure it holds deployment and version', (t) => {
  t.equal(requestPath(targetWith()), '/chat/completions')
  const azure = targetWith({ deploymentApiVersion: '2024-10-21' }, { model: 'my model/x' })
  t.equal(requestPath(azure), '/deployments/my%20model%2Fx/chat/completions?api-version=2024-10-21')
  t.end()
})

test('usage is requested on every stream of a vendor that supports it', (t) => {
  t.strictSame(encode({ stream: true }).body.stream_options, { include_usage: true })
  t.equal(encode({ stream: true }, { streamOptions: false }).body.stream_options, undefined)
  const extensions = { stream_options: { include_obfuscation: false } }
  t.strictSame(encode({ stream: true, extensions }).body.stream_options, {
    include_obfuscation: false,
    include_usage: true,
  })
  t.equal(encode({ extensions }).body.stream_options, undefined)
  t.end()
})

test('the output cap has the name the vendor knows, temperature its ceiling', (t) => {
  const sampling = { ...NO_SAMPLING, maxOutputTokens: 9, temperature: 1.8 }
  t.match(encode({ sampling }).body, { max_completion_tokens: 9, temperature: 1.8 })
  t.match(encode({ sampling }, { maxTokensField: 'max_tokens', maxTemperature: 1 }).body, {
    max_tokens: 9,
    temperature: 1,
  })
  t.end()
})

test('schema output falls back to JSON mode or is dropped, and either is named', (t) => {
  const { responseFormat } = decodeRequest(readJson('requests/json-schema.json'))
  t.match(encode({ responseFormat }), { body: { response_format: { type: 'json_schema' } }, dropped: [] })
  t.strictSame(encode({ responseFormat }, { jsonSchema: 'json-object' }).body.response_format, { type: 'json_object' })
  t.strictSame(encode({ responseFormat }, { jsonSchema: 'json-object' }).dropped, ['response_format'])
  const none = encode({ responseFormat }, { jsonSchema: 'none' })
  t.equal(none.body.response_format, undefined)
  t.strictSame(none.dropped, ['response_format'])
  t.match(none.body.messages, [{ content: /JSON Schema:\n\{"type":"object"/ }, {}], 'the model is told in words')
  t.strictSame(encode({ responseFormat: { type: 'json' } }, { jsonSchema: 'none' }).body.response_format, {
    type: 'json_object',
  })
  t.strictSame(encode({ responseFormat: { type: 'text' } }).body.response_format, { type: 'text' })
  const bare = { type: 'json-schema', name: 'n', description: null, schema: {}, strict: null } as const
  t.strictSame(encode({ responseFormat: bare }).body.response_format, {
    type: 'json_schema',
    json_schema: { name: 'n', schema: {} },
  })
  t.end()
})

test('reasoning is asked for in the way the vendor knows', (t) => {
  const byEffort = { effort: 'high', budgetTokens: null } as const
  const byTokens = { effort: null, budgetTokens: 3000 }
  t.equal(encode({ reasoning: byEffort }).body.reasoning_effort, 'high')
  t.equal(encode({ reasoning: byTokens }).body.reasoning_effort, 'medium')
  const router = { reasoningRequest: 'reasoning' } as const
  t.strictSame(encode({ reasoning: byEffort }, router).body.reasoning, { effort: 'high' })
  t.strictSame(encode({ reasoning: byTokens }, router).body.reasoning, { max_tokens: 3000 })
  t.strictSame(encode({ reasoning: byEffort }, { reasoningRequest: 'none' }).dropped, ['reasoning_effort'])
  const off = { effort: 'none', budgetTokens: null } as const
  t.strictSame(encode({ reasoning: off }, { reasoningRequest: 'none' }).dropped, [])
  const word = encode({ extensions: { reasoning_effort: 'default' } }, router)
  t.strictSame([word.body.reasoning_effort, word.dropped], [undefined, ['reasoning_effort']])
  t.end()
})

test('a wish to think is sent as an effort that every thinking model knows, an explicit one unchanged', (t) => {
  const order = { effort: 'xhigh', budgetTokens: null } as const
  const target = targetWith({}, { thinks: true })
  t.equal(encodeRequest({ ...PLAIN, reasoning: { ...order, isWish: true } }, target).body.reasoning_effort, 'high')
  t.equal(encodeRequest({ ...PLAIN, reasoning: order }, target).body.reasoning_effort, 'xhigh')
  t.end()
})

test('what this wire cannot carry is named', (t) => {
  const { body, dropped } = encode({
    sampling: { ...NO_SAMPLING, topK: 40 },
    extensions: { thinking: { type: 'enabled' }, logprobs: true },
  })
  t.strictSame(dropped.toSorted(), ['thinking', 'top_k'])
  t.equal(body.logprobs, true)
  t.equal(body.thinking, undefined)
  t.end()
})

test('refused fields are left out and named, fields of the configuration stand below the request', (t) => {
  const { body, dropped } = encode(
    { sampling: { ...NO_SAMPLING, seed: 1 }, parallelToolCalls: false, user: 'u' },
    { refusedFields: ['seed', 'logprobs'] },
    { user: 'configured', safe_prompt: true },
  )
  t.strictSame(dropped, ['seed'])
  t.match(body, { parallel_tool_calls: false, user: 'u', safe_prompt: true })
  t.equal(body.seed, undefined)
  t.end()
})

test('tools keep what was given and no more', (t) => {
  const { body } = encodeRequest(decodeRequest(readJson('requests/tools.json')), targetWith())
  t.strictSame(body.tools, readJson('requests/tools.json').tools)
  t.equal(body.tool_choice, 'auto')
  const named = encodeRequest(decodeRequest(readJson('requests/tool-choice-named.json')), targetWith())
  t.strictSame(named.body.tool_choice, { type: 'function', function: { name: 'get_weather' } })
  t.end()
})

test('an object schema has properties, without which the vendor refuses it', (t) => {
  const tool = { name: 'f', description: null, strict: null }
  const parametersOf = (parameters: JsonObject) => encode({ tools: [{ ...tool, parameters }] }).body.tools
  const wire = (definition: JsonObject) => [{ type: 'function', function: { name: 'f', ...definition } }]
  t.strictSame(parametersOf({ type: 'object' }), wire({ parameters: { type: 'object', properties: {} } }))
  t.strictSame(parametersOf({ anyOf: [] }), wire({ parameters: { anyOf: [] } }))
  t.strictSame(parametersOf({}), wire({}))
  t.end()
})

test("a service tier passes when it is one of this API's", (t) => {
  t.strictSame(encode({ extensions: { service_tier: 'flex' } }).body.service_tier, 'flex')
  const foreign = encode({ extensions: { service_tier: 'standard_only' } })
  t.notOk('service_tier' in foreign.body)
  t.strictSame(foreign.dropped, ['service_tier'])
  t.end()
})

test('what only the vendor itself knows goes to vendors with its full wire, and is named for others', (t) => {
  const extensions = { prompt_cache_key: 'k', prompt_cache_retention: '24h', safety_identifier: 's', verbosity: 'low' }
  t.match(encode({ extensions }, { developerRole: true }).body, extensions)
  const strict = encode({ extensions }, { developerRole: false })
  t.strictSame(Object.keys(strict.body).sort(), ['messages', 'model', 'stream'])
  t.strictSame(strict.dropped, Object.keys(extensions))
  t.end()
})

test('a default cap on the output yields to the client’s, under either of its names', (t) => {
  const sampling = { ...NO_SAMPLING, maxOutputTokens: 5 }
  const { body } = encode({ sampling }, { maxTokensField: 'max_tokens' }, { max_completion_tokens: 9, seed: 1 })
  t.match(body, { max_tokens: 5, seed: 1 })
  t.notOk('max_completion_tokens' in body)
  t.equal(encode({}, {}, { max_completion_tokens: 9 }).body.max_completion_tokens, 9)
  t.end()
})
