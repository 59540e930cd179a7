// Request ids: the client's and ours.
import { test } from 'tap'
import { createRequestIdSource, readRequestId } from '../../../src/server/engine/request-id.js'

test('takes a well-formed id of the client and no other', async (t) => {
  for (const good of ['a', 'A.b_c:d-1', 'x'.repeat(128)]) t.equal(readRequestId(good), good)
  for (const bad of ['', 'a b', 'a\r\nx: y', 'é', 'x'.repeat(129), 'a\0', '"']) t.equal(readRequestId(bad), '')
})

test('makes ids that differ and are well-formed', async (t) => {
  const create = createRequestIdSource('seed_1')
  const ids = new Set(Array.from({ length: 1000 }, create))
  t.equal(ids.size, 1000)
  for (const id of ids) t.equal(readRequestId(id), id)
})
