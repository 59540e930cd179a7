// Canonical requests become bodies for one target; bodies that pass as bytes get as few edits as possible.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { type ChatRequest, NO_SAMPLING, type Sampling } from '../../../../src/model/request.js'
import {
  editRequest,
  editsBulk,
  encodeRequest,
  requestPath,
} from '../../../../src/protocols/anthropic-messages/dialect/encode-request.js'
import { decodeRequest } from '../../../../src/protocols/anthropic-messages/surface/decode-request.js'
import { readFacts } from '../../../../src/protocols/anthropic-messages/surface/schema.js'
import { thrownBy } from '../../../helpers/thrown.js'
import { filesOf, jsonOf, targetOf } from '../fixtures.js'

const PLAIN: ChatRequest = {
  model: 'alias',
  stream: false,
  includeUsage: false,
  system: [],
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
  tools: [],
  toolChoice: null,
  parallelToolCalls: null,
  responseFormat: null,
  reasoning: null,
  sampling: NO_SAMPLING,
  user: null,
  extensions: {},
}
const TOOLS: ChatRequest['tools'] = [{ name: 'f', description: 'd', parameters: {}, strict: null }]
const sampling = (change: Partial<Sampling>): Sampling => ({ ...NO_SAMPLING, ...change })
const encode = (change: Partial<ChatRequest>, target = targetOf()) => encodeRequest({ ...PLAIN, ...change }, target)

test('decode after encode gives the same canonical request again, on every fixture', async (t) => {
  for (const file of filesOf('requests')) {
    const once = decodeRequest(jsonOf(`requests/${file}`))
    const { body, dropped } = encodeRequest(once, targetOf())
    readFacts(body)
    const isBoth = file === 'sampling-stop.json'
    t.strictSame(decodeRequest(body), isBoth ? { ...once, sampling: { ...once.sampling, topP: null } } : once, file)
    t.strictSame(dropped, isBoth ? ['top_p'] : [], file)
  }
})

test('sends temperature or top_p, never both, since newer models refuse the two together', async (t) => {
  const both = encode({ sampling: sampling({ temperature: 0.2, topP: 0.9 }) })
  t.equal(both.body.temperature, 0.2)
  t.notOk('top_p' in both.body)
  t.strictSame(both.dropped, ['top_p'])
  const alone = encode({ sampling: sampling({ topP: 0.9 }) })
  t.equal(alone.body.top_p, 0.9)
  t.strictSame(alone.dropped, [])
})

test('sends no sampling parameters to the models that refuse them all', async (t) => {
  const values = sampling({ temperature: 0.2, topP: 0.9, topK: 3, maxOutputTokens: 9 })
  const { body, dropped } = encode({ sampling: values }, targetOf({ model: 'claude-opus-5' }))
  t.strictSame(dropped, ['temperature', 'top_p', 'top_k'])
  t.strictSame(Object.keys(body), ['model', 'max_tokens', 'messages'])
})

test('sends the target’s model and the default cap', async (t) => {
  t.strictSame(encode({}).body, {
    model: 'claude-sonnet-4-5',
    max_tokens: 4096,
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
  })
  t.equal(encode({ stream: true }).body.stream, true)
})

test('takes the cap on the output from extraBody where the client sets none', async (t) => {
  const target = targetOf({ extraBody: { max_tokens: 77 } })
  t.equal(encode({}, target).body.max_tokens, 77)
  t.equal(encode({ sampling: sampling({ maxOutputTokens: 5 }) }, target).body.max_tokens, 5)
})

test('lays extraBody under the request', async (t) => {
  const target = targetOf({ extraBody: { top_k: 5, service_tier: 'auto', output_config: { effort: 'low' } } })
  const { body } = encode({ sampling: sampling({ topK: 7 }) }, target)
  t.match(body, { top_k: 7, service_tier: 'auto', output_config: { effort: 'low' } })
})

