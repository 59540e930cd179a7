import { test } from 'tap'
import { bytesOf, RESPONSE_COST_BYTES } from '../../src/responses/store.js'

test('the bytes of an answer are those of its two texts and what a store needs for it', (t) => {
  t.equal(bytesOf({ input: new Uint8Array(3), response: new Uint8Array(4) }), 7 + RESPONSE_COST_BYTES)
  t.end()
})
