// A body as the canonical request, and what of it is reported as lost.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { decodeRequest } from '../../../../src/protocols/openai-responses/surface/decode-request.js'
import { thrownBy } from '../../../helpers/thrown.js'

const decode = (over: JsonObject) => decodeRequest({ model: 'm', input: 'hi', ...over })

test('parameters have their canonical places', async (t) => {
  const request = decode({
    instructions: 'Be brief.',
    stream: true,
    temperature: 0.5,
    top_p: 0.9,
    max_output_tokens: 7,
    parallel_tool_calls: false,
    reasoning: { effort: 'minimal', summary: 'auto' },
    user: 'ann',
    store: true,
  })
  t.match(request, {
    system: [{ type: 'text', text: 'Be brief.' }],
    stream: true,
    parallelToolCalls: false,
    reasoning: { effort: 'minimal', budgetTokens: null },
    sampling: { temperature: 0.5, topP: 0.9, maxOutputTokens: 7, seed: null, stop: [] },
    user: 'ann',
    extensions: {},
  })
  t.match(decode({}), { system: [], stream: false, reasoning: null, responseFormat: null, toolChoice: null })
  t.same(decode({ reasoning: { effort: 'max' } }).reasoning, { effort: 'xhigh', budgetTokens: null })
})

test('formats', async (t) => {
  const format = (value: JsonObject) => decode({ text: { format: value } }).responseFormat
  t.same(format({ type: 'text' }), { type: 'text' })
  t.same(format({ type: 'json_object' }), { type: 'json' })
  t.same(format({ type: 'json_schema', schema: { type: 'object' } }), {
    type: 'json-schema',
    name: 'response',
    description: null,
    schema: { type: 'object' },
    strict: null,
  })
  t.equal(thrownBy(() => format({ type: 'json_schema', name: 'n' })).param, 'text.format.schema')
})

test('what has no canonical form is kept under its name, or named', async (t) => {
  const { extensions } = decode({
    prompt_cache_key: 'k',
    x_future: [1],
    x_null: null,
    text: { format: { type: 'grammar' }, verbosity: 'low' },
    reasoning: { effort: 'unheard-of' },
    include: ['reasoning.encrypted_content', 'file_search_call.results'],
    truncation: 'auto',
    top_logprobs: 2,
    tools: [{ type: 'web_search' }, { type: 'custom', name: 'g' }],
    metadata: { a: 'b' },
  })
  t.same(extensions, {
    prompt_cache_key: 'k',
    x_future: [1],
    verbosity: 'low',
    'tools.web_search': true,
    include: true,
    truncation: true,
    top_logprobs: true,
    'reasoning.effort': true,
    'text.format': true,
  })
})

test('defaults that a client writes out are not reported', async (t) => {
  const { extensions } = decode({
    ...{ include: ['reasoning.encrypted_content'], truncation: 'disabled', top_logprobs: 0, background: false },
    ...{ previous_response_id: null, stream_options: { include_obfuscation: false }, text: { format: null } },
  })
  t.same(extensions, {})
})
