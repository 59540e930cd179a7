// One header as text.
import { test } from 'tap'
import { headerText } from '../../src/pipeline/header-text.js'

test('a header is its text, its first value, or null', async (t) => {
  const headers = { one: 'a', many: ['b', 'c'], none: undefined }
  t.equal(headerText(headers, 'one'), 'a')
  t.equal(headerText(headers, 'many'), 'b')
  t.equal(headerText(headers, 'none'), null)
  t.equal(headerText(headers, 'other'), null)
})
