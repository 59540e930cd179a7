// Annotations of a text: pages have a canonical form, files are the vendor's own.
import { test } from 'tap'
import { type Citation } from '../../../../src/model/citation.js'
import {
  citesAs,
  decodeAnnotations,
  encodeAnnotations,
} from '../../../../src/protocols/openai-responses/parts/annotations.js'

const PAGE = { type: 'url_citation', start_index: 0, end_index: 2, title: 'A', url: 'https://a' }
const FILE = { type: 'file_citation', file_id: 'file_1', filename: 'a.pdf', index: 4 }

test('annotations come back as they were', async (t) => {
  const citations = decodeAnnotations([PAGE, FILE, 7])
  t.match(citations, [
    { url: 'https://a', title: 'A', span: { start: 0, end: 2 }, own: null },
    { url: null, title: 'a.pdf', own: { wire: 'openai-responses' } },
  ])
  t.same(encodeAnnotations(citations, 5), [PAGE, FILE])
  t.same(decodeAnnotations(undefined), [])
})

test('a source of another wire needs an address', async (t) => {
  const citation: Citation = {
    kind: 'citation',
    url: null,
    title: 'Doc',
    citedText: 'x',
    span: null,
    own: { wire: 'anthropic-messages', value: {} },
  }
  t.notOk(citesAs(citation))
  t.same(encodeAnnotations([citation], 5), [])
  t.ok(citesAs({ ...citation, url: 'https://a' }))
  t.match(encodeAnnotations([{ ...citation, url: 'https://a' }], 5), [{ start_index: 0, end_index: 5, title: 'Doc' }])
  t.ok(citesAs({ ...citation, own: { wire: 'openai-responses', value: FILE } }))
})
