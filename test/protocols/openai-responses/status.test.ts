// Why the model stopped, as a status.
import { test } from 'tap'
import { decodeFinish, encodeFinish, isCallItem } from '../../../src/protocols/openai-responses/status.js'

test('a cap or a filter is an incomplete response; everything else is complete', async (t) => {
  t.same(encodeFinish('length'), { status: 'incomplete', reason: 'max_output_tokens' })
  t.same(encodeFinish('content-filter'), { status: 'incomplete', reason: 'content_filter' })
  for (const reason of ['stop', 'stop-sequence', 'tool-calls', 'other'] as const) {
    t.same(encodeFinish(reason), { status: 'completed', reason: null })
  }
})

test('a status is read with its reason, and with calls', async (t) => {
  const incomplete = (reason: string) => ({ status: 'incomplete', incomplete_details: { reason } })
  t.equal(decodeFinish(incomplete('max_output_tokens'), true), 'length')
  t.equal(decodeFinish(incomplete('content_filter'), false), 'content-filter')
  t.equal(decodeFinish(incomplete('steered'), false), 'other')
  t.equal(decodeFinish({ status: 'incomplete' }, false), 'other')
  t.equal(decodeFinish({ status: 'completed' }, true), 'tool-calls')
  t.equal(decodeFinish({}, false), 'stop')
})

test('calls of the client’s tools are calls, those of the vendor’s are not', async (t) => {
  t.ok(isCallItem({ type: 'function_call' }))
  t.ok(isCallItem({ type: 'custom_tool_call' }))
  t.notOk(isCallItem({ type: 'web_search_call' }))
  t.notOk(isCallItem('function_call'))
})
