// What all endpoints of the simulator have in common.
import { test } from 'tap'
import { jsonReply, tokensOf } from '../../../src/simulator/endpoints/endpoint.js'

test('a reply is JSON, and tokens are four bytes', (t) => {
  t.same(jsonReply({ a: 1 }), { contentType: 'application/json', body: Buffer.from('{"a":1}') })
  t.same(['', 'a', 'abcd', 'żółw'].map(tokensOf), [0, 1, 1, 2])
  t.end()
})
