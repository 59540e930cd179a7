// The client's own bytes on their way to their own wire: what is edited, and that nothing else is.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { type Target } from '../../../../src/model/target.js'
import { editRequest, editsBulk } from '../../../../src/protocols/google-gemini/dialect/edit-request.js'
import { target } from '../../../helpers/dialect.js'
import { thrownBy } from '../../../helpers/thrown.js'

const FACTS = { model: 'x', stream: false, includeUsage: true, maxOutputTokens: null, provider: null, prompt: null }
const sealed = Buffer.from('sluice:s:EqQB').toString('base64')

const edit = (body: JsonObject, changes: Partial<Target> = {}) => {
  const { edits, dropped } = editRequest(FACTS, body, { ...target('google-gemini'), ...changes })
  return { edits: Object.fromEntries(edits), dropped }
}

test('nothing is edited where nothing differs', async (t) => {
  const contents = [{ role: 'model', parts: [{ text: 'a', thoughtSignature: 'U2ln' }] }]
  t.same(edit({ contents, generationConfig: { thinkingConfig: { thinkingBudget: 9 } } }), { edits: {}, dropped: [] })
})

test('defaults of the target are laid under the request, member by member', async (t) => {
  const extraBody = { safetySettings: [], generationConfig: { topK: 1, seed: 2 } }
  t.same(edit({ contents: [], generationConfig: { topK: 5 } }, { extraBody }).edits, {
    safetySettings: [],
    generationConfig: { topK: 5, seed: 2 },
  })
  t.same(edit({ contents: [], generation_config: { top_k: 5 }, safety_settings: null }, { extraBody }).edits, {
    generation_config: { topK: 5, seed: 2 },
  })
})

test('a signature of another vendor’s model is left out, and stands in where the model checks one', async (t) => {
  const parts = [
    { text: 'a', thought: true },
    { text: '', thought: true, thoughtSignature: sealed },
    { functionCall: { name: 'f' }, thoughtSignature: sealed },
    { text: 'b', thought_signature: sealed },
    { text: 'c', thoughtSignature: 'U2ln' },
  ]
  const body = {
    contents: [
      { role: 'model', parts },
      { role: 'user', parts: [{ text: 'x' }] },
    ],
  }
  const rest = [{ text: 'b' }, { text: 'c', thoughtSignature: 'U2ln' }]
  const ask = { role: 'user', parts: [{ text: 'x' }] }
  t.same(edit(body, { model: 'gemini-2.5-pro' }).edits.contents, [
    { role: 'model', parts: [{ text: 'a', thought: true }, { functionCall: { name: 'f' } }, ...rest] },
    ask,
  ])
  const stood = { functionCall: { name: 'f' }, thoughtSignature: 'skip_thought_signature_validator' }
  t.same(edit(body, { model: 'gemini-3-pro' }).edits.contents, [
    { role: 'model', parts: [{ text: 'a', thought: true }, stood, ...rest] },
    ask,
  ])
})

test('where one object stands for a list of it, too', async (t) => {
  const part = { functionCall: { name: 'f' }, thoughtSignature: sealed }
  t.same(edit({ contents: { role: 'model', parts: part } }, { model: 'gemini-2.5-pro' }).edits.contents, [
    { role: 'model', parts: [{ functionCall: { name: 'f' } }] },
  ])
  t.same(edit({ contents: { role: 'user', parts: { text: 'x' } } }).edits, {})
  t.same(edit({ contents: [{ role: 'user' }] }).edits, {})
})

test('a model in the body is not passed on, as the path names the one of the target', async (t) => {
  t.same(edit({ model: 'models/other', contents: [] }), { edits: { model: undefined }, dropped: [] })
})

test('the contents are read only where they mention a signature', async (t) => {
  t.ok(editsBulk({}, target('google-gemini'), (name) => name === 'thought_signature'))
  t.ok(editsBulk({}, target('google-gemini'), (name) => name === 'thoughtSignature'))
  t.notOk(editsBulk({}, target('google-gemini'), () => false))
})

test('a model that is known not to think is not asked to, in either spelling', async (t) => {
  const thinking = { thinkingConfig: { thinkingBudget: 9 }, topK: 1 }
  t.same(edit({ generationConfig: thinking }, { thinks: false }), {
    edits: { generationConfig: { topK: 1 } },
    dropped: ['reasoning'],
  })
  t.same(edit({ generation_config: { thinking_config: { thinking_budget: 0 } } }, { thinks: false }), {
    edits: { generation_config: {} },
    dropped: [],
  })
  t.same(edit({ generationConfig: { thinking_config: { include_thoughts: true } } }, { thinks: false }), {
    edits: { generationConfig: {} },
    dropped: ['reasoning'],
  })
})

test('fields that the target refuses are removed and named', async (t) => {
  const { quirks } = target('google-gemini')
  const refusing = { quirks: { ...quirks, refusedFields: ['labels', 'seed'] }, extraBody: { labels: {} } }
  t.same(edit({ contents: [], labels: { a: 'b' } }, refusing), { edits: { labels: undefined }, dropped: ['labels'] })
  t.same(edit({ contents: [] }, refusing), { edits: {}, dropped: [] })
  t.same(edit({ contents: [], generation_config: { seed: 1, topK: 2 } }, refusing), {
    edits: { generation_config: { topK: 2 } },
    dropped: ['seed'],
  })
})

test('a file of the shared account is refused, one of the caller’s own account passes', async (t) => {
  const contents = [{ role: 'user', parts: [{ fileData: { fileUri: 'gs://bucket/a.pdf' } }] }]
  t.match(
    thrownBy(() => edit({ contents })),
    { code: 'invalid_request', param: 'contents.0.parts.0.fileData.fileUri' },
  )
  t.same(editRequest({ ...FACTS, isOwnAccount: true }, { contents }, target('google-gemini')).dropped, [])
  for (const name of ['fileUri', 'file_uri']) t.ok(editsBulk({}, target('google-gemini'), (one) => one === name))
})

test('a stored beginning of the conversation is refused in the shared account, and passes in the caller’s own', async (t) => {
  for (const member of ['cachedContent', 'cached_content']) {
    const body = { contents: [], [member]: 'cachedContents/a' }
    t.match(
      thrownBy(() => edit(body)),
      { code: 'invalid_request', param: member, message: /stored at the provider/ },
    )
    t.same(editRequest({ ...FACTS, isOwnAccount: true }, body, target('google-gemini')).dropped, [])
    t.same(edit({ contents: [], [member]: null }).dropped, [])
  }
})
