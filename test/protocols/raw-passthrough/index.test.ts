// A surface that translates nothing.
import { test } from 'tap'
import { rawPassthrough } from '../../../src/protocols/raw-passthrough/index.js'
import { thrownBy } from '../../helpers/thrown.js'

test('only clients speak it, below the prefix, and nothing of it is ever translated', async (t) => {
  const { surface, dialect } = rawPassthrough
  t.equal(dialect, null)
  t.same(surface?.routes, [{ method: 'POST', path: '/passthrough', prefix: 'apiPrefix' }])
  t.ok(surface?.upstreamFrames)
  t.equal(thrownBy(() => surface?.decodeRequest({})).code, 'internal')
})
