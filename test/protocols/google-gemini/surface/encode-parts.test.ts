// Parts of a whole answer.
import { test } from 'tap'
import { encodePart, encodeTextSignature } from '../../../../src/protocols/google-gemini/surface/encode-parts.js'

test('each part of an answer has its form', async (t) => {
  t.same(encodePart({ type: 'text', text: 'a' }), { text: 'a' })
  t.same(encodePart({ type: 'reasoning', text: 'a', signature: null, redacted: null }), { text: 'a', thought: true })
  t.same(encodePart({ type: 'reasoning', text: 'a', signature: 'google-gemini:U2ln', redacted: null }), {
    text: 'a',
    thought: true,
    thoughtSignature: 'U2ln',
  })
  const call = { type: 'tool-call', id: 'c', name: 'f', arguments: '', signature: 'google-gemini:U2ln' } as const
  t.same(encodePart(call), { functionCall: { id: 'c', name: 'f', args: {} }, thoughtSignature: 'U2ln' })
  t.same(encodeTextSignature('google-gemini:U2ln'), { text: '', thoughtSignature: 'U2ln' })
})
