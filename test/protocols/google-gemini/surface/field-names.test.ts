// One spelling of each field.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { spellField, spellFields, unwrapCounted } from '../../../../src/protocols/google-gemini/surface/field-names.js'
import { thrownBy } from '../../../helpers/thrown.js'

test('both spellings are read, and one object for a list of one', async (t) => {
  t.same(
    spellFields({
      system_instruction: { parts: { text: 'a' } },
      contents: { parts: [{ inline_data: { mime_type: 'image/png', data: '' } }] },
      tools: [{ function_declarations: { name: 'f_g' } }],
      generation_config: { max_output_tokens: 1, thinking_config: { thinking_budget: 0 } },
    }),
    {
      systemInstruction: { parts: [{ text: 'a' }] },
      contents: [{ parts: [{ inlineData: { mimeType: 'image/png', data: '' } }] }],
      tools: [{ functionDeclarations: [{ name: 'f_g' }] }],
      generationConfig: { maxOutputTokens: 1, thinkingConfig: { thinkingBudget: 0 } },
    },
  )
  t.equal(spellField('a_b2_c'), 'aB2C')
})

test('what is the client’s own keeps its names', async (t) => {
  const part = { function_call: { name: 'f', args: { a_b: { parts: {} } } } }
  const result = { functionResponse: { name: 'f', response: { a_b: 1 } } }
  t.same(spellFields({ contents: [{ parts: [part, result] }] }), {
    contents: [{ parts: [{ functionCall: part.function_call }, result] }],
  })
  const schema = { type: 'OBJECT', properties: { a_b: { any_of: [] } } }
  t.same(spellFields({ generationConfig: { response_schema: schema } }), {
    generationConfig: { responseSchema: schema },
  })
})

test('a body that is spelled as it should be is the same object, and no body is changed', async (t) => {
  const body = { contents: [{ role: 'user', parts: [{ text: 'a_b' }] }], generationConfig: { topP: 1 } }
  t.equal(spellFields(body), body)
  const given = Object.freeze({ contents: Object.freeze([Object.freeze({ parts: [{ file_data: {} }] })]) as never })
  t.same(spellFields(given), { contents: [{ parts: [{ fileData: {} }] }] })
  const odd = JSON.parse('{"__proto__":{"a_b":1},"a_b":1}')
  t.same(Object.keys(spellFields(odd)), ['__proto__', 'aB'])
})

test('a request to be counted may be wrapped', async (t) => {
  t.same(unwrapCounted({ generateContentRequest: { contents: [] } }), { contents: [] })
  t.same(unwrapCounted({ contents: [] }), { contents: [] })
  const both = { contents: [], generateContentRequest: { contents: [{}] } }
  t.equal(unwrapCounted(both), both, 'beside contents it is no wrapper: what would be asked is unclear')
})

test('a field in two spellings is refused: which of them a provider reads is unclear', async (t) => {
  const bodies: [JsonObject, string][] = [
    [{ generationConfig: { topP: 1 }, generation_config: { topP: 0 } }, 'generationConfig'],
    [{ generationConfig: { max_output_tokens: 9, maxOutputTokens: 1 } }, 'maxOutputTokens'],
    [{ max_outputTokens: 9, max_output_tokens: 1 }, 'maxOutputTokens'],
    [{ contents: [{ parts: [{ inlineData: {}, inline_data: {} }] }] }, 'inlineData'],
  ]
  for (const [body, param] of bodies)
    t.match(
      thrownBy(() => spellFields(body)),
      { code: 'invalid_request', param },
    )
})
