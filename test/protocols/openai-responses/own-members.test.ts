import { test } from 'tap'
import {
  eventWithOwn,
  ownMembers,
  ownOf,
  queuedEvents,
  withNextNumber,
  withOwn,
} from '../../../src/protocols/openai-responses/own-members.js'

const OWN = ownMembers('resp_ours', { previousId: 'resp_before', isStored: true, isBackground: false }, true)

test('the gateway decides the id, and what was asked about storing', (t) => {
  t.same(OWN, { id: 'resp_ours', store: true, background: false, previous_response_id: 'resp_before' })
  t.same(ownMembers('r', { previousId: null, isStored: true, isBackground: true }, false), {
    ...{ id: 'r', store: false, background: true, previous_response_id: null },
  })
  t.end()
})

test('they are found in an echo, if they are there', (t) => {
  t.same(ownOf({ own: OWN }), OWN)
  for (const echo of [null, {}, { own: null }, { own: { id: 7 } }]) t.equal(ownOf(echo), null)
  t.end()
})

test('only these members of an answer change: every other byte stays', (t) => {
  const answer = '{ "id":"resp_theirs", "n": 1.50,"store" :false, "output":[{"id":"resp_theirs"}] }'
  t.equal(
    Buffer.from(withOwn(Buffer.from(answer), OWN)).toString(),
    '{"background":false,"previous_response_id":"resp_before", "id":"resp_ours", "n": 1.50,"store" :true, "output":[{"id":"resp_theirs"}] }',
  )
  const none = Buffer.from('[1]')
  t.equal(withOwn(none, OWN), none)
  t.end()
})

test('so do they in the response of an event', (t) => {
  const payload = Buffer.from('{"type":"response.created", "response" : {"id":"x"},"sequence_number":0}')
  const [head, tail] = ['{"type":"response.created", "response" : ', ',"sequence_number":0}']
  const edited = eventWithOwn(payload, OWN)?.toString() ?? ''
  t.ok(edited.startsWith(head) && edited.endsWith(tail), edited)
  t.match(JSON.parse(edited), { response: OWN })
  t.equal(eventWithOwn(Buffer.from('{"type":"x"}'), OWN), null)
  t.end()
})

test('an event without a response begins nothing, and one without a number keeps its bytes', (t) => {
  t.equal(queuedEvents(Buffer.from('{"type":"x"}'), OWN), null)
  for (const text of ['{"type":"x"}', '[1]', '{"sequence_number":"1"}']) {
    const payload = Buffer.from(text)
    t.equal(withNextNumber(payload), payload)
  }
  t.equal(withNextNumber(Buffer.from('{"sequence_number": 9,"n":1.0}')).toString(), '{"sequence_number": 10,"n":1.0}')
  t.end()
})
