// Versions of records as ETags.
import { test } from 'tap'
import { etagOf, versionOf } from '../../../src/admin/http/etag.js'
import { thrownBy } from '../../helpers/thrown.js'

test('a version goes out and comes back; none, or any, is no condition', async (t) => {
  t.same(etagOf(7), [['etag', '"7"']])
  t.equal(versionOf('"7"'), 7)
  t.equal(versionOf(' W/"12" '), 12)
  t.equal(versionOf(''), null)
  t.equal(versionOf('*'), null)
})

test('what is no ETag of this API is refused, and never taken for any', async (t) => {
  for (const text of ['7', '"x"', '"7", "8"', '""', "'7'", '"1e3"']) {
    t.match(
      thrownBy(() => versionOf(text)),
      { code: 'invalid_request', param: 'If-Match' },
      text,
    )
  }
})
