// The vendor's finish reasons, each and every one.
import { test } from 'tap'
import { mapFinishReason, parseReply } from '../../../../src/protocols/google-gemini/dialect/reply.js'

test('every finish reason of the vendor maps to one of ours', (t) => {
  const filtered = [
    'PROMPT_BLOCKED SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII',
    'IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION MODEL_ARMOR',
  ]
  for (const reason of filtered.join(' ').split(' ')) t.equal(mapFinishReason(reason, true), 'content-filter', reason)
  t.equal(mapFinishReason('STOP', false), 'stop')
  t.equal(mapFinishReason('STOP', true), 'tool-calls')
  t.equal(mapFinishReason(null, true), 'tool-calls')
  t.equal(mapFinishReason('MAX_TOKENS', true), 'length')
  for (const reason of ['MALFORMED_FUNCTION_CALL', 'LANGUAGE', 'OTHER', 'UNEXPECTED_TOOL_CALL', 'NEW_ONE']) {
    t.equal(mapFinishReason(reason, false), 'other', reason)
  }
  t.end()
})

test('a prompt that is blocked beside a candidate does not end the answer', (t) => {
  const reply = parseReply(Buffer.from('{"candidates":[{}],"promptFeedback":{"blockReason":"SAFETY"}}'))
  t.match(reply, { finishReason: null, isEmpty: false })
  t.match(parseReply(Buffer.from('{"promptFeedback":{}}')), { finishReason: null, isEmpty: true })
  t.equal(parseReply(Buffer.from('"x"')), null)
  t.end()
})
