// Sources of an answer, which this wire counts in bytes.
import { test } from 'tap'
import { type Citation } from '../../../src/model/citation.js'
import { citationsOf, encodeSources, readSources } from '../../../src/protocols/google-gemini/citations.js'

const CHUNKS = [{ web: { uri: 'https://a', title: 'A' } }, { retrievedContext: { uri: 'gs://b' } }, { web: {} }, 7]
const cite = (url: string | null, span: Citation['span']): Citation => ({
  kind: 'citation',
  url,
  title: null,
  citedText: null,
  span,
  own: null,
})

test('a candidate’s sources are read with what they support', async (t) => {
  const segment = { endIndex: 4, text: 'Köl' }
  t.same(
    readSources({
      groundingMetadata: {
        groundingChunks: CHUNKS,
        groundingSupports: [
          { segment, groundingChunkIndices: [0, 2, 9] },
          { segment: {}, groundingChunkIndices: [1] },
          { groundingChunkIndices: 7 },
        ],
      },
    }),
    [
      { url: 'https://a', title: 'A', segment: { start: 0, end: 4, text: 'Köl' } },
      { url: 'gs://b', title: null, segment: null },
    ],
  )
  t.same(readSources({ groundingMetadata: { groundingChunks: CHUNKS.slice(0, 1) } }), [
    { url: 'https://a', title: 'A', segment: null },
  ])
  t.same(readSources({ groundingMetadata: 7, citationMetadata: null }), [])
  t.same(readSources({}), [])
})

test('quotes are sources, too, if they have an address', async (t) => {
  const quote = { startIndex: 2, endIndex: 4, uri: 'https://q' }
  t.same(readSources({ citationMetadata: { citations: [quote, { endIndex: 1 }], citationSources: [quote] } }), [
    { url: 'https://q', title: null, segment: { start: 2, end: 4, text: null } },
    { url: 'https://q', title: null, segment: { start: 2, end: 4, text: null } },
  ])
})

test('bytes become characters; a segment of another text has no place', async (t) => {
  const spanOf = (start: number, end: number, text: string | null) =>
    citationsOf([{ url: 'https://a', title: null, segment: { start, end, text } }], 'Köln am Rhein')[0]?.span
  t.same(spanOf(0, 5, 'Köln'), { start: 0, end: 4 })
  t.same(spanOf(6, 8, null), { start: 5, end: 7 })
  t.equal(spanOf(0, 5, 'Bonn'), null)
  for (const [start, end] of [
    [-1, 2],
    [3, 2],
    [0, 99],
    [0.5, 2],
  ] as const) {
    t.equal(spanOf(start, end, null), null)
  }
  t.equal(citationsOf([{ url: 'https://a', title: null, segment: null }], 'x')[0]?.span, null)
})

test('sources are written once, however often they are cited', async (t) => {
  const place = { text: 'Köln am Rhein', offset: 5, chars: 8, part: 2 }
  const sources = encodeSources([
    { ...place, citation: cite('https://a', { start: 3, end: 8 }) },
    { ...place, citation: cite('https://a', null) },
    { ...place, citation: cite(null, null) },
  ])
  t.same(sources, {
    groundingChunks: [{ web: { uri: 'https://a' } }],
    groundingSupports: [
      { segment: { partIndex: 2, startIndex: 9, endIndex: 14, text: 'Rhein' }, groundingChunkIndices: [0] },
      { segment: { partIndex: 2, startIndex: 6, endIndex: 14, text: 'am Rhein' }, groundingChunkIndices: [0] },
    ],
  })
  t.equal(encodeSources([{ ...place, citation: cite(null, null) }]), null)
})
