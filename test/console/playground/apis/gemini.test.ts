// The Gemini API, as a gateway in front of the simulator answers.
import { test } from 'tap'
import { GEMINI } from '../../../../src/console/playground/apis/gemini.js'
import { readAnswer } from '../../../helpers/chat-answer.js'

const QUESTION = { model: 'a', prompt: 'Hi', tools: [] }

test('names the model in the path, and asks for a stream by it', async (t) => {
  t.equal(GEMINI.path('sim/echo'), 'v1beta/models/sim/echo:streamGenerateContent?alt=sse')
  t.equal(GEMINI.path('a b/c?'), 'v1beta/models/a%20b/c%3F:streamGenerateContent?alt=sse')
  t.same(GEMINI.body(QUESTION), { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] })
  t.ok(GEMINI.streams(`/${GEMINI.path('sim/echo')}`, {}))
  t.notOk(GEMINI.streams('/v1beta/models/sim/echo:generateContent', { stream: true }))
})

test('reads thoughts, text, calls of tools, usage, the end and errors', async (t) => {
  const parts = (...list: object[]) => ({ candidates: [{ content: { parts: list, role: 'model' }, index: 0 }] })
  const events = [
    parts({ text: 'hm', thought: true }),
    parts({ text: 'Yes: ' }, { functionCall: { name: 'look_up', args: { a: 1 } } }),
    parts({ thoughtSignature: 'x' }),
  ]
  const usageMetadata = { promptTokenCount: 3, candidatesTokenCount: 5, thoughtsTokenCount: 2 }
  const end = { candidates: [{ content: { parts: [{ text: '' }] }, finishReason: 'STOP' }], usageMetadata }
  const said = { answer: 'Yes: look_up {"a":1}', thinking: 'hm', failure: null }
  t.match(readAnswer(GEMINI, events), { ...said, reason: '', isWhole: false })
  t.match(readAnswer(GEMINI, [...events, end]), { ...said, reason: 'STOP', tokens: 7, isWhole: true })
  const refused = readAnswer(GEMINI, [{ promptFeedback: { blockReason: 'SAFETY' } }])
  t.match(refused, { reason: 'SAFETY', isWhole: true, failure: null })
  const failed = readAnswer(GEMINI, [{ error: { code: 503, message: 'cut off' } }])
  t.match(failed, { failure: 'cut off', isWhole: false })
})
