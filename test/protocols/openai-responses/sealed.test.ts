// Reasoning that only its maker can read, marked with its maker.
import { test } from 'tap'
import {
  isSealed,
  markEncrypted,
  seal,
  unmarkEncrypted,
  unseal,
} from '../../../src/protocols/openai-responses/sealed.js'

test('the encrypted reasoning of one provider is unreadable for another on the same wire', async (t) => {
  const signature = markEncrypted('gAAAA', 'azure:eu')
  t.equal(unmarkEncrypted(signature, 'azure:eu'), 'gAAAA')
  t.equal(unmarkEncrypted(signature, 'openai'), null)
  t.equal(unmarkEncrypted(signature, ''), 'gAAAA', 'a surface passes it on, whoever made it')
  t.equal(unmarkEncrypted(markEncrypted('gAAAA', ''), 'openai'), 'gAAAA', 'a client does not say who made it')
  t.equal(unmarkEncrypted('EqQB', 'openai'), null)
  t.equal(unmarkEncrypted('openai-responses:x', 'openai'), null)
  t.equal(unmarkEncrypted(null, 'openai'), null)
})

test('what another wire has signed comes back as it was', async (t) => {
  const all = [
    { kind: 'signature', signature: 'google-gemini:a:b=' },
    { kind: 'redacted', redacted: 'Emw:K' },
    { kind: 'call', callId: 'call:1/ü', signature: 'google-gemini:x' },
  ] as const
  for (const sealed of all) {
    t.same(unseal(seal(sealed)), sealed)
    t.ok(isSealed(seal(sealed)))
  }
})

test('the vendor’s own, and what a client has made up, is not ours', async (t) => {
  for (const text of ['gAAAA', '', 'sluice:', 'sluice:x:1', 'sluice:c:1', 'sluice:c:%:x'])
    t.equal(unseal(text), null, text)
  t.notOk(isSealed('gAAAA'))
})
