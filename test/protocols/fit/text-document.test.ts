// Documents that are text: which media types are, and how the model reads one.
import { test } from 'tap'
import { encodeTextDocument, isTextType } from '../../../src/protocols/fit/text-document.js'

test('distinguishes media types of text from those of bytes', async (t) => {
  const texts = ['text/plain', 'TEXT/CSV', 'application/json', 'application/ld+json', 'application/xml', 'image/svg']
  t.strictSame(texts.map(isTextType), [true, true, true, true, true, false])
  const bytes = [
    'application/pdf',
    'application/octet-stream',
    'application/msword',
    'image/png',
    '',
    'application/jsonx',
  ]
  t.strictSame(
    bytes.map(isTextType),
    bytes.map(() => false),
  )
})

test('a document is enclosed in marks with its title, source and context', async (t) => {
  t.strictSame(encodeTextDocument({ text: 'a', name: null }), { type: 'text', text: '<document>\na\n</document>' })
  const full = encodeTextDocument({ text: 'a', name: 'n', source: 's"', context: 'c' })
  t.equal(full.text, `<document title="n" source="s'">\nc\na\n</document>`)
})
