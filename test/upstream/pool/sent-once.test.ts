// A body that is gone once it is sent. That a stream holds nothing of it is tested with a call (upstream/call.test.ts).
import { test } from 'tap'
import { SentOnce } from '../../../src/upstream/pool/sent-once.js'

test('gives its pieces once, in order', (t) => {
  const pieces = ['a', 'b', 'c'].map((text) => Buffer.from(text))
  const body = new SentOnce(pieces)
  t.equal(Buffer.concat([...body]).toString(), 'abc')
  t.equal([...body].length, 0)
  t.equal(pieces.length, 3)
  t.end()
})
