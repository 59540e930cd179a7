// Parts of a user's turn.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { decodeUserPart } from '../../../../src/protocols/google-gemini/surface/decode-content.js'

const decode = (part: JsonObject) => decodeUserPart(part, 'p')
const inline = (mimeType: string, displayName?: string) =>
  decode({ inlineData: { mimeType, data: 'aGk=', ...(displayName === undefined ? {} : { displayName }) } })
const file = (fileUri: string, mimeType?: string) =>
  decode({ fileData: { fileUri, ...(mimeType === undefined ? {} : { mimeType }) } })

test('text, images, documents and documents that are text', async (t) => {
  t.same(decode({ text: 'a' }), { type: 'text', text: 'a' })
  t.equal(decode({ text: '' }), null)
  t.equal(decode({}), null)
  const bytes = { kind: 'base64', base64: 'aGk=' } as const
  t.same(inline('image/png'), {
    type: 'image',
    source: { ...bytes, mediaType: 'image/png' },
    detail: null,
    path: 'p.inlineData',
  })
  t.same(inline('application/pdf', 'a.pdf'), {
    type: 'document',
    source: { ...bytes, mediaType: 'application/pdf' },
    name: 'a.pdf',
    path: 'p.inlineData',
  })
  t.same(inline('text/csv', 'a.csv'), { type: 'text', text: '<document title="a.csv">\nhi\n</document>' })
  t.same(inline('audio/wav'), { type: 'foreign', kind: 'audio/wav', path: 'p.inlineData' })
})

test('files by URL, and those that only the vendor can read', async (t) => {
  t.match(file('https://x.test/a', 'image/webp'), { type: 'image', source: { kind: 'url', url: 'https://x.test/a' } })
  t.match(file('https://x.test/a.JPG?x'), { type: 'image' })
  t.match(file('https://x.test/a.pdf'), { type: 'document', path: 'p.fileData' })
  for (const uri of ['gs://b/a.png', 'https://generativelanguage.googleapis.com/v1beta/files/a']) {
    t.match(file(uri, 'image/png'), { type: 'file', wire: 'google-gemini', id: uri, mediaType: 'image/png' })
    t.match(file(uri), { type: 'file', mediaType: null })
  }
  t.match(file('https://youtu.be/a'), { type: 'foreign', kind: 'fileData' })
  t.match(file('https://x.test/a', 'video/mp4'), { type: 'foreign', kind: 'video/mp4' })
  t.match(decode({ executableCode: {} }), { type: 'foreign', kind: 'executableCode' })
})
