// Blocks of a user's turn and of a tool's result become canonical parts: media, text, or foreign content with its path.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { decodeContent, decodeText } from '../../../../src/protocols/anthropic-messages/surface/decode-content.js'
import { type BlockParam } from '../../../../src/protocols/anthropic-messages/wire.js'

function decode(block: JsonObject) {
  const reduced = new Set<string>()
  return { parts: decodeContent(block as unknown as BlockParam, 'p', reduced), reduced: [...reduced] }
}

const document = (source: JsonObject, more: JsonObject = {}): JsonObject => ({ type: 'document', source, ...more })
const PDF = { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0=' }

test('a PDF is a document with its title; its context precedes it', async (t) => {
  t.strictSame(decode(document(PDF, { title: 'Report', context: 'From 2025.' })).parts, [
    { type: 'text', text: 'From 2025.' },
    {
      type: 'document',
      source: { kind: 'base64', mediaType: 'application/pdf', base64: 'JVBERi0=' },
      name: 'Report',
      path: 'p',
    },
  ])
  t.strictSame(decode(document({ type: 'url', url: 'https://x.example/a.pdf' })).parts, [
    { type: 'document', source: { kind: 'url', url: 'https://x.example/a.pdf' }, name: null, path: 'p' },
  ])
})

test('documents that are text become text, whichever way they are given', async (t) => {
  const plain = document({ type: 'text', media_type: 'text/plain', data: 'Rivers.' }, { title: 'A "b"', context: 'c' })
  t.strictSame(decode(plain).parts, [{ type: 'text', text: `<document title="A 'b'">\nc\nRivers.\n</document>` }])
  const encoded = { type: 'base64', media_type: 'text/markdown', data: Buffer.from('# Ü').toString('base64') }
  t.strictSame(decode(document(encoded)).parts, [{ type: 'text', text: '<document>\n# Ü\n</document>' }])
  t.strictSame(decode(document({ type: 'content', content: 'Rivers.' })).parts, [
    { type: 'text', text: '<document>\nRivers.\n</document>' },
  ])
})

test('a document of blocks is its blocks, by their own paths', async (t) => {
  const image = { type: 'image', source: { type: 'url', url: 'https://x.example/a.png' } }
  const content = [{ type: 'text', text: 'a' }, image, 'no block', { type: 'text' }]
  t.strictSame(decode(document({ type: 'content', content })).parts, [
    { type: 'text', text: 'a' },
    {
      type: 'image',
      source: { kind: 'url', url: 'https://x.example/a.png' },
      detail: null,
      path: 'p.source.content.1',
    },
  ])
})

test('a search result is text with its title and source', async (t) => {
  const content = [
    { type: 'text', text: 'long' },
    { type: 'text', text: 'wide' },
  ]
  const result = { type: 'search_result', title: 'Elbe', source: 'https://e.example', content }
  t.strictSame(decode(result), {
    parts: [{ type: 'text', text: '<document title="Elbe" source="https://e.example">\nlong\nwide\n</document>' }],
    reduced: [],
  })
  t.strictSame(decode({ ...result, citations: { enabled: true } }).reduced, ['citations'])
})

test('files stored at the vendor keep their ids; sources of an unknown kind are foreign, with their path', async (t) => {
  const foreign = (kind: string) => [{ type: 'foreign', kind, path: 'p' }]
  const file = { type: 'file', wire: 'anthropic-messages', id: 'f', path: 'p' }
  t.same(decode(document({ type: 'file', file_id: 'f' })).parts, [{ ...file, mediaType: null }])
  t.same(decode({ type: 'image', source: { type: 'file', file_id: 'f' } }).parts, [{ ...file, mediaType: 'image/*' }])
  t.strictSame(decode({ type: 'image', source: { type: 'file' } }).parts, foreign('image.file'))
  t.strictSame(decode({ type: 'image', source: { type: 'base64', data: 'x' } }).parts, foreign('image.base64'))
  t.strictSame(decode({ type: 'image' }).parts, foreign('image'))
  t.strictSame(decode({ type: 'container_upload', file_id: 'f' }).parts, foreign('container_upload'))
})

test('results of the vendor’s own tools keep what can be read of them, and are named', async (t) => {
  const result = { type: 'web_search_result', title: 'Elbe', url: 'https://e.example', encrypted_content: 'EqQB' }
  t.strictSame(decode(result), {
    parts: [{ type: 'text', text: 'Elbe\nhttps://e.example' }],
    reduced: ['web_search_result'],
  })
})

test('a text keeps its cache breakpoint, and citations of it are named', async (t) => {
  const marked = decodeText({ type: 'text', text: 'a', cache_control: { type: 'ephemeral' } })
  t.strictSame(marked, { type: 'text', text: 'a', cacheBreakpoint: true })
  const cited = { type: 'text', text: 'a', citations: [{ type: 'char_location' }] }
  t.strictSame(decode(cited), { parts: [{ type: 'text', text: 'a' }], reduced: ['citations'] })
})
