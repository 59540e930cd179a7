// Payloads narrowed: what a refused prompt is, and what is no payload.
import { test } from 'tap'
import { parseReply } from '../../../../src/protocols/google-gemini/dialect/reply.js'

test('a prompt that is blocked beside a candidate does not end the answer', (t) => {
  const reply = parseReply(Buffer.from('{"candidates":[{}],"promptFeedback":{"blockReason":"SAFETY"}}'))
  t.match(reply, { finishReason: null, isEmpty: false })
  t.match(parseReply(Buffer.from('{"promptFeedback":{}}')), { finishReason: null, isEmpty: true })
  t.equal(parseReply(Buffer.from('"x"')), null)
  t.end()
})
