// The canonical request as a body for one vendor.
import { test } from 'tap'
import { type ChatRequest, NO_SAMPLING } from '../../../../src/model/request.js'
import { type Quirks, type Target } from '../../../../src/model/target.js'
import {
  encodeRequest,
  requestPath,
  withEncrypted,
} from '../../../../src/protocols/openai-responses/dialect/encode-request.js'
import { request, testTarget } from '../../../helpers/targets.js'

const encode = (over: Partial<ChatRequest>, quirks: Partial<Quirks> = {}, target: Partial<Target> = {}) =>
  encodeRequest(request(over), testTarget('openai-responses', target, quirks))

test('nothing is ever stored at the vendor', async (t) => {
  t.match(encode({}).body, { model: 'm', stream: true, store: false })
  t.same(encode({ extensions: { store: true } }), encode({}), 'whatever the client of another API asks')
})

test('the path has a version only where Azure wants one', async (t) => {
  t.equal(requestPath(testTarget('openai-responses')), '/responses')
  const dated = testTarget('openai-responses', {}, { deploymentApiVersion: '2025-04-01 p' })
  t.equal(requestPath(dated), '/responses?api-version=2025-04-01%20p')
})

test('tools are not strict unless the client says so: this wire’s default is another', async (t) => {
  const tool = { name: 'f', description: null, parameters: {}, strict: null }
  const { body } = encode({
    tools: [tool, { ...tool, description: 'd', parameters: { type: 'object' }, strict: true }],
    toolChoice: { type: 'tool', name: 'f' },
    parallelToolCalls: false,
  })
  t.same(body.tools, [
    { type: 'function', name: 'f', parameters: { type: 'object', properties: {} }, strict: false },
    { type: 'function', name: 'f', description: 'd', parameters: { type: 'object' }, strict: true },
  ])
  t.match(body, { tool_choice: { type: 'function', name: 'f' }, parallel_tool_calls: false })
  t.equal(encode({ toolChoice: { type: 'required' } }).body.tool_choice, 'required')
})

test('formats go into text, as far as the server supports them', async (t) => {
  const schema = { type: 'json-schema', name: 'n', description: 'd', schema: { type: 'object' }, strict: null } as const
  t.same(encode({ responseFormat: schema, extensions: { verbosity: 'low' } }).body.text, {
    format: { type: 'json_schema', name: 'n', schema: { type: 'object' }, description: 'd', strict: false },
    verbosity: 'low',
  })
  t.same(encode({ responseFormat: { type: 'json' } }).body.text, { format: { type: 'json_object' } })
  t.same(encode({ responseFormat: { type: 'text' } }).body.text, { format: { type: 'text' } })
  const plain = encode({ responseFormat: schema }, { jsonSchema: 'json-object' })
  t.same(plain.body.text, { format: { type: 'json_object' } })
  t.match(plain.body.instructions, /JSON Schema/)
  t.same(plain.dropped, ['response_format'])
  t.notOk('text' in encode({ responseFormat: schema }, { jsonSchema: 'none' }).body)
})

test('an effort asks for the encrypted reasoning too, which must come back', async (t) => {
  const high = { effort: 'high', budgetTokens: null } as const
  const encrypted = ['reasoning.encrypted_content']
  t.match(encode({ reasoning: high }).body, { reasoning: { effort: 'high' }, include: encrypted })
  t.match(encode({ reasoning: { effort: null, budgetTokens: 5000 } }).body, { reasoning: { effort: 'medium' } })
  t.match(encode({}, {}, { thinks: true }).body.include, encrypted, 'a model that thinks unasked')
  t.notOk('include' in encode({}).body, 'other models refuse it')
  t.notOk('include' in encode({ reasoning: { effort: 'none', budgetTokens: null } }).body)
  const wish = encode({ reasoning: { effort: 'xhigh', budgetTokens: null, isWish: true } }, {}, { thinks: true })
  t.same(wish.body.reasoning, { effort: 'high' })
  t.same(encode({ reasoning: high }, { reasoningRequest: 'none' }).dropped, ['reasoning'])
  t.same(encode({ reasoning: { effort: 'none', budgetTokens: null } }, { reasoningRequest: 'none' }).dropped, [])
  t.same(encode({ reasoning: high }, {}, { thinks: false }).dropped, ['reasoning'])
})

test('the target’s own fields are kept: a summary beside an effort, other includes beside ours', async (t) => {
  const extraBody = { reasoning: { summary: 'auto' }, include: ['x'], service_tier: 'flex' }
  const { body } = encode({ reasoning: { effort: 'low', budgetTokens: null } }, {}, { extraBody })
  t.match(body, { reasoning: { effort: 'low', summary: 'auto' }, service_tier: 'flex' })
  t.same(body.include, ['x', 'reasoning.encrypted_content'])
  t.same(encode({}, {}, { extraBody }).body.reasoning, { summary: 'auto' })
  t.same(withEncrypted(['reasoning.encrypted_content', 'y']), ['y', 'reasoning.encrypted_content'])
})

test('sampling that this wire does not have is named', async (t) => {
  const { body, dropped } = encode(
    {
      sampling: {
        ...NO_SAMPLING,
        ...{ temperature: 1.8, topP: 0.5, topK: 3, maxOutputTokens: 9, frequencyPenalty: 1, presencePenalty: 1 },
        ...{ seed: 1, stop: ['x'] },
      },
    },
    { maxTemperature: 1 },
  )
  t.match(body, { temperature: 1, top_p: 0.5, max_output_tokens: 9 })
  t.same(dropped, ['top_k', 'frequency_penalty', 'presence_penalty', 'seed', 'stop'])
})

test('this wire’s own extensions are carried, others are named', async (t) => {
  const extensions = { prompt_cache_key: 'k', service_tier: 'auto', x_future: 1, verbosity: 7 }
  const { body, dropped } = encode({ extensions, user: 'u'.repeat(65) })
  t.match(body, { prompt_cache_key: 'k', service_tier: 'auto', user: /^[0-9a-f]{64}$/ })
  t.same(dropped, ['x_future', 'verbosity'])
  t.same(encode({ extensions: { service_tier: 'standard_only' } }).dropped, ['service_tier'])
})

test('fields that a server rejects are left out and named', async (t) => {
  const { body, dropped } = encode({ user: 'u' }, { refusedFields: ['user', 'absent'] })
  t.notOk('user' in body)
  t.same(dropped, ['user'])
})
