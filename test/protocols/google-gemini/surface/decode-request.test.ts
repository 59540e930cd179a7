// A whole body as a canonical request. Each field's way to every provider is in the golden matrix and test/laws/silence.test.ts.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { decodeRequest } from '../../../../src/protocols/google-gemini/surface/decode-request.js'
import { thrownBy } from '../../../helpers/thrown.js'

const contents = [{ role: 'user', parts: [{ text: 'Hi' }] }]
const decode = (generationConfig: JsonObject) => decodeRequest({ contents, generationConfig })

test('the model and the stream are in the path, not here', async (t) => {
  t.match(decodeRequest({ model: 'models/x', contents }), { model: '', stream: false, includeUsage: true })
})

test('system text is its parts; anything else there is named', async (t) => {
  const { system, extensions } = decodeRequest({
    contents,
    systemInstruction: { parts: [{ text: 'a' }, { text: '' }, { inlineData: {} }, 7] as JsonObject['x'] },
  })
  t.same(system, [{ type: 'text', text: 'a' }])
  t.same(extensions, { 'systemInstruction.parts.inlineData': true })
})

test('thinking is a budget, a level, none, or a wish', async (t) => {
  const thinking = (thinkingConfig: JsonObject) => decode({ thinkingConfig }).reasoning
  t.same(thinking({ thinkingBudget: 512, includeThoughts: true }), { effort: null, budgetTokens: 512 })
  t.same(thinking({ thinkingBudget: 0 }), { effort: 'none', budgetTokens: null })
  t.same(thinking({ thinkingBudget: -1 }), { effort: null, budgetTokens: null, isWish: true })
  t.same(thinking({ thinkingLevel: 'LOW' }), { effort: 'low', budgetTokens: null })
  t.same(thinking({ includeThoughts: true }), { effort: null, budgetTokens: null, isWish: true })
  t.equal(thinking({ includeThoughts: false }), null)
  t.equal(decode({}).reasoning, null)
})

test('JSON with a schema of either form, or without', async (t) => {
  const format = (config: JsonObject) => decode({ responseMimeType: 'application/json', ...config })
  const schema = { type: 'string' }
  const named = { type: 'json-schema', name: 'response', description: null, schema, strict: null }
  t.same(format({}).responseFormat, { type: 'json' })
  t.same(format({ responseSchema: { type: 'STRING' } }).responseFormat, named)
  const both = format({ responseJsonSchema: schema, responseSchema: { type: 'NUMBER' } })
  t.same([both.responseFormat, both.extensions], [named, { 'generationConfig.responseSchema': true }])
  t.equal(decode({ responseMimeType: 'text/plain' }).responseFormat, null)
  t.same(decode({ responseMimeType: 'text/x.enum' }).extensions, { 'generationConfig.responseMimeType': true })
})

test('members that the API has alone are kept for it, and values without a canonical form are named', async (t) => {
  const safetySettings = [{ category: 'x', threshold: 'y' }]
  const { extensions } = decodeRequest({
    contents,
    safetySettings,
    labels: null,
    generationConfig: { candidateCount: 2, responseModalities: ['TEXT', 'AUDIO'], stopSequences: ['x'], topK: 3 },
  })
  t.same(extensions, {
    safetySettings,
    'generationConfig.candidateCount': true,
    'generationConfig.responseModalities': true,
  })
  t.same(decode({ candidateCount: 1, responseModalities: ['TEXT'] }).extensions, {})
})

test('content that the vendor has stored is refused where another would have to answer without it', async (t) => {
  for (const spelt of ['cachedContent', 'cached_content']) {
    t.match(
      thrownBy(() => decodeRequest({ contents, [spelt]: 'cachedContents/a' })),
      { code: 'invalid_request', param: 'cachedContent', message: /^'cachedContent' is content that its vendor has/ },
    )
  }
  t.equal(decodeRequest({ contents, cachedContent: null }).messages.length, 1)
})
