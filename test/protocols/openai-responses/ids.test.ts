// Ids: the vendor's prefix, and no id that is too long to come back.
import { test } from 'tap'
import { encodeResponseId, fitCallId, itemBaseOf } from '../../../src/protocols/openai-responses/ids.js'

test('a response has the prefix once', async (t) => {
  t.equal(encodeResponseId('resp_1'), 'resp_1')
  t.equal(encodeResponseId('msg_1'), 'resp_msg_1')
})

test('items share the id of their response, hashed if it is too long or has other characters', async (t) => {
  t.equal(itemBaseOf('resp_abc-1_2'), 'abc-1_2')
  const long = itemBaseOf(`resp_${'x'.repeat(49)}`)
  t.match(long, /^[0-9a-f]{40}$/)
  t.not(itemBaseOf('resp_a/b'), 'a/b')
  t.equal(itemBaseOf(`resp_${'x'.repeat(49)}`), long)
})

test('the id of a call is at most 64 characters, the same for call and result', async (t) => {
  t.equal(fitCallId('call_1'), 'call_1')
  t.equal(fitCallId('x'.repeat(64)), 'x'.repeat(64))
  const fitted = fitCallId('x'.repeat(65))
  t.ok(fitted.length <= 64)
  t.equal(fitCallId('x'.repeat(65)), fitted)
  t.not(fitCallId('y'.repeat(65)), fitted)
})
