// Options, format and thinking.
import { test } from 'tap'
import {
  decodeExtensions,
  decodeFormat,
  decodeSampling,
  decodeThink,
  findLost,
} from '../../../../src/protocols/ollama-chat/surface/decode-options.js'

test('sampling is read from the options', async (t) => {
  const options = { temperature: 0.5, top_p: 0.9, top_k: 40, num_predict: 7, seed: 1, stop: 'x', presence_penalty: 1 }
  t.same(decodeSampling({ options }), {
    temperature: 0.5,
    topP: 0.9,
    topK: 40,
    maxOutputTokens: 7,
    frequencyPenalty: null,
    presencePenalty: 1,
    seed: 1,
    stop: ['x'],
  })
  t.match(decodeSampling({ options: { num_predict: -1, stop: ['a', 'b'] } }), {
    maxOutputTokens: null,
    stop: ['a', 'b'],
  })
  t.match(decodeSampling({}), { temperature: null, stop: [] })
})

test('format is JSON, a schema, or text', async (t) => {
  t.same(decodeFormat({ format: 'json' }), { type: 'json' })
  t.match(decodeFormat({ format: { type: 'object' } }), {
    type: 'json-schema',
    name: 'response',
    schema: { type: 'object' },
  })
  for (const format of ['', null, 'grammar']) t.equal(decodeFormat({ format }), null)
})

test('thinking is on, off, or a step', async (t) => {
  t.same(decodeThink({ think: true }), { effort: null, budgetTokens: null })
  t.same(decodeThink({ think: false }), { effort: 'none', budgetTokens: null })
  t.same(decodeThink({ think: 'max' }), { effort: 'xhigh', budgetTokens: null })
  for (const think of [null, 'unheard-of']) t.equal(decodeThink({ think }), null)
})

test('options of the server alone keep their names and values, and what nothing reads is named', async (t) => {
  const known = new Set(['model', 'options', 'format', 'think'])
  const options = { temperature: 1, num_ctx: 9, repeat_penalty: 1.1, typical_p: null }
  t.same(
    decodeExtensions({ model: 'm', options, format: 'grammar', think: 'huge', keep_alive: 0, x: null }, known, ['a.b']),
    {
      keep_alive: 0,
      'a.b': true,
      'options.num_ctx': 9,
      repetition_penalty: 1.1,
      format: true,
      think: true,
    },
  )
  t.same(
    [...findLost({ messages: [{ role: 'user', name: 'x' }], tools: [{ function: { name: 'f', extra: 1 } }] })],
    ['messages.name', 'tools.function.extra'],
  )
})
