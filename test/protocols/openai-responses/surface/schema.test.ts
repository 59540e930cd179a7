// What a body must be, with the path of the first wrong field.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { bodySchema, readFacts } from '../../../../src/protocols/openai-responses/surface/schema.js'
import { thrownBy } from '../../../helpers/thrown.js'

const refusal = (over: JsonObject) => {
  const { param, message } = thrownBy(() => readFacts({ model: 'm', input: 'hi', ...over }))
  return [param, message]
}

test('routing and limits get what they need', async (t) => {
  t.same(readFacts({ model: 'm', input: 'hi', stream: true, max_output_tokens: 9 }), {
    model: 'm',
    stream: true,
    includeUsage: true,
    maxOutputTokens: 9,
    provider: null,
    prompt: null,
    state: { previousId: null, isStored: true, isBackground: false },
  })
  const { state } = readFacts({ model: 'm', input: [], previous_response_id: 'resp_1', store: false })
  t.same(state, { previousId: 'resp_1', isStored: false, isBackground: false })
  t.match(readFacts({ model: 'm', input: [] }), { stream: false, maxOutputTokens: null })
})

test('a wrong field is named by its path', async (t) => {
  t.same(thrownBy(() => readFacts({ input: 'hi' })).param, 'model')
  t.same(refusal({ input: null }), ['input', "'input' must be either string or array."])
  t.equal(thrownBy(() => readFacts({ model: 'm' })).message, "'input' is required.")
  for (const [over, param] of [
    [{ model: '' }, 'model'],
    [{ temperature: 3 }, 'temperature'],
    [{ max_output_tokens: 0 }, 'max_output_tokens'],
    [{ text: { format: {} } }, 'text.format.type'],
    [{ tool_choice: {} }, 'tool_choice.type'],
    [{ reasoning: { effort: 1 } }, 'reasoning.effort'],
    [{ input: ['x'] }, 'input.0'],
    [{ input: [{ role: 'robot', content: 'x' }] }, 'input.0.role'],
    [{ input: [{ role: 'user' }] }, 'input.0.content'],
    [{ input: [{ role: 'user', content: [{ text: 'x' }] }] }, 'input.0.content.0.type'],
    [{ input: [{ type: 'function_call', call_id: 'c', name: 'f' }] }, 'input.0.arguments'],
    [{ input: [{ type: 'function_call_output', call_id: '', output: 'x' }] }, 'input.0.call_id'],
    [{ input: [{ type: 'custom_tool_call_output', output: 'x' }] }, 'input.0.call_id'],
    [{ input: [{ type: 'custom_tool_call', call_id: 'c', name: 'f' }] }, 'input.0.input'],
    [{ input: [{ type: 'reasoning', summary: 'x' }] }, 'input.0.summary'],
    [{ input: [{ type: 'additional_tools', tools: [{ type: 'function' }] }] }, 'input.0.tools.0.name'],
    [{ tools: [{}] }, 'tools.0.type'],
    [{ tools: [{ type: 'function' }] }, 'tools.0.name'],
    [{ tools: [{ type: 'namespace', name: 'n', tools: [{ type: 'custom' }] }] }, 'tools.0.tools.0.name'],
  ] as const) {
    t.equal(refusal(over as unknown as JsonObject)[0], param, JSON.stringify(over))
  }
})

test('items and tools that only the vendor knows pass, and so do unknown fields', async (t) => {
  readFacts({
    model: 'm',
    input: [
      { type: 'web_search_call', id: 'w' },
      { type: 'compaction', encrypted_content: 'x' },
    ],
    tools: [{ type: 'web_search' }],
    x_future: 1,
  })
  t.equal(refusal({ conversation: 'conv_1' })[0], 'conversation', 'references are refused here')
})

test('the document’s schema has every field and the forms of items', async (t) => {
  const schema = JSON.parse(JSON.stringify(bodySchema()))
  t.same(schema.required, ['model', 'input'])
  t.equal(schema.properties.input.anyOf[1].items.allOf.length, 6)
  t.equal(schema.properties.tools.items.allOf.length, 3)
})
