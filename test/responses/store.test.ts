import { test } from 'tap'
import { bytesOf, ITEM_COST_BYTES, RESPONSE_COST_BYTES, tooLarge } from '../../src/responses/store.js'

test('the bytes of an answer are those of its two texts and what a store needs for it', (t) => {
  const texts = { input: new Uint8Array(3), response: new Uint8Array(4) }
  t.equal(bytesOf({ ...texts, items: [] }), 7 + RESPONSE_COST_BYTES)
  const items = [{ id: 'ż1', start: 0, end: 1 }]
  t.equal(bytesOf({ ...texts, items }), 7 + 3 + RESPONSE_COST_BYTES + ITEM_COST_BYTES)
  t.match(tooLarge(99).data, { code: 'storage_full', message: /99 bytes/ })
  t.end()
})