test("a client's cap is never raised: the thinking budget is cut to fit, or thinking is left out and named", async (t) => {
  const rows: readonly (readonly [cap: number, budget: number | null])[] = [
    [1, null],
    [1000, null],
    [1024, null],
    [1025, 1024],
    [2000, 1024],
    [4000, 2000],
    [8192, 4096],
    [8193, 8192],
    [50_000, 8192],
  ]
  for (const [cap, budget] of rows) {
    for (const reasoning of [{ effort: 'medium', budgetTokens: null } as const, { effort: null, budgetTokens: 8192 }]) {
      const { body, dropped } = encode({ reasoning, sampling: sampling({ maxOutputTokens: cap }) })
      t.equal(body.max_tokens, cap, `cap ${cap}`)
      t.strictSame(
        body.thinking,
        budget === null ? undefined : { type: 'enabled', budget_tokens: budget },
        `cap ${cap}`,
      )
      t.strictSame(dropped, budget === null ? ['reasoning'] : [], `cap ${cap}`)
    }
  }
})

test('a default of ours makes room for the thinking budget', async (t) => {
  const { body } = encode({ reasoning: { effort: 'xhigh', budgetTokens: null } })
  t.match(body, { thinking: { type: 'enabled', budget_tokens: 32_768 } })
  t.ok(Number(body.max_tokens) > 32_768)
})

test('a model that is known not to think is not asked to, in any way', async (t) => {
  const target = { ...targetOf(), thinks: false }
  for (const reasoning of [{ effort: 'high', budgetTokens: null } as const, { effort: null, budgetTokens: 2000 }]) {
    const { body, dropped } = encode({ reasoning }, target)
    t.notOk('thinking' in body || 'output_config' in body)
    t.strictSame(dropped, ['reasoning'])
  }
  const body = {
    model: 'm',
    max_tokens: 9,
    messages: [{ role: 'user', content: 'Hi' }],
    thinking: { type: 'adaptive' },
    output_config: { effort: 'high', x: 1 },
  }
  const facts = readFacts(body)
  const { edits, dropped } = editRequest({ ...facts, model: target.model }, body, target)
  t.strictSame(Object.fromEntries(edits), { thinking: undefined, output_config: { x: 1 } })
  t.strictSame(dropped, ['thinking', 'output_config.effort'])
  const alone = editRequest({ ...facts, model: target.model }, { ...body, output_config: { effort: 'low' } }, target)
  t.strictSame(alone.edits.get('output_config'), undefined)
  t.ok(alone.edits.has('output_config'))
  const off = { ...body, thinking: { type: 'disabled' }, output_config: null }
  t.equal(editRequest({ ...facts, model: target.model }, off, target).edits.size, 0)
})

test('drops and names the sampling that does not go with thinking', async (t) => {
  const values = sampling({ temperature: 0.2, topK: 3, topP: 0.5 })
  const reasoning = { effort: null, budgetTokens: 2000 } as const
  const thinking = encode({ reasoning, sampling: values })
  t.strictSame(thinking.dropped, ['temperature', 'top_p', 'top_k'])
  t.notOk('temperature' in thinking.body || 'top_p' in thinking.body || 'top_k' in thinking.body)
  const fine = encode({ reasoning, sampling: sampling({ topP: 0.95 }) })
  t.match(fine.body, { top_p: 0.95 })
  t.strictSame(fine.dropped, [])
})

test('clamps the temperature and names what this wire does not know', async (t) => {
  const values = sampling({ temperature: 1.7, frequencyPenalty: 1, presencePenalty: 1, seed: 1, stop: ['\n', 'END'] })
  const { body, dropped } = encode({ sampling: values, extensions: { logit_bias: {}, service_tier: 'flex' } })
  t.equal(body.temperature, 1)
  t.strictSame(body.stop_sequences, ['END'])
  t.strictSame(dropped, ['stop', 'frequency_penalty', 'presence_penalty', 'seed', 'logit_bias', 'service_tier'])
})

test('encodes tools, and gives an empty schema the type the vendor demands', async (t) => {
  t.strictSame(encode({ tools: TOOLS }).body.tools, [{ name: 'f', description: 'd', input_schema: { type: 'object' } }])
  const strict = [{ name: 'f', description: null, parameters: { type: 'object' }, strict: true }]
  t.strictSame(encode({ tools: strict }).body.tools, [{ name: 'f', input_schema: { type: 'object' }, strict: true }])
})

