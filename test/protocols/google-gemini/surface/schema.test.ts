// What readFacts accepts, refuses and names.
import { test } from 'tap'
import { type JsonObject, type JsonValue } from '../../../../src/model/json.js'
import { readFacts } from '../../../../src/protocols/google-gemini/surface/schema.js'
import { readFixtures } from '../../../helpers/protocol-fixtures.js'
import { thrownBy } from '../../../helpers/thrown.js'

const VALID: JsonObject = { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] }
const withPart = (part: JsonValue): JsonObject => ({ contents: [{ parts: [part] }] })

test('accepts what the vendor’s clients send and reads what the core needs', async (t) => {
  for (const { name, bytes } of readFixtures('google-gemini', 'requests')) {
    const body = JSON.parse(bytes.toString())
    const facts = readFacts(body)
    t.match(facts, { model: '', stream: false, includeUsage: true, provider: null, prompt: null }, name)
    t.equal(facts.maxOutputTokens, body.generationConfig?.maxOutputTokens ?? null, name)
  }
  t.equal(readFacts({ ...VALID, generation_config: { candidate_count: 3, max_output_tokens: 7 } }).answers, 3)
  t.notOk('answers' in readFacts({ ...VALID, generationConfig: { candidateCount: 1 } }))
  t.equal(readFacts({ generateContentRequest: { model: 'models/x', ...VALID } }).maxOutputTokens, null)
})

test('names the path of the first wrong field', async (t) => {
  const cases: [JsonObject, string][] = [
    [{}, 'contents'],
    [{ contents: [] }, 'contents'],
    [{ contents: 'Hi' }, 'contents'],
    [{ contents: ['Hi'] }, 'contents.0'],
    [{ contents: [{ role: 'system', parts: [] }] }, 'contents.0.role'],
    [{ contents: [{ parts: 'Hi' }] }, 'contents.0.parts'],
    [withPart('Hi'), 'contents.0.parts.0'],
    [withPart({ text: 7 }), 'contents.0.parts.0.text'],
    [withPart({ inlineData: { mimeType: 'image/png' } }), 'contents.0.parts.0.inlineData.data'],
    [withPart({ file_data: { mime_type: 'image/png' } }), 'contents.0.parts.0.fileData.fileUri'],
    [withPart({ functionCall: { args: {} } }), 'contents.0.parts.0.functionCall.name'],
    [withPart({ functionCall: { name: 'f', args: 'x' } }), 'contents.0.parts.0.functionCall.args'],
    [withPart({ functionResponse: { name: 'f', response: [] } }), 'contents.0.parts.0.functionResponse.response'],
    [{ ...VALID, systemInstruction: 'Be brief.' }, 'systemInstruction'],
    [{ ...VALID, systemInstruction: { parts: [{ text: 1 }] } }, 'systemInstruction.parts.0.text'],
    [{ ...VALID, tools: ['x'] }, 'tools.0'],
    [{ ...VALID, tools: [{ functionDeclarations: [{}] }] }, 'tools.0.functionDeclarations.0.name'],
    [{ ...VALID, toolConfig: { functionCallingConfig: { mode: 'SOME' } } }, 'toolConfig.functionCallingConfig.mode'],
    [{ ...VALID, generationConfig: { temperature: 3 } }, 'generationConfig.temperature'],
    [{ ...VALID, generationConfig: { maxOutputTokens: 0 } }, 'generationConfig.maxOutputTokens'],
    [{ ...VALID, generationConfig: { stopSequences: [1] } }, 'generationConfig.stopSequences.0'],
    [
      { ...VALID, generationConfig: { thinkingConfig: { thinkingBudget: -2 } } },
      'generationConfig.thinkingConfig.thinkingBudget',
    ],
  ]
  for (const [body, param] of cases) {
    const refusal = thrownBy(() => readFacts(body))
    t.equal(refusal.param, param, JSON.stringify(body))
    t.ok(refusal.message.startsWith(`'${param}' `), refusal.message)
  }
})

test('lets unknown members pass, and null for absent', async (t) => {
  t.ok(readFacts({ ...VALID, x_future: 1, tools: null, generationConfig: null, systemInstruction: null }))
  t.ok(readFacts(withPart({ toolCall: {}, text: null })))
  t.ok(readFacts({ ...VALID, tools: [{ googleSearch: {} }] }))
})
