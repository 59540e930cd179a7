// One header as text.
import { test } from 'tap'
import { headerText, requestIdOf } from '../../../src/pipeline/attempt/header-text.js'

test('a header is its text, its first value, or null', async (t) => {
  const headers = { one: 'a', many: ['b', 'c'], none: undefined }
  t.equal(headerText(headers, 'one'), 'a')
  t.equal(headerText(headers, 'many'), 'b')
  t.equal(headerText(headers, 'none'), null)
  t.equal(headerText(headers, 'other'), null)
})

test('an upstream names a request in one of two headers, and not at length', async (t) => {
  t.equal(requestIdOf({ 'x-request-id': 'a', 'request-id': 'b' }), 'a')
  t.equal(requestIdOf({ 'request-id': 'b' }), 'b')
  t.equal(requestIdOf({ 'x-request-id': 'x'.repeat(500) })?.length, 128)
  t.equal(requestIdOf({ 'x-request-id': '' }), null)
  t.equal(requestIdOf({}), null)
})