test('encodes every tool choice and the ban on parallel calls', async (t) => {
  const choose = (change: Partial<ChatRequest>) => encode({ tools: TOOLS, ...change }).body.tool_choice
  t.equal(choose({}), undefined)
  t.strictSame(choose({ toolChoice: { type: 'auto' } }), { type: 'auto' })
  t.strictSame(choose({ toolChoice: { type: 'required' } }), { type: 'any' })
  t.strictSame(choose({ toolChoice: { type: 'none' }, parallelToolCalls: false }), { type: 'none' })
  t.strictSame(choose({ parallelToolCalls: false }), { type: 'auto', disable_parallel_tool_use: true })
  t.strictSame(choose({ toolChoice: { type: 'tool', name: 'f' }, parallelToolCalls: false }), {
    type: 'tool',
    name: 'f',
    disable_parallel_tool_use: true,
  })
})

test('a choice without tools is left out, and named when it meant something', async (t) => {
  t.strictSame(encode({ toolChoice: { type: 'auto' } }).dropped, [])
  const { body, dropped } = encode({ toolChoice: { type: 'required' } })
  t.notOk('tool_choice' in body)
  t.strictSame(dropped, ['tool_choice'])
})

test('drops thinking where a forced tool forbids it', async (t) => {
  const reasoning = { effort: 'low', budgetTokens: null } as const
  for (const toolChoice of [{ type: 'required' }, { type: 'tool', name: 'f' }] as const) {
    const { body, dropped } = encode({ tools: TOOLS, toolChoice, reasoning })
    t.notOk('thinking' in body)
    t.strictSame(dropped, ['reasoning'])
  }
})

test('drops a budget where the tool turn it continues has no thinking block', async (t) => {
  const reasoning = { effort: 'low', budgetTokens: null } as const
  const call = { type: 'tool-call', id: 'a', name: 'f', arguments: '{}', signature: null } as const
  const thought = { type: 'reasoning', text: 't', signature: 's', redacted: null } as const
  const result = { type: 'tool-result', callId: 'a', name: 'f', content: [], isError: false } as const
  const turns = (content: readonly (typeof call | typeof thought)[]): ChatRequest['messages'] => [
    ...PLAIN.messages,
    { role: 'assistant', content },
    { role: 'tool', content: [result] },
  ]
  t.strictSame(encode({ reasoning, messages: turns([call]) }).dropped, ['reasoning'])
  t.strictSame(encode({ reasoning, messages: turns([thought, call]) }).dropped, [])
  const adaptive = targetOf({ extraBody: { thinking: { type: 'adaptive' } } })
  t.strictSame(encode({ reasoning, messages: turns([call]) }, adaptive).dropped, [])
})

test('asks for JSON by schema, and names the JSON mode it cannot ask for', async (t) => {
  const schema = { type: 'object' }
  const format = { type: 'json-schema', name: 'n', description: null, schema, strict: true } as const
  t.strictSame(encode({ responseFormat: format }).body.output_config, { format: { type: 'json_schema', schema } })
  const none = encode({ responseFormat: format }, targetOf({ quirks: { jsonSchema: 'none' } }))
  t.strictSame(none.dropped, ['response_format'])
  t.match(none.body.system, [{ text: /JSON Schema/ }], 'the model is told in words')
  t.match(encode({ responseFormat: { type: 'json' } }).body.system, [{ text: /^Answer with one JSON object/ }])
  t.strictSame(encode({ responseFormat: { ...format, schema: true } }).dropped, ['response_format'])
  t.strictSame(encode({ responseFormat: { type: 'json' } }).dropped, ['response_format'])
  t.strictSame(encode({ responseFormat: { type: 'text' } }).dropped, [])
})

test('asks for JSON by a forced tool where the server has no format, and then not for thinking', async (t) => {
  const format = { type: 'json-schema', name: 'n', description: 'd', schema: { type: 'object' }, strict: true } as const
  const target = targetOf({ quirks: { jsonSchema: 'tool' } })
  const reasoning = { effort: 'low', budgetTokens: null } as const
  const { body, dropped } = encode({ responseFormat: format, reasoning }, target)
  t.match(body.tools, [{ name: 'sluice_json_answer', input_schema: { type: 'object' } }])
  t.strictSame(body.tool_choice, { type: 'tool', name: 'sluice_json_answer', disable_parallel_tool_use: true })
  t.notOk('output_config' in body || 'thinking' in body || 'system' in body)
  t.strictSame(dropped, ['reasoning'])
})

