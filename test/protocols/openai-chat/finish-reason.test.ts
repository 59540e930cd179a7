// Finish reasons, both ways.
import { test } from 'tap'
import { decodeFinishReason, encodeFinishReason } from '../../../src/protocols/openai-chat/finish-reason.js'

test('every reason of the wire has its canonical one', (t) => {
  t.equal(decodeFinishReason('stop', false), 'stop')
  t.equal(decodeFinishReason('model_length', false), 'length')
  t.equal(decodeFinishReason('function_call', true), 'tool-calls')
  t.equal(decodeFinishReason('content_filter', true), 'content-filter')
  t.equal(decodeFinishReason('insufficient_system_resource', false), 'other')
  t.equal(decodeFinishReason(null, false), 'other')
  t.end()
})

test('a stop after tool calls is tool-calls, a cut is not', (t) => {
  t.equal(decodeFinishReason('stop', true), 'tool-calls')
  t.equal(decodeFinishReason(null, true), 'tool-calls')
  t.equal(decodeFinishReason('length', true), 'length')
  t.end()
})

test('every canonical reason has a value that clients know', (t) => {
  const words = (['stop', 'stop-sequence', 'length', 'tool-calls', 'content-filter', 'other'] as const).map(
    encodeFinishReason,
  )
  t.strictSame(words, ['stop', 'stop', 'length', 'tool_calls', 'content_filter', 'stop'])
  t.end()
})
