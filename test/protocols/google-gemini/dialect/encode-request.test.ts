// The whole body: system text, tools, what is dropped, what the configuration adds.
import { test } from 'tap'
import { type ToolChoice, type ToolDefinition } from '../../../../src/model/request.js'
import { googleGemini } from '../../../../src/protocols/google-gemini/index.js'
import { dialectOf, target } from '../../../helpers/dialect.js'
import { request } from '../../../helpers/targets.js'

const dialect = dialectOf(googleGemini)
const TARGET = target('google-gemini')
const tool = (over: Partial<ToolDefinition> = {}): ToolDefinition => {
  return { name: 'f', description: 'd', parameters: { $schema: 's', type: 'object' }, strict: null, ...over }
}

test('a plain request is its turns, nothing is dropped', (t) => {
  t.strictSame(dialect.encodeRequest(request(), TARGET), {
    body: { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] },
    dropped: [],
  })
  t.end()
})

test('system text stands apart, part by part', (t) => {
  const system = ['a', '', 'b'].map((text) => ({ type: 'text' as const, text }))
  t.match(dialect.encodeRequest(request({ system }), TARGET).body, {
    systemInstruction: { parts: [{ text: 'a' }, { text: 'b' }] },
  })
  t.end()
})

test('a schema that the target does not support goes into the instructions', (t) => {
  const responseFormat = { type: 'json-schema', name: 'n', description: null, schema: {}, strict: null } as const
  const bodyAt = (jsonSchema: 'json-schema' | 'none') =>
    dialect.encodeRequest(request({ responseFormat }), target('google-gemini', {}, { jsonSchema })).body
  t.match(bodyAt('none').systemInstruction, { parts: [{ text: /JSON Schema/ }] })
  t.equal(bodyAt('json-schema').systemInstruction, undefined)
  t.end()
})

test('tools take JSON Schema as it is, without its dialect; a tool without parameters has none', (t) => {
  const bare = [{}, { type: 'object' }, { type: 'object', properties: {}, required: [], additionalProperties: false }]
  const parameters = { $schema: 'x', type: 'object', properties: { a: { type: 'string' } } }
  const tools = [
    tool({ parameters }),
    ...bare.map((schema) => tool({ name: 'g', description: null, parameters: schema, strict: true })),
    tool({ parameters: { anyOf: [] } }),
  ]
  const { body, dropped } = dialect.encodeRequest(request({ tools }), TARGET)
  t.strictSame(body.tools, [
    {
      functionDeclarations: [
        {
          name: 'f',
          description: 'd',
          parametersJsonSchema: { type: 'object', properties: { a: { type: 'string' } } },
        },
        { name: 'g' },
        { name: 'g' },
        { name: 'g' },
        { name: 'f', description: 'd', parametersJsonSchema: { anyOf: [] } },
      ],
    },
  ])
  t.strictSame(dropped, ['strict'])
  t.end()
})

test('each tool choice has its mode, and none without tools', (t) => {
  const config = (toolChoice: ToolChoice, tools = [tool()]) =>
    dialect.encodeRequest(request({ tools, toolChoice }), TARGET).body.toolConfig
  t.strictSame(config({ type: 'auto' }), { functionCallingConfig: { mode: 'AUTO' } })
  t.strictSame(config({ type: 'none' }), { functionCallingConfig: { mode: 'NONE' } })
  t.strictSame(config({ type: 'required' }), { functionCallingConfig: { mode: 'ANY' } })
  t.strictSame(config({ type: 'tool', name: 'f' }), {
    functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['f'] },
  })
  t.equal(config({ type: 'required' }, []), undefined)
  t.end()
})

test('what the wire cannot carry is named', (t) => {
  const asked = request({ parallelToolCalls: false, user: 'u', extensions: { logit_bias: {}, n: 2 } })
  t.strictSame(dialect.encodeRequest(asked, TARGET).dropped, ['logit_bias', 'n', 'parallel_tool_calls', 'user'])
  t.strictSame(dialect.encodeRequest(request({ parallelToolCalls: true }), TARGET).dropped, [])
  t.end()
})

test('the configured body lies under the request, member by member', (t) => {
  const extraBody = JSON.parse(
    '{"contents":[],"safetySettings":[1],"generationConfig":{"topK":1,"seed":7},"__proto__":{"polluted":true}}',
  )
  const asked = request({ sampling: { ...request().sampling, topK: 40 } })
  const { body } = dialect.encodeRequest(asked, target('google-gemini', { extraBody }))
  t.match(body, { contents: [{ role: 'user' }], safetySettings: [1], generationConfig: { topK: 40, seed: 7 } })
  t.equal(Object.getPrototypeOf(body), Object.prototype)
  t.strictSame(extraBody.generationConfig, { topK: 1, seed: 7 })
  t.end()
})

test('fields the vendor refuses are taken out and named', (t) => {
  const at = target('google-gemini', {}, { refusedFields: ['seed', 'tools', 'absent'] })
  const asked = request({ tools: [tool()], sampling: { ...request().sampling, seed: 7, topK: 1 } })
  const { body, dropped } = dialect.encodeRequest(asked, at)
  t.strictSame(dropped, ['tools', 'seed'])
  t.strictSame(body.generationConfig, { topK: 1 })
  t.equal(body.tools, undefined)
  t.end()
})

test('a refused field of the configured body is taken out of the request, not of the configuration', (t) => {
  const extraBody = Object.freeze({ generationConfig: Object.freeze({ seed: 1, topK: 2 }) })
  const at = target('google-gemini', { extraBody }, { refusedFields: ['seed'] })
  t.strictSame(dialect.encodeRequest(request(), at).body.generationConfig, { topK: 2 })
  t.strictSame(extraBody.generationConfig, { seed: 1, topK: 2 })
  const without = target('google-gemini', { extraBody }, { refusedFields: ['generationConfig'] })
  t.notOk('generationConfig' in dialect.encodeRequest(request(), without).body)
  t.end()
})

test('a stored beginning of the conversation is refused from clients of other APIs', (t) => {
  const { encodeRequest } = dialectOf(googleGemini)
  const asked = request({ extensions: { cachedContent: 'cachedContents/a' } })
  t.throws(() => encodeRequest(asked, target('google-gemini')), { message: /'cachedContent' is not supported/ })
  t.end()
})
