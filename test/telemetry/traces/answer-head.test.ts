// What an answer calls itself: found in the first bytes of each API, never in what the model wrote.
import { test } from 'tap'
import { AnswerHead, type AnswerNames } from '../../../src/telemetry/traces/answer-head.js'

function read(...chunks: string[]): AnswerNames {
  const names: AnswerNames = { answerId: null, answerModel: null }
  const head = new AnswerHead(names)
  for (const chunk of chunks) head.read(Buffer.from(chunk))
  return names
}

test('the first frame or the beginning of a whole answer has both', (t) => {
  const answers = [
    'data: {"id":"i-1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[]}\n\n',
    'event: message_start\ndata: {"type":"message_start","message":{"model":"m-1","id":"i-1","role":"assistant"}}\n\n',
    '{\n  "id": "i-1",\n  "model" : "m-1", "choices": [{"message":{"content":"{\\"id\\":\\"no\\"}"}}]}',
    'data: {"candidates":[{"content":{"parts":[{"text":"Hi"}]}}],"modelVersion":"m-1","responseId":"i-1"}\n\n',
  ]
  for (const answer of answers) t.same(read(answer), { answerId: 'i-1', answerModel: 'm-1' }, answer)
  t.same(read('data: {"id":"i-1"', ',"model":"m-1"}'), { answerId: 'i-1', answerModel: 'm-1' }, 'in two reads')
  t.end()
})

test('nothing is taken from text, and the search ends after a few reads', (t) => {
  t.same(read('{"text":"\\"id\\":\\"x\\", \\"model\\":\\"y\\""}'), { answerId: null, answerModel: null })
  t.same(read('{"id":"with space","model":""}'), { answerId: null, answerModel: null })
  t.same(read('a', 'b', 'c', 'd', '{"id":"i","model":"m"}'), { answerId: null, answerModel: null })
  t.same(read(`${' '.repeat(5000)}{"id":"i"}`), { answerId: null, answerModel: null })
  t.same(read('{"id":"i","model":"m"}', '{"id":"other","model":"other"}'), { answerId: 'i', answerModel: 'm' })
  t.end()
})
