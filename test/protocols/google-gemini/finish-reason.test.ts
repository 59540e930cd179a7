// The vendor's finish reasons, each and every one, both ways.
import { test } from 'tap'
import { type FinishReason } from '../../../src/model/event.js'
import { encodeEnding, mapFinishReason } from '../../../src/protocols/google-gemini/finish-reason.js'

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

test('every reason of ours has one of the vendor, which is read as the same where the vendor has a word for it', (t) => {
  const encode = (reason: FinishReason) => String(encodeEnding({ reason, hasRefused: false }).finishReason)
  const reasons: readonly FinishReason[] = ['stop', 'length', 'content-filter', 'other']
  for (const reason of reasons) t.equal(mapFinishReason(encode(reason), false), reason)
  t.equal(mapFinishReason(encode('tool-calls'), true), 'tool-calls')
  t.equal(encode('stop-sequence'), 'STOP')
  t.end()
})

test('a refusal of this vendor keeps its own reason; one of another vendor, or of the model itself, is SAFETY', async (t) => {
  const encode = (category: string | null, explanation: string | null) =>
    encodeEnding({ reason: 'content-filter', refusal: { category, explanation }, hasRefused: false })
  t.same(encode('BLOCKLIST', 'A listed word.'), { finishReason: 'BLOCKLIST', finishMessage: 'A listed word.' })
  t.same(encode('PROMPT_BLOCKED', null), { finishReason: 'SAFETY' })
  t.same(encode('cyber', null), { finishReason: 'SAFETY' })
  t.same(encode(null, 'No.'), { finishReason: 'SAFETY', finishMessage: 'No.' })
  t.same(encodeEnding({ reason: 'stop', hasRefused: true }), { finishReason: 'SAFETY' })
  t.same(encodeEnding({ reason: 'length', hasRefused: true }), { finishReason: 'MAX_TOKENS' })
})
