// What only the vendor could resolve is rejected, with the codes that clients recognize.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { openaiResponses } from '../../../../src/protocols/openai-responses/index.js'
import {
  itemNotFound,
  referencesIn,
  refuseReferences,
} from '../../../../src/protocols/openai-responses/surface/references.js'
import { thrownBy } from '../../../helpers/thrown.js'

/** Code and path as a client gets them. */
function refused(body: JsonObject): unknown[] {
  const error = thrownBy(() => refuseReferences(body))
  const answer = openaiResponses.surface?.encodeError(error, 'req-1')
  const { code, param, type } = (answer?.body.error ?? {}) as JsonObject
  return [answer?.status, type, code, param]
}

const TYPE = 'invalid_request_error'

test('a previous response is no reference to the provider: the gateway stores it', async (t) => {
  t.doesNotThrow(() => refuseReferences({ previous_response_id: 'resp_1' }))
})

test('conversations, background that is not stored, and stored prompts are refused', async (t) => {
  t.same(refused({ conversation: 'conv_1' }), [400, TYPE, 'conversation_not_found', 'conversation'])
  t.same(refused({ conversation: { id: 'conv_1' } }), [400, TYPE, 'conversation_not_found', 'conversation'])
  t.same(refused({ background: true, store: false }), [400, TYPE, 'unsupported_parameter', 'background'])
  t.doesNotThrow(() => refuseReferences({ background: true }))
  t.same(refused({ prompt: { id: 'pmpt_1' } }), [400, TYPE, 'unsupported_parameter', 'prompt'])
})

test('references to items are found, in every form that the vendor knows, and never more than can be looked up', async (t) => {
  const input = [
    { role: 'user', content: 'x' },
    { type: 'item_reference', id: 'msg_1' },
    { id: 'msg_2' },
    { type: null, id: 'msg_3' },
    { type: 'image_generation_call', id: 'ig_1' },
    { type: 'image_generation_call', id: 'ig_2', result: 'AAAA' },
    { type: 'item_reference' },
  ]
  t.doesNotThrow(() => refuseReferences({ input }))
  t.same(referencesIn(input), [
    { index: 1, id: 'msg_1' },
    { index: 2, id: 'msg_2' },
    { index: 3, id: 'msg_3' },
    { index: 4, id: 'ig_1' },
    { index: 6, id: '' },
  ])
  for (const none of [undefined, 'Hi', [], input.slice(0, 1)]) t.equal(referencesIn(none), undefined)
  const many = Array.from({ length: 1001 }, (_, i) => ({ id: `msg_${i}` }))
  t.equal(referencesIn(many.slice(1))?.length, 1000)
  const error = thrownBy(() => referencesIn(many))
  t.match(error, { code: 'invalid_request', param: 'input', message: /1001/ })
})

test('an item that is not found has the code that clients know', async (t) => {
  const { data } = itemNotFound({ index: 3, id: 'x'.repeat(500) })
  t.match(data, { code: 'invalid_request', ownCode: 'item_not_found', param: 'input.3' })
  t.ok(data.message.length < 300, 'a client’s own text is cut')
})

test('what is stored at the provider belongs to all who share its account', async (t) => {
  const file = { type: 'input_file', file_id: 'file-1' }
  const unsupported = (body: JsonObject) => {
    const [, , code, param] = refused(body)
    t.equal(code, 'unsupported_parameter')
    return param
  }
  t.equal(
    unsupported({ input: [{ role: 'user', content: [{ type: 'input_text' }, file] }] }),
    'input.0.content.1.file_id',
  )
  t.equal(unsupported({ input: [{ type: 'function_call_output', output: [file] }] }), 'input.0.output.0.file_id')
  t.equal(
    unsupported({ input: [{ type: 'computer_call_output', output: { file_id: 'f' } }] }),
    'input.0.output.file_id',
  )
  const tool = (members: JsonObject) => unsupported({ tools: [{ type: 'any', ...members }] })
  t.equal(tool({ vector_store_ids: ['vs_1'] }), 'tools.0.vector_store_ids')
  t.equal(tool({ container: 'cntr_1' }), 'tools.0.container')
  t.equal(tool({ container: { type: 'auto', file_ids: ['f'] } }), 'tools.0.container.file_ids')
  t.equal(tool({ input_image_mask: { file_id: 'f' } }), 'tools.0.input_image_mask.file_id')
  const search = { type: 'file_search', vector_store_ids: ['vs_1'] }
  for (const type of ['additional_tools', 'tool_search_output']) {
    t.equal(unsupported({ input: [{ type, tools: [search] }] }), 'input.0.tools.0.vector_store_ids', type)
  }
  const nested = { type: 'namespace', name: 'n', tools: [{ type: 'function' }, search] }
  t.equal(unsupported({ tools: [nested] }), 'tools.0.tools.1.vector_store_ids')
  t.equal(tool({ environment: { skills: [{ skill_id: 's' }] } }), 'tools.0.environment.skills.0.skill_id')
})

test('nothing else is a reference', async (t) => {
  refuseReferences({ previous_response_id: null, conversation: null, background: false, prompt: null, input: 'hi' })
  refuseReferences({
    input: [
      7,
      { type: 'reasoning', id: 'rs_1' },
      { role: 'user', content: 'x' },
      { type: 'file_search_call', id: 'f' },
    ],
    tools: [
      7,
      { type: 'code_interpreter', container: { type: 'auto', file_ids: [] } },
      { type: 'function', name: 'f', parameters: { properties: { file_id: { type: 'string' } } } },
    ],
  })
  t.pass('no error')
})
