// Citations of a text: the vendor's own pass as they are, those of others become results of a search.
import { test } from 'tap'
import { type Citation } from '../../../src/model/citation.js'
import {
  citesAs,
  decodeCitation,
  decodeCitations,
  encodeCitation,
} from '../../../src/protocols/anthropic-messages/citations.js'

const PAGE = { type: 'web_search_result_location', url: 'https://a', title: 'A', cited_text: 'x', encrypted_index: 'E' }
const DOCUMENT = { type: 'char_location', cited_text: 'y', document_title: 'D', document_index: 0 }

test('the vendor’s own come back as they were', async (t) => {
  const citations = decodeCitations([PAGE, DOCUMENT, 7])
  t.match(citations, [
    { url: 'https://a', title: 'A', citedText: 'x', span: null },
    { url: null, title: 'D', citedText: 'y', span: null },
  ])
  t.same(citations.map(encodeCitation), [PAGE, DOCUMENT])
  t.ok(citations.every(citesAs))
  t.same(decodeCitations(null), [])
})

test('the source of a search result is an address only if it is one', async (t) => {
  const search = { type: 'search_result_location', source: 'https://a/b', title: 'S' }
  t.equal(decodeCitation(search)?.url, 'https://a/b')
  t.equal(decodeCitation({ ...search, source: 'shelf 7' })?.url, null)
})

test('a source of another wire needs an address', async (t) => {
  const citation: Citation = { kind: 'citation', url: null, title: null, citedText: null, span: null, own: null }
  t.equal(encodeCitation(citation), null)
  t.notOk(citesAs(citation))
  t.same(encodeCitation({ ...citation, url: 'https://b' }), {
    type: 'web_search_result_location',
    url: 'https://b',
    title: null,
    cited_text: '',
    encrypted_index: '',
  })
})
