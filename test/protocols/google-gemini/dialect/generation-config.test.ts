// Sampling, output format and thinking on their way to the vendor.
import { test } from 'tap'
import { type ReasoningRequest, type ResponseFormat } from '../../../../src/model/request.js'
import { encodeGenerationConfig } from '../../../../src/protocols/google-gemini/dialect/generation-config.js'
import { target } from '../../../helpers/dialect.js'
import { request } from '../../../helpers/targets.js'

const TARGET = target('google-gemini', { model: 'gemini-2.5-flash' })

test('each sampling parameter has its name here, absent ones have none', (t) => {
  const sampling = {
    temperature: 3,
    topP: 0.9,
    topK: 40,
    maxOutputTokens: 100,
    frequencyPenalty: 0.1,
    presencePenalty: 0.2,
    seed: 0,
    stop: ['END'],
  }
  t.strictSame(encodeGenerationConfig(request({ sampling }), TARGET, new Set()), {
    temperature: 2,
    topP: 0.9,
    topK: 40,
    maxOutputTokens: 100,
    stopSequences: ['END'],
    seed: 0,
    presencePenalty: 0.2,
    frequencyPenalty: 0.1,
  })
  t.strictSame(encodeGenerationConfig(request(), TARGET, new Set()), {})
  t.end()
})

test('JSON and schemas are asked for as the target takes them', (t) => {
  const schema = { type: 'object' }
  const format: ResponseFormat = { type: 'json-schema', name: 'n', description: null, schema, strict: true }
  const encode = (responseFormat: ResponseFormat, jsonSchema: 'json-schema' | 'json-object' | 'none') => {
    const dropped = new Set<string>()
    const at = target('google-gemini', {}, { jsonSchema })
    return [encodeGenerationConfig(request({ responseFormat }), at, dropped), [...dropped]]
  }
  const mime = { responseMimeType: 'application/json' }
  t.strictSame(encode({ type: 'text' }, 'json-schema'), [{}, []])
  t.strictSame(encode({ type: 'json' }, 'none'), [mime, []])
  t.strictSame(encode(format, 'json-schema'), [{ ...mime, responseJsonSchema: schema }, []])
  const named = { ...format, schema: { $schema: 'https://json-schema.org/draft/2020-12/schema', ...schema } }
  t.strictSame(encode(named, 'json-schema'), [{ ...mime, responseJsonSchema: schema }, []])
  t.strictSame(encode({ ...format, schema: true }, 'json-schema'), [{ ...mime, responseJsonSchema: true }, []])
  t.strictSame(encode(format, 'json-object'), [mime, ['response_format']])
  t.strictSame(encode(format, 'none'), [{}, ['response_format']])
  t.end()
})

test('thinking stays within what the model takes', (t) => {
  const encode = (reasoning: ReasoningRequest, model: string) =>
    encodeGenerationConfig(request({ reasoning }), target('google-gemini', { model }), new Set()).thinkingConfig
  const effort = (word: ReasoningRequest['effort']) => ({ effort: word, budgetTokens: null })
  t.strictSame(encode(effort('low'), 'gemini-2.5-flash'), { includeThoughts: true, thinkingBudget: 2048 })
  t.strictSame(encode(effort('xhigh'), 'gemini-2.5-flash'), { includeThoughts: true, thinkingBudget: 24_576 })
  t.strictSame(encode(effort('xhigh'), 'gemini-2.5-pro'), { includeThoughts: true, thinkingBudget: 32_768 })
  t.strictSame(encode(effort('none'), 'gemini-2.5-flash'), { includeThoughts: false, thinkingBudget: 0 })
  t.strictSame(encode(effort('none'), 'gemini-2.5-pro'), { includeThoughts: false, thinkingBudget: 128 })
  t.strictSame(encode(effort(null), 'gemini-2.5-pro'), { includeThoughts: true })
  t.end()
})
