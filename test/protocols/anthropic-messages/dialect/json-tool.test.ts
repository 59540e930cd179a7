// JSON by a schema as the input of a tool: what is asked, and how the answer is known again.
import { test } from 'tap'
import { type ChatRequest, type ResponseFormat } from '../../../../src/model/request.js'
import {
  finishAfterJson,
  isJsonTool,
  withJsonTool,
} from '../../../../src/protocols/anthropic-messages/dialect/json-tool.js'
import { request } from '../../../helpers/targets.js'
import { thrownBy } from '../../../helpers/thrown.js'
import { targetOf } from '../fixtures.js'

const TOOL = targetOf({ quirks: { jsonSchema: 'tool' } })
const NAME = 'sluice_json_answer'
const schema = { type: 'object', properties: { a: { type: 'string' } } }
const format: ResponseFormat = { type: 'json-schema', name: 'n', description: 'A river.', schema, strict: true }
const f = { name: 'f', description: null, parameters: {}, strict: null }
const given = (over: Partial<ChatRequest>) => withJsonTool(request({ responseFormat: format, ...over }), TOOL)

test('without other tools the model is made to call the tool, once', async (t) => {
  const { tools, toolChoice, parallelToolCalls, responseFormat } = given({})
  t.strictSame(tools, [
    { name: NAME, description: 'Gives the final answer; call it once. A river.', parameters: schema, strict: null },
  ])
  t.strictSame([toolChoice, parallelToolCalls, responseFormat], [{ type: 'tool', name: NAME }, false, null])
  t.strictSame(given({ tools: [f], toolChoice: { type: 'none' } }).toolChoice, { type: 'tool', name: NAME })
})

test('beside other tools it must call one of all', async (t) => {
  const { tools, toolChoice, parallelToolCalls } = given({ tools: [f], toolChoice: { type: 'auto' } })
  t.strictSame(
    tools.map(({ name }) => name),
    ['f', NAME],
  )
  t.strictSame([toolChoice, parallelToolCalls], [{ type: 'required' }, null])
})

test('where the client makes it call a tool of its own there is no answer to form', async (t) => {
  for (const toolChoice of [{ type: 'required' }, { type: 'tool', name: 'f' }] as const) {
    const asked = given({ tools: [f], toolChoice })
    t.strictSame([asked.tools, asked.toolChoice, asked.responseFormat], [[f], toolChoice, null])
  }
})

test('a target with a format of its own, and a request for none, is left as it is', async (t) => {
  const asked = request({ responseFormat: format })
  t.equal(withJsonTool(asked, targetOf()), asked)
  const plain = request({ responseFormat: { type: 'json' } })
  t.equal(withJsonTool(plain, TOOL), plain)
})

test('a schema without a type is one of an object; any other is refused', async (t) => {
  t.strictSame(given({ responseFormat: { ...format, schema: {} } }).tools[0]?.parameters, {})
  for (const wrong of [{ type: 'array' }, true, 'x']) {
    const thrown = thrownBy(() => given({ responseFormat: { ...format, schema: wrong } }))
    t.match(thrown, { code: 'invalid_request', param: 'response_format', retryable: true })
  }
})

test("a client's tool of the reserved name is refused: its calls would be taken for the answer", async (t) => {
  const thrown = thrownBy(() => withJsonTool(request({ tools: [{ ...f, name: NAME }] }), targetOf()))
  t.match(thrown, { code: 'invalid_request', param: 'tools' })
})

test('a call of the tool is the answer, and ends it like one', async (t) => {
  t.ok(isJsonTool({ type: 'tool_use', name: NAME }))
  t.notOk(isJsonTool({ type: 'tool_use', name: 'f' }))
  t.notOk(isJsonTool({ type: 'server_tool_use', name: NAME }))
  t.equal(finishAfterJson('tool-calls', false), 'stop')
  t.equal(finishAfterJson('tool-calls', true), 'tool-calls')
  t.equal(finishAfterJson('length', false), 'length')
})
