// Annotations of a message count within its whole text, citations within their block.
import { test } from 'tap'
import { type Citation } from '../../../src/model/citation.js'
import { annotationsOf, decodeAnnotations, encodeAnnotations } from '../../../src/protocols/openai-chat/annotations.js'

const cite = (url: string | null, span: Citation['span'] = null): Citation => ({
  kind: 'citation',
  url,
  title: 'T',
  citedText: null,
  span,
  own: null,
})

test('positions are those of the message; a citation without a span is of its whole block', async (t) => {
  const texts = [
    { type: 'text' as const, text: 'abc' },
    { type: 'text' as const, text: 'defg', citations: [cite('https://a', { start: 1, end: 2 }), cite('https://b')] },
  ]
  t.match(annotationsOf(texts), [
    { type: 'url_citation', url_citation: { start_index: 4, end_index: 5, url: 'https://a' } },
    { type: 'url_citation', url_citation: { start_index: 3, end_index: 7, url: 'https://b' } },
  ])
  t.same(encodeAnnotations([cite(null)], 0, 3), [])
})

test('only citations of pages are read', async (t) => {
  const url_citation = { url: 'https://a', title: 'A', start_index: 3, end_index: 5 }
  t.match(decodeAnnotations([7, { type: 'file' }, { type: 'url_citation', url_citation }, { url_citation: {} }], 3), [
    { url: 'https://a', span: { start: 0, end: 2 } },
  ])
  t.same(decodeAnnotations(null, 0), [])
})
