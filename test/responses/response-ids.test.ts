import { test } from 'tap'
import { ResponseIds } from '../../src/responses/response-ids.js'

test('ids are random texts of 32 characters, none of them twice', (t) => {
  const ids = new ResponseIds()
  const drawn = Array.from({ length: 1000 }, () => ids.create())
  for (const id of drawn) if (!/^[\w-]{32}$/.test(id)) t.fail(id)
  t.equal(new Set(drawn).size, drawn.length)
  t.notOk(drawn.includes(new ResponseIds().create()))
  t.end()
})
