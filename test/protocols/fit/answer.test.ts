// Parts of an answer that the client's wire has no place for.
import { test } from 'tap'
import { type Citation } from '../../../src/model/citation.js'
import { type ChatResponse } from '../../../src/model/response.js'
import { fitAnswer, isRare, PartFilter } from '../../../src/protocols/fit/answer.js'
import { FALLBACK } from '../../helpers/protocol-fixtures.js'

const cite = (url: string | null): Citation => ({
  kind: 'citation',
  url,
  title: 'T',
  citedText: null,
  span: null,
  own: null,
})
const answer = (content: ChatResponse['content']): ChatResponse => ({
  meta: FALLBACK,
  content,
  finishReason: 'stop',
  stopSequence: null,
  usage: null,
})
const CITED = answer([
  { type: 'refusal', text: 'r' },
  { type: 'text', text: 'a', citations: [cite('https://a'), cite(null)] },
  { type: 'text', text: 'b', citations: [cite(null)] },
  { type: 'text', text: 'c' },
])

test('an answer with a place for everything stays the same object', async (t) => {
  const fitted = fitAnswer(CITED, () => true)
  t.equal(fitted.response, CITED)
  t.same(fitted.dropped, [])
  const plain = answer([{ type: 'text', text: 'a' }])
  t.equal(fitAnswer(plain, undefined).response, plain)
})

test('what has no place is left out and named once; the text stays', async (t) => {
  const withUrl = fitAnswer(CITED, (part) => part.kind === 'citation' && part.url !== null)
  t.same(withUrl.dropped, ['citations'])
  t.same(withUrl.response.content, [
    { type: 'refusal', text: 'r' },
    { type: 'text', text: 'a', citations: [cite('https://a')] },
    { type: 'text', text: 'b' },
    { type: 'text', text: 'c' },
  ])
  t.same(fitAnswer(CITED, undefined).response.content[1], { type: 'text', text: 'a' })
})

test('of a stream each part is judged by itself', async (t) => {
  const filter = new PartFilter((part) => part.kind === 'citation' && part.url !== null)
  t.ok(filter.keeps(cite('https://a')))
  t.same(filter.dropped, [])
  t.notOk(filter.keeps(cite(null)))
  t.notOk(filter.keeps(cite(null)))
  t.same(filter.dropped, ['citations'])
})

test('images and what is opaque are left out whole, under names of their own', async (t) => {
  const content: ChatResponse['content'] = [
    { type: 'made-image', source: { kind: 'url', url: 'https://a' } },
    { type: 'text', text: 'a' },
    { type: 'opaque', wire: 'w', name: 'web_search_call', value: {} },
  ]
  t.same(fitAnswer(answer(content), undefined), {
    response: answer([{ type: 'text', text: 'a' }]),
    dropped: ['images', 'web_search_call'],
  })
  t.same(fitAnswer(answer(content), ({ kind }) => kind === 'image').dropped, ['web_search_call'])
  t.ok(isRare({ kind: 'image', source: { kind: 'url', url: 'https://a' } }))
  t.ok(isRare({ kind: 'opaque', wire: 'w', name: 'x', value: {} }))
  t.notOk(isRare({ kind: 'text' }))
})
