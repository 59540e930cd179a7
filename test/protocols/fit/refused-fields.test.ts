// Fields that a target refuses, in the body and in the member that holds parameters.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { type EditValue } from '../../../src/protocols/contract/protocol.js'
import { editRefused, removeRefused } from '../../../src/protocols/fit/refused-fields.js'

const REFUSAL = { refused: ['seed', 'tools', 'absent'], holder: 'options' }

test('they are removed from a body of ours, and what it holds is not changed', async (t) => {
  const options = Object.freeze({ seed: 1, top_k: 2 })
  const body: JsonObject = { tools: [], options, messages: [{ seed: 1 }] }
  t.same(removeRefused(body, REFUSAL), ['tools', 'seed'])
  t.same(body, { options: { top_k: 2 }, messages: [{ seed: 1 }] })
  t.same(removeRefused(body, { ...REFUSAL, refused: [] }), [])
})

test("they are edited out of a client's body, and out of defaults, which are not named", async (t) => {
  const edits = new Map<string, EditValue>([
    ['tools', []],
    ['options', { seed: 1, top_k: 2 }],
    ['model', 'x'],
  ])
  t.same(editRefused({ options: { top_k: 2 } }, edits, REFUSAL), [])
  t.same(Object.fromEntries(edits), { options: { top_k: 2 }, model: 'x' })
  const own = new Map<string, EditValue>()
  t.same(editRefused({ tools: null, options: { seed: 1 }, seed: 1 }, own, REFUSAL), ['tools', 'seed', 'seed'])
  t.same(Object.fromEntries(own), { tools: undefined, options: {}, seed: undefined })
  const none = new Map<string, EditValue>([['options', undefined]])
  t.same(editRefused({ options: { top_k: 1 }, messages: [] }, none, REFUSAL), [])
  t.equal(none.size, 1)
})

test('in whatever spelling the wire has', async (t) => {
  const spell = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
  const edits = new Map<string, EditValue>()
  const body = { my_options: { top_k: 1, seed: 2 }, safety_settings: [] }
  const refusal = { refused: ['safetySettings', 'topK'], holder: 'myOptions', spell }
  t.same(editRefused(body, edits, refusal), ['top_k', 'safety_settings'])
  t.same(Object.fromEntries(edits), { my_options: { seed: 2 }, safety_settings: undefined })
})
