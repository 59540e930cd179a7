// What is shown of an upstream's error text, and how long it may be.
import { test } from 'tap'
import { toMessage, toPageMessage } from '../../src/wire/error-text.js'

test('gives a message of at most 1000 characters without keys, or nothing', async (t) => {
  t.equal(toMessage(' a\n b '), 'a\n b')
  t.equal(toMessage('x'.repeat(10_000))?.length, 1000)
  t.equal(toMessage('bad key sk-0123456789'), 'bad key ***')
  t.equal(toMessage(' \n'), null)
})

test("gives the first words of a proxy's page, on one line and without tags or keys", async (t) => {
  t.equal(toPageMessage('<html>\n<title>502 Bad</title><h1>Gateway</h1>'), '502 Bad Gateway')
  t.equal(toPageMessage('404 page not found'), '404 page not found')
  t.equal(toPageMessage('<p>key <b>sk-0123456789</b>'), 'key ***')
  t.equal(toPageMessage('<p>\n</p>'.repeat(10)), null)
  t.equal(toPageMessage('x'.repeat(10_000))?.length, 200)
})
