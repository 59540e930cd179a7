// How an answer ends in which the model refused, where the wire has no part for that.
import { test } from 'tap'
import { finishOfRefusal, isWords } from '../../src/model/refusal.js'

test('a refusal that ended by itself ends as filtered content; any other end is kept', async (t) => {
  t.equal(finishOfRefusal('stop'), 'content-filter')
  t.equal(finishOfRefusal('other'), 'content-filter')
  for (const reason of ['length', 'tool-calls', 'stop-sequence', 'content-filter'] as const) {
    t.equal(finishOfRefusal(reason), reason)
  }
})

test('text and refusals are words to the client, thoughts and calls are not', async (t) => {
  t.ok(isWords({ type: 'text', text: 'a' }))
  t.ok(isWords({ type: 'refusal', text: 'a' }))
  t.notOk(isWords({ type: 'reasoning', text: 'a', signature: null, redacted: null }))
  t.notOk(isWords({ type: 'tool-call', id: '1', name: 'f', arguments: '', signature: null }))
})
