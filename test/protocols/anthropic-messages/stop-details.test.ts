// What the vendor says about a refusal, both ways.
import { test } from 'tap'
import { decodeStopDetails, encodeEnding } from '../../../src/protocols/anthropic-messages/stop-details.js'

test('details of a refusal are read; details of anything else, or that say nothing, are none', async (t) => {
  t.same(decodeStopDetails({ type: 'refusal', category: 'bio', explanation: null }), {
    category: 'bio',
    explanation: null,
  })
  t.same(decodeStopDetails({ type: 'refusal', explanation: 'No.' }), { category: null, explanation: 'No.' })
  for (const none of [undefined, null, 7, {}, { type: 'refusal', category: null }, { type: 'pause', category: 'a' }]) {
    t.equal(decodeStopDetails(none), null)
  }
})

test('a refusal has details; of categories only the vendor’s own', async (t) => {
  const encode = (category: string | null, explanation: string | null) =>
    encodeEnding({ reason: 'content-filter', refusal: { category, explanation }, hasRefused: false })
  t.same(encode('cyber', 'Why.'), {
    stop_reason: 'refusal',
    stop_details: { type: 'refusal', category: 'cyber', explanation: 'Why.' },
  })
  t.match(encode('SAFETY', null), { stop_details: { category: null, explanation: null } })
})

test('a model that refuses in its own words ends with a refusal, any other answer without details', async (t) => {
  t.same(encodeEnding({ reason: 'stop', hasRefused: true }), {
    stop_reason: 'refusal',
    stop_details: { type: 'refusal', category: null, explanation: null },
  })
  t.same(encodeEnding({ reason: 'stop', hasRefused: false }), { stop_reason: 'end_turn' })
  t.same(encodeEnding({ reason: 'content-filter', hasRefused: false }), { stop_reason: 'refusal' })
})
