// Signatures of this vendor are told from those of others, which it refuses.
import { test } from 'tap'
import { markSignature, unmarkSignature } from '../../../src/protocols/google-gemini/signature.js'

test('a signature comes back as it went, and no other vendor takes it for its own', (t) => {
  const marked = markSignature('CuQC+/=')
  t.equal(unmarkSignature(marked), 'CuQC+/=')
  t.notMatch(marked, /^[A-Za-z0-9+/_=-]+$/)
  t.end()
})

test("another vendor's signature is none, and neither is what is no base64", (t) => {
  t.equal(unmarkSignature('EqQBCgIYAhIM1gbc'), null)
  t.equal(unmarkSignature(markSignature('not base64!')), null)
  t.equal(unmarkSignature(null), null)
  t.end()
})
