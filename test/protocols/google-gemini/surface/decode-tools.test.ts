// Tools and which of them may be called.
import { test } from 'tap'
import { type JsonObject, type JsonValue } from '../../../../src/model/json.js'
import { decodeTools } from '../../../../src/protocols/google-gemini/surface/decode-tools.js'
import { thrownBy } from '../../../helpers/thrown.js'

const F = { name: 'f', description: 'd', parameters: { type: 'OBJECT', properties: { a: { type: 'STRING' } } } }
const G = { name: 'g' }

const choose = (functionCallingConfig: JsonValue) =>
  decodeTools({ tools: [{ functionDeclarations: [F, G] }], toolConfig: { functionCallingConfig } })

test('functions have their schema in JSON Schema, whichever form they came in', async (t) => {
  const own = { type: 'object', properties: { a: { type: 'string' } } }
  const json = { name: 'h', parametersJsonSchema: own, parameters: { type: 'STRING' }, response: {}, behavior: null }
  const { tools, dropped } = decodeTools({
    tools: [{ functionDeclarations: [F] }, { functionDeclarations: [G, json] }],
  })
  t.same(tools, [
    { name: 'f', description: 'd', parameters: own, strict: null },
    { name: 'g', description: null, parameters: { type: 'object', properties: {} }, strict: null },
    { name: 'h', description: null, parameters: own, strict: null },
  ])
  t.same(dropped, ['tools.functionDeclarations.response'])
  t.same(decodeTools({}), { tools: [], choice: null, dropped: [] })
})

test('a tool that only the vendor runs is left out and named beside others, else refused by its path', async (t) => {
  const beside = decodeTools({ tools: [{ googleSearch: {} }, { functionDeclarations: [G] }] })
  t.same([beside.tools.length, beside.dropped], [1, ['tools.googleSearch']])
  const refusal = thrownBy(() => decodeTools({ tools: [{ functionDeclarations: [] }, { codeExecution: {} }] }))
  t.match(refusal, { code: 'invalid_request', param: 'tools.1.codeExecution', retryable: true })
  t.same(decodeTools({ tools: [7, { googleSearch: null }] as JsonObject['x'] }).dropped, [])
})

test('every mode of calling has its choice', async (t) => {
  const names = ({ tools }: ReturnType<typeof decodeTools>) => tools.map(({ name }) => name)
  t.same(choose({ mode: 'AUTO' }).choice, { type: 'auto' })
  t.same(choose({ mode: 'NONE' }).choice, { type: 'none' })
  t.same(choose({ mode: 'ANY' }).choice, { type: 'required' })
  t.same(choose({ mode: 'ANY', allowedFunctionNames: ['g'] }).choice, { type: 'tool', name: 'g' })
  const some = choose({ mode: 'ANY', allowedFunctionNames: ['f', 'x'] })
  t.same([some.choice, names(some)], [{ type: 'required' }, ['f']])
  const checked = choose({ mode: 'VALIDATED', allowedFunctionNames: ['f'] })
  t.same([checked.choice, names(checked)], [{ type: 'auto' }, ['f']])
  t.same(checked.dropped, ['toolConfig.functionCallingConfig.mode'])
  t.equal(choose({}).choice, null)
  t.equal(choose(null).choice, null)
})
