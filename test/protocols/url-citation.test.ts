// OpenAI's citations of pages, in either of its APIs.
import { test } from 'tap'
import { decodeUrlCitation, encodeUrlCitation } from '../../src/protocols/url-citation.js'

const MEMBERS = { url: 'https://a', title: 'A', start_index: 10, end_index: 14 }

test('positions are those of the block; positions outside of it, or that are none, are left out', async (t) => {
  t.same(decodeUrlCitation(MEMBERS, 4)?.span, { start: 6, end: 10 })
  t.equal(decodeUrlCitation(MEMBERS, 11)?.span, null)
  for (const bad of [{ start_index: null }, { end_index: 9 }, { start_index: 0.5 }, { end_index: 'x' }]) {
    t.equal(decodeUrlCitation({ ...MEMBERS, ...bad }, 0)?.span, null, JSON.stringify(bad))
  }
})

test('a source without an address is none here; the words of the source are kept', async (t) => {
  t.equal(decodeUrlCitation({ ...MEMBERS, url: '' }, 0), null)
  t.match(decodeUrlCitation({ ...MEMBERS, content: 'words' }, 0), { title: 'A', citedText: 'words', own: null })
})

test('clients get every member, a title too where there is none', async (t) => {
  const citation = { kind: 'citation', url: 'https://a', title: null, citedText: null, span: null, own: null } as const
  t.same(encodeUrlCitation('https://a', citation, { start: 1, end: 2 }), {
    start_index: 1,
    end_index: 2,
    title: '',
    url: 'https://a',
  })
})
