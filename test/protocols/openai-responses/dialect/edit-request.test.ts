// The few edits of a body that passes as bytes.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { type Quirks, type Target } from '../../../../src/model/target.js'
import { editRequest } from '../../../../src/protocols/openai-responses/dialect/edit-request.js'
import { readFacts } from '../../../../src/protocols/openai-responses/surface/schema.js'
import { testTarget } from '../../../helpers/targets.js'

function edit(body: JsonObject, quirks: Partial<Quirks> = {}, target: Partial<Target> = {}) {
  const whole = { model: 'm', input: 'hi', store: false, ...body }
  const { edits, dropped } = editRequest(readFacts(whole), whole, testTarget('openai-responses', target, quirks))
  return { edits: Object.fromEntries(edits), dropped }
}

test('a request that stores nothing is not edited', async (t) => {
  t.same(edit({ tools: [{ type: 'web_search' }], input: [{ type: 'web_search_call', id: 'w' }] }), {
    edits: {},
    dropped: [],
  })
})

test('a request that would be stored is not, and its reasoning comes back instead', async (t) => {
  t.same(edit({ store: true }).edits, { store: false })
  t.same(edit({ store: null }).edits, { store: false })
  const thinking = edit({ store: true, include: ['x'] }, {}, { thinks: true })
  t.same(thinking.edits, { store: false, include: ['x', 'reasoning.encrypted_content'] })
  const configured = edit({ store: true }, {}, { thinks: true, extraBody: { include: ['y'] } })
  t.same(configured.edits.include, ['y', 'reasoning.encrypted_content'])
})

test('the model and the target’s own fields', async (t) => {
  t.same(edit({}, {}, { model: 'up', extraBody: { service_tier: 'flex', store: true } }).edits, {
    model: 'up',
    service_tier: 'flex',
  })
})

test('reasoning that the vendor cannot read is removed from the input, and nothing else', async (t) => {
  const own = { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'gAAAA' }
  const open = { type: 'reasoning', id: 'rs_2', summary: [], content: [{ type: 'reasoning_text', text: 'hm' }] }
  const foreign = { ...own, encrypted_content: 'sluice:s:EqQB' }
  const bare = { type: 'reasoning', id: 'rs_3', summary: [], content: [] }
  const user = { role: 'user', content: 'x' }
  t.same(edit({ input: [user, own, foreign, open, bare] }), {
    edits: { input: [user, own, open] },
    dropped: ['input.reasoning'],
  })
  t.same(edit({ input: [user, own, open] }).edits, {})
})

test('what the target does not take', async (t) => {
  t.same(edit({ temperature: 1.5 }, { maxTemperature: 1 }).edits, { temperature: 1 })
  const reasoning = { effort: 'high' }
  t.same(edit({ reasoning }, {}, { thinks: false }), { edits: { reasoning: undefined }, dropped: ['reasoning'] })
  t.same(edit({ reasoning: { effort: 'none' } }, { reasoningRequest: 'none' }), {
    edits: { reasoning: undefined },
    dropped: [],
  })
  t.same(edit({ reasoning: {} }, {}, { thinks: false }).dropped, [])
  t.same(edit({ reasoning }).edits, {})
  const refused = edit({ user: 'u' }, { refusedFields: ['user', 'absent'] }, { extraBody: { absent: 1 } })
  t.same(refused, { edits: { user: undefined }, dropped: ['user'] })
})
