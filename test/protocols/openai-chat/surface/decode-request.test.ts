// The surface's request half: facts, the canonical request, and what happens to fields without a canonical place.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { encodeRequest } from '../../../../src/protocols/openai-chat/dialect/encode-request.js'
import { decodeRequest, readFacts } from '../../../../src/protocols/openai-chat/surface/decode-request.js'
import { thrownBy } from '../../../helpers/thrown.js'
import { cases, readJson, targetWith } from '../recordings.js'

const hi = (rest: JsonObject = {}): JsonObject => ({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...rest })

test('decode after encode after decode changes nothing but what encode names as dropped', (t) => {
  for (const name of cases('requests')) {
    const request = decodeRequest(readJson(`requests/${name}.json`))
    const { body, dropped } = encodeRequest(request, targetWith({}, { model: request.model }))
    const extensions = Object.fromEntries(
      Object.entries(request.extensions).filter(([field]) => !dropped.includes(field)),
    )
    t.strictSame(decodeRequest(body), { ...request, extensions }, name)
    const lost = name === 'unknown-fields' ? ['repetition_penalty', 'chat_template_kwargs', 'messages.name'] : []
    t.strictSame(dropped, lost, name)
  }
  t.end()
})

test('facts are what routing and limits need', (t) => {
  t.strictSame(readFacts(hi()), {
    model: 'm',
    stream: false,
    includeUsage: false,
    maxOutputTokens: null,
    provider: null,
    prompt: null,
  })
  const full = hi({
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: 5,
    provider: 'groq',
    prompt: null,
  })
  t.strictSame(readFacts(full), {
    model: 'm',
    stream: true,
    includeUsage: true,
    maxOutputTokens: 5,
    provider: 'groq',
    prompt: null,
  })
  t.equal(readFacts(hi({ max_tokens: 5, max_completion_tokens: 6 })).maxOutputTokens, 6)
  t.equal(readFacts(hi({ provider: { order: ['a'] } })).provider, null)
  t.end()
})

test('every field finds its canonical place', (t) => {
  const request = decodeRequest(readJson('requests/sampling-stop.json'))
  t.strictSame(request.sampling, {
    temperature: 0.2,
    topP: 0.9,
    topK: null,
    maxOutputTokens: 64,
    frequencyPenalty: -0.5,
    presencePenalty: 1.5,
    seed: 42,
    stop: ['\n', 'END'],
  })
  t.equal(request.user, 'user-1234')
  t.strictSame(decodeRequest(hi({ stop: 'x', top_k: 4 })).sampling.stop, ['x'])
  t.equal(decodeRequest(hi({ top_k: 4 })).sampling.topK, 4)
  t.equal(decodeRequest(hi({ top_k: -1 })).sampling.topK, null)
  t.end()
})

test('tools, legacy functions and tool choices', (t) => {
  const request = decodeRequest(readJson('requests/tools.json'))
  t.match(request.tools, [
    { name: 'get_weather', description: 'Current weather of a city', strict: true, parameters: { type: 'object' } },
    { name: 'get_time', description: null, strict: null, parameters: {} },
  ])
  const legacy = decodeRequest(readJson('requests/legacy-functions.json'))
  t.equal(legacy.tools[0]?.name, 'get_weather')
  t.strictSame(legacy.toolChoice, { type: 'tool', name: 'get_weather' })
  const choice = (value: string) => decodeRequest(hi({ tool_choice: value })).toolChoice
  t.strictSame(['auto', 'none', 'required', 'any'].map(choice), [
    { type: 'auto' },
    { type: 'none' },
    { type: 'required' },
    { type: 'required' },
  ])
  t.match(
    thrownBy(() => decodeRequest(hi({ tools: [{ type: 'custom', custom: { name: 'x' } }] }))),
    {
      code: 'invalid_request',
      param: 'tools.0',
    },
  )
  t.end()
})

test('response formats', (t) => {
  const format = (value: JsonObject) => decodeRequest(hi({ response_format: value })).responseFormat
  t.strictSame(format({ type: 'text' }), { type: 'text' })
  t.strictSame(format({ type: 'json_object' }), { type: 'json' })
  t.match(decodeRequest(readJson('requests/json-schema.json')).responseFormat, {
    type: 'json-schema',
    name: 'person',
    description: 'Somebody',
    strict: true,
  })
  t.strictSame(format({ type: 'json_schema', json_schema: {} }), {
    type: 'json-schema',
    name: 'response',
    description: null,
    schema: {},
    strict: null,
  })
  t.equal(thrownBy(() => format({ type: 'json_schema' })).param, 'response_format.json_schema')
  t.end()
})

test('reasoning by effort, by tokens, off, and by a word only the vendor knows', (t) => {
  const reasoning = (rest: JsonObject) => decodeRequest(hi(rest)).reasoning
  t.strictSame(reasoning({ reasoning_effort: 'low' }), { effort: 'low', budgetTokens: null })
  t.strictSame(reasoning({ reasoning: { max_tokens: 2000 } }), { effort: null, budgetTokens: 2000 })
  t.strictSame(reasoning({ reasoning: { enabled: false } }), { effort: 'none', budgetTokens: null })
  t.strictSame(reasoning({ reasoning_effort: 'max' }), { effort: 'xhigh', budgetTokens: null })
  t.equal(reasoning({ reasoning_effort: null }), null)
  t.strictSame(decodeRequest(hi({ reasoning_effort: 'default' })).extensions, { reasoning_effort: 'default' })
  t.end()
})

test('what has no canonical place is kept as an extension', (t) => {
  const allowed = { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [] } }
  const body = hi({
    tool_choice: allowed,
    response_format: { type: 'grammar', grammar: 'x' },
    stream_options: { include_usage: true, include_obfuscation: false },
    provider: { order: ['a'] },
    logprobs: true,
    store: null,
    webSearch: 1,
  })
  t.strictSame(decodeRequest(body).extensions, {
    logprobs: true,
    webSearch: 1,
    tool_choice: allowed,
    response_format: { type: 'grammar', grammar: 'x' },
    provider: { order: ['a'] },
    stream_options: { include_obfuscation: false },
  })
  t.strictSame(decodeRequest(hi({ provider: 'groq', tool_choice: 'auto' })).extensions, {})
  t.end()
})

test('what a message says beside its content and has no canonical place is named', (t) => {
  const messages = [
    { role: 'user', name: 'ann', content: 'hi' },
    { role: 'assistant', audio: { id: 'audio_1' }, content: null },
    { role: 'user', content: 'and?', weight: 1 },
  ]
  t.strictSame(decodeRequest(hi({ messages })).extensions, {
    'messages.name': true,
    'messages.audio': true,
    'messages.weight': true,
  })
  t.strictSame(
    decodeRequest(hi({ messages: [{ role: 'tool', name: 'f', tool_call_id: 'c', content: 'x' }] })).extensions,
    {},
  )
  t.end()
})

test('a field called __proto__ is a field like any other', (t) => {
  const body = JSON.parse(
    '{"model":"m","messages":[{"role":"user","content":"{{7*7}}"}],"__proto__":{"x":1}}',
  ) as JsonObject
  const { extensions } = decodeRequest(body)
  t.strictSame(Object.keys(extensions), ['__proto__'])
  t.equal(Object.getPrototypeOf(extensions), Object.prototype)
  t.strictSame(encodeRequest(decodeRequest(body), targetWith()).dropped, ['__proto__'])
  t.end()
})