test('sends effort words where the target is configured for adaptive thinking', async (t) => {
  const target = targetOf({ extraBody: { thinking: { type: 'adaptive', display: 'omitted' } } })
  const { body } = encode({ reasoning: { effort: 'high', budgetTokens: null } }, target)
  t.match(body, {
    max_tokens: 4096,
    thinking: { type: 'adaptive', display: 'omitted' },
    output_config: { effort: 'high' },
  })
})

test('leaves out and names the fields the target refuses', async (t) => {
  const target = targetOf({ quirks: { refusedFields: ['temperature', 'top_k'] } })
  const { body, dropped } = encode({ sampling: sampling({ temperature: 1 }) }, target)
  t.notOk('temperature' in body)
  t.strictSame(dropped, ['temperature'])
})

test('edits nothing where nothing differs, on every fixture', async (t) => {
  for (const file of filesOf('requests')) {
    const body = jsonOf(`requests/${file}`)
    const { edits, dropped } = editRequest(readFacts(body), body, targetOf())
    t.equal(edits.size, 0, file)
    t.strictSame(dropped, [])
  }
})

test('edits the model, the missing defaults and the refused fields alone', async (t) => {
  const body: JsonObject = { ...jsonOf('requests/sampling-stop.json') }
  const target = targetOf({
    model: 'claude-opus-4-8',
    extraBody: { service_tier: 'auto', top_p: 0.1, speed: 'fast' },
    quirks: { refusedFields: ['top_k', 'speed', 'seed'] },
  })
  const { edits, dropped } = editRequest(readFacts(body), body, target)
  t.strictSame(
    [...edits],
    [
      ['service_tier', 'auto'],
      ['model', 'claude-opus-4-8'],
      ['top_k', undefined],
    ],
  )
  t.strictSame(dropped, ['top_k'])
})

test('where the model is in the path, the body has a version in its place', async (t) => {
  const base = targetOf()
  const target = { ...base, model: 'claude-x@20250929', quirks: { ...base.quirks, rawPredictVersion: 'v-1' } }
  t.equal(requestPath(target, true), '/models/claude-x@20250929:streamRawPredict')
  t.equal(requestPath(target, false), '/models/claude-x@20250929:rawPredict')
  t.equal(requestPath({ ...target, model: 'a/../b?c' }, false), '/models/a%2F..%2Fb%3Fc:rawPredict')
  t.equal(requestPath(base, true), '/messages')
  const encoded = encode({ stream: true }, target).body
  t.match(encoded, { anthropic_version: 'v-1', stream: true })
  t.notOk('model' in encoded)
  t.equal(encode({}, { ...target, extraBody: { anthropic_version: 'v-2' } }).body.anthropic_version, 'v-2')
  const body: JsonObject = { model: target.model, max_tokens: 1, messages: [{ role: 'user', content: 'Hi' }] }
  const edits = (client: JsonObject) => Object.fromEntries(editRequest(readFacts(client), client, target).edits)
  t.strictSame(edits(body), { model: undefined, anthropic_version: 'v-1' }, 'also a model of the same name goes')
  t.strictSame(edits({ ...body, anthropic_version: 'v-3' }), { model: undefined }, "the client's own version stays")
})

test('a file of the shared account is refused, one of the caller’s own account passes', async (t) => {
  const content = [{ type: 'document', source: { type: 'file', file_id: 'file_1' } }]
  const body = { model: 'm', max_tokens: 9, messages: [{ role: 'user', content }] }
  t.match(
    thrownBy(() => editRequest(readFacts(body), body, targetOf())),
    { code: 'invalid_request', param: 'messages.0.content.0.source.file_id' },
  )
  t.ok(editRequest({ ...readFacts(body), isOwnAccount: true }, body, targetOf()))
  t.ok(editsBulk({}, targetOf(), (name) => name === 'file_id'))
  t.notOk(editsBulk({}, targetOf(), () => false))
})
