// Stop reasons, both ways.
import { test } from 'tap'
import { decodeStopReason, encodeStopReason } from '../../../src/protocols/anthropic-messages/stop-reason.js'

test('decodes every reason of the vendor', async (t) => {
  t.equal(decodeStopReason('end_turn'), 'stop')
  t.equal(decodeStopReason('max_tokens'), 'length')
  t.equal(decodeStopReason('model_context_window_exceeded'), 'length')
  t.equal(decodeStopReason('stop_sequence'), 'stop-sequence')
  t.equal(decodeStopReason('tool_use'), 'tool-calls')
  t.equal(decodeStopReason('refusal'), 'content-filter')
  t.equal(decodeStopReason('pause_turn'), 'other')
})

test('decodes words it does not know as other', async (t) => {
  t.equal(decodeStopReason('sleepy'), 'other')
  t.equal(decodeStopReason('toString'), 'other')
  t.equal(decodeStopReason(null), 'other')
})

test('encodes every canonical reason', async (t) => {
  const reasons = ['stop', 'stop-sequence', 'length', 'tool-calls', 'content-filter', 'other'] as const
  t.strictSame(reasons.map(encodeStopReason), [
    'end_turn',
    'stop_sequence',
    'max_tokens',
    'tool_use',
    'refusal',
    'end_turn',
  ])
})
