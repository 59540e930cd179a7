// Keys in upstream error texts, and how long such texts may be.
import { test } from 'tap'
import { maskKeys, toMessage, toPageMessage } from '../../src/wire/error-text.js'

test('masks what looks like a key, wherever it stands', (t) => {
  t.equal(maskKeys("Consumer 'api_key:AIzaSyD-EXAMPLE' is off"), "Consumer 'api_key:***' is off")
  t.equal(maskKeys('Incorrect API key provided: sk-proj-abc123.'), 'Incorrect API key provided: ***')
  t.equal(maskKeys('sent Bearer abc.def-ghi== twice'), 'sent *** twice')
  t.equal(maskKeys('POST /v1?key=0123456789&alt=sse'), 'POST /v1?***&alt=sse')
  t.equal(maskKeys('the task-force is key'), 'the task-force is key')
  t.end()
})

test('makes one line of at most 500 characters, or nothing', (t) => {
  t.equal(toMessage(' a\n\n b\tc '), 'a b c')
  t.equal(toMessage('x'.repeat(10_000))?.length, 500)
  t.equal(toMessage(' \n'), null)
  t.end()
})

test("gives the words of a proxy's page, without tags", (t) => {
  t.equal(toPageMessage('<html>\n<title>502 Bad</title><h1>Gateway</h1>'), '502 Bad Gateway')
  t.equal(toPageMessage('404 page not found'), '404 page not found')
  t.equal(toPageMessage('<p>'.repeat(100_000)), null)
  t.end()
})
