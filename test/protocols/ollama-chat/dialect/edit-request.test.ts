// The client's own bytes on their way to their own wire: what is edited, and that nothing else is.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { type Target } from '../../../../src/model/target.js'
import { editRequest } from '../../../../src/protocols/ollama-chat/dialect/edit-request.js'
import { target } from '../../../helpers/dialect.js'

const TARGET = target('ollama-chat', { model: 'qwen3' })
const facts = (model: string) => ({
  ...{ model, stream: true, includeUsage: true, maxOutputTokens: null, provider: null, prompt: null },
})

const edit = (body: JsonObject, changes: Partial<Target> = {}) => {
  const { edits, dropped } = editRequest(facts(String(body.model)), body, { ...TARGET, ...changes })
  return { edits: Object.fromEntries(edits), dropped }
}

test('nothing but the model is edited where nothing else differs', async (t) => {
  t.same(edit({ model: 'qwen3', think: true, options: { num_ctx: 1 } }), { edits: {}, dropped: [] })
  t.same(edit({ model: 'mine' }), { edits: { model: 'qwen3' }, dropped: [] })
})

test('defaults of the target are laid under the request, option by option', async (t) => {
  const extraBody = { keep_alive: '1h', options: { num_ctx: 1, seed: 2 } }
  t.same(edit({ model: 'qwen3', options: { num_ctx: 9 } }, { extraBody }).edits, {
    keep_alive: '1h',
    options: { num_ctx: 9, seed: 2 },
  })
})

test('a model that does not think is not asked to, and refused fields are removed and named', async (t) => {
  t.same(edit({ model: 'qwen3', think: 'high' }, { thinks: false }), {
    edits: { think: undefined },
    dropped: ['reasoning'],
  })
  t.same(edit({ model: 'qwen3', think: false }, { thinks: false }).dropped, [])
  const quirks = { ...TARGET.quirks, refusedFields: ['keep_alive', 'x'] }
  t.same(edit({ model: 'qwen3', keep_alive: 1 }, { quirks, extraBody: { x: 1 } }), {
    edits: { keep_alive: undefined },
    dropped: ['keep_alive'],
  })
  t.same(edit({ model: 'qwen3', options: { x: 1, seed: 2 } }, { quirks }), {
    edits: { options: { seed: 2 } },
    dropped: ['x'],
  })
})
