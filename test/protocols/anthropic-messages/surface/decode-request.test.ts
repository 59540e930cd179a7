// Checked bodies become canonical requests.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { type ChatRequest, NO_SAMPLING } from '../../../../src/model/request.js'
import { decodeRequest } from '../../../../src/protocols/anthropic-messages/surface/decode-request.js'
import { jsonOf } from '../fixtures.js'

const VALID: JsonObject = { model: 'm', max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] }
const decode = (change: JsonObject): ChatRequest => decodeRequest({ ...VALID, ...change })

test('decodes the plainest request', async (t) => {
  t.strictSame(decodeRequest(jsonOf('requests/text.json')), {
    model: 'claude-sonnet-4-5',
    stream: false,
    includeUsage: true,
    system: [],
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello, Claude' }] }],
    tools: [],
    toolChoice: null,
    parallelToolCalls: null,
    responseFormat: null,
    reasoning: null,
    sampling: { ...NO_SAMPLING, maxOutputTokens: 1024, stop: [] },
    user: null,
    extensions: {},
  })
})

test('decodes the system prompt with its cache breakpoints, and system turns after it', async (t) => {
  t.strictSame(decodeRequest(jsonOf('requests/system-cache.json')).system, [
    { type: 'text', text: 'You are an AI assistant tasked with analyzing literary works.' },
    { type: 'text', text: '<the entire contents of Pride and Prejudice>', cacheBreakpoint: true },
  ])
  t.strictSame(decode({ system: '' }).system, [])
  const turns = [
    { role: 'user', content: 'Hi' },
    { role: 'system', content: 'Be brief.' },
  ]
  t.strictSame(decode({ system: 'Be kind.', messages: turns }).system, [
    { type: 'text', text: 'Be kind.' },
    { type: 'text', text: 'Be brief.' },
  ])
})

test('decodes tools; those that only the vendor can run are named among the extensions', async (t) => {
  t.strictSame(decodeRequest(jsonOf('requests/tools.json')).tools[1], {
    name: 'get_time',
    description: null,
    parameters: { type: 'object', properties: {} },
    strict: true,
  })
  const tools = [
    { type: 'web_search_20250305', name: 'web_search' },
    { type: 'bash_20250124', name: 'bash' },
  ]
  t.strictSame(decode({ tools }).extensions, { 'tools.web_search': true })
})

test('decodes every tool choice and the ban on parallel calls', async (t) => {
  const named = decodeRequest(jsonOf('requests/tool-choice.json'))
  t.strictSame(named.toolChoice, { type: 'tool', name: 'get_weather' })
  t.equal(named.parallelToolCalls, false)
  t.strictSame(decode({ tool_choice: { type: 'any' } }).toolChoice, { type: 'required' })
  t.strictSame(decode({ tool_choice: { type: 'auto' } }).toolChoice, { type: 'auto' })
  t.strictSame(decode({ tool_choice: { type: 'none' } }).toolChoice, { type: 'none' })
  t.equal(decode({ tool_choice: { type: 'auto', disable_parallel_tool_use: false } }).parallelToolCalls, null)
})

test('decodes the output schema from its place and from the beta’s', async (t) => {
  const format = { type: 'json_schema', schema: { type: 'object' } }
  const expected = {
    type: 'json-schema',
    name: 'response',
    description: null,
    schema: { type: 'object' },
    strict: null,
  }
  t.strictSame(decode({ output_config: { format } }).responseFormat, expected)
  t.strictSame(decode({ output_format: format }).responseFormat, expected)
  t.equal(decode({ output_format: { type: 'grammar' } }).responseFormat, null)
})

test('names an output format and an effort that it has no word for, and the older name beside the newer', async (t) => {
  const format = { type: 'json_schema', schema: { type: 'object' } }
  t.strictSame(decode({ output_config: { format, effort: 'high' } }).extensions, {})
  t.strictSame(decode({ output_config: { format: { type: 'grammar' } } }).extensions, { 'output_config.format': true })
  t.strictSame(decode({ output_config: { effort: 'unheard-of' } }).extensions, { 'output_config.effort': true })
  t.strictSame(decode({ output_format: { type: 'grammar' } }).extensions, { output_format: true })
  t.strictSame(decode({ output_config: { format }, output_format: format }).extensions, { output_format: true })
})

test('decodes sampling, stop sequences and the user', async (t) => {
  const request = decodeRequest(jsonOf('requests/sampling-stop.json'))
  t.strictSame(request.sampling, {
    temperature: 0.7,
    topP: 0.9,
    topK: 40,
    maxOutputTokens: 1024,
    frequencyPenalty: null,
    presencePenalty: null,
    seed: null,
    stop: ['END', '\n\nHuman:'],
  })
  t.equal(request.user, '13803d75-b4b5-4c3e-b2a2-6f21399b021b')
})

test('keeps unknown top-level fields as extensions', async (t) => {
  const body = jsonOf('requests/unknown-fields.json')
  const { model: _model, max_tokens: _max, messages: _messages, ...unknown } = body
  t.strictSame(decodeRequest(body).extensions, unknown)
})
