// The small form of a whole answer.
import { test } from 'tap'
import { type FinishReason } from '../../../src/model/event.js'
import { type ChatResponse } from '../../../src/model/response.js'
import { encodeResponse } from '../../../src/protocols/provider-chat/response.js'
import { testTarget } from '../../helpers/targets.js'

const RESPONSE: ChatResponse = {
  meta: { id: 'r', model: 'gpt-4o-mini', createdSec: 1, usage: null },
  content: [
    { type: 'reasoning', text: 'hm', signature: null, redacted: null },
    { type: 'text', text: 'Hel' },
    { type: 'text', text: 'lo!' },
  ],
  finishReason: 'stop',
  stopSequence: null,
  usage: null,
}

test('has the provider, the model, the text and the stop reason', async (t) => {
  const target = { ...testTarget('openai-chat', {}), provider: 'openai' }
  t.strictSame(encodeResponse(RESPONSE, target), {
    provider: 'openai',
    model: 'gpt-4o-mini',
    content: 'Hello!',
    stop_reason: 'stop',
  })
  t.equal(encodeResponse({ ...RESPONSE, content: [] }, target).content, '')
})

test("the reason is the provider's own word", async (t) => {
  const words = (protocol: string, finishReason: FinishReason) =>
    encodeResponse({ ...RESPONSE, finishReason }, testTarget(protocol, {})).stop_reason
  const reasons: readonly FinishReason[] = ['stop', 'stop-sequence', 'length', 'tool-calls', 'content-filter', 'other']
  t.same(
    reasons.map((reason) => words('openai-chat', reason)),
    ['stop', 'stop', 'length', 'tool_calls', 'content_filter', 'stop'],
  )
  t.same(
    reasons.map((reason) => words('anthropic-messages', reason)),
    ['end_turn', 'stop_sequence', 'max_tokens', 'tool_use', 'refusal', 'end_turn'],
  )
  t.equal(words('google-gemini', 'length'), 'length')
})
