// Items whose servers number, name or end them in their own way.
import { test } from 'tap'
import { Aggregator } from '../../../../src/model/aggregate.js'
import { type JsonObject } from '../../../../src/model/json.js'
import { findViolation } from '../../../../src/model/law.js'
import { decode, FALLBACK } from '../streams.js'

/** The content of a stream of these events, with a start and an end around them. */
function contentOf(...events: JsonObject[]) {
  const aggregator = new Aggregator(FALLBACK)
  const response = { id: 'r', model: 'm', created_at: 1, status: 'completed' }
  const all = [{ type: 'response.created', response }, ...events, { type: 'response.completed', response }]
  for (const event of decode(all)) aggregator.push(event)
  return aggregator.response().content.map((part) => {
    if (part.type === 'tool-call') return `${part.name}(${part.arguments})`
    if (part.type === 'refusal') return `no: ${part.text}`
    if (part.type === 'made-image' || part.type === 'opaque') return part.type
    return part.type === 'text' ? part.text : `[${part.text}]${part.signature ?? ''}`
  })
}

const added = (place: number | null, item: JsonObject) => event('response.output_item.added', place, { item })
const done = (place: number | null, item: JsonObject) => event('response.output_item.done', place, { item })
const event = (type: string, place: number | null, members: JsonObject): JsonObject => ({
  type,
  ...(place === null ? {} : { output_index: place }),
  ...members,
})
const args = (place: number | null, id: string, delta: string) =>
  event('response.function_call_arguments.delta', place, { item_id: id, delta })
const text = (place: number | null, delta: string, members: JsonObject = {}) =>
  event('response.output_text.delta', place, { delta, ...members })
const call = (id: string, name: string, given = '') => ({
  type: 'function_call',
  id,
  call_id: `c${id}`,
  name,
  arguments: given,
})

test('parallel calls that are all at place 0 stay apart by their ids', async (t) => {
  t.same(
    contentOf(
      ...[added(0, call('1', 'f')), added(0, call('2', 'g')), args(0, '1', '{"a"'), args(0, '2', '{"b"')],
      ...[args(0, '1', ':1}'), args(0, '2', ':2}'), done(0, call('1', 'f')), done(0, call('2', 'g'))],
    ),
    ['f({"a":1})', 'g({"b":2})'],
  )
  t.same(contentOf(done(0, call('1', 'f', '{}')), done(0, call('2', 'g', '{}'))), ['f({})', 'g({})'])
})

test('ids that change from event to event are found by their place', async (t) => {
  t.same(
    contentOf(
      ...[added(0, call('1', 'f')), added(1, call('2', 'g')), args(0, 'x', '{"a"'), args(1, 'y', '{}')],
      ...[args(0, 'z', ':1}'), done(0, call('u', 'f')), done(1, call('v', 'g'))],
    ),
    ['f({"a":1})', 'g({})'],
  )
})

test('arguments and texts that come in no delta are taken from the finished item, once', async (t) => {
  t.same(contentOf(added(0, call('1', 'f')), done(0, call('1', 'f', '{"a":1}'))), ['f({"a":1})'])
  t.same(contentOf(added(0, call('1', 'f')), args(0, '1', '{}'), done(0, call('1', 'f', '{}'))), ['f({})'])
  const message = {
    type: 'message',
    id: 'm',
    content: [
      { type: 'output_text', text: 'a' },
      { type: 'refusal', refusal: 'b' },
    ],
  }
  t.same(contentOf(done(0, message)), ['a', 'no: b'])
  t.same(contentOf(done(0, message), done(0, message)), ['a', 'no: b'])
  t.same(contentOf(added(0, { type: 'message', id: 'm' }), text(0, 'x', { item_id: 'm' }), done(0, message)), [
    'x',
    'no: b',
  ])
  const thought = { type: 'reasoning', id: 'r', summary: [{ text: 'a' }, { text: 'b' }], encrypted_content: 'g' }
  t.same(contentOf(done(0, thought)), ['[a\n\nb]openai-responses:p:g'])
})

test('items that were never announced begin with what comes first of them', async (t) => {
  t.same(contentOf(text(0, 'a'), text(0, 'b'), text(null, 'c')), ['abc'])
  t.same(contentOf(args(0, '1', '{"a":1}'), done(0, call('1', 'f'))), ['f({"a":1})'])
  t.same(contentOf(args(0, '1', '{"a":1}')), [], 'a call without a name is none')
})

test('parts of a message are texts of their own, in their order', async (t) => {
  const part = (place: number) => event('response.content_part.added', 0, { content_index: place, item_id: 'm' })
  t.same(
    contentOf(
      ...[added(0, { type: 'message', id: 'm' }), part(0), part(1)],
      ...[text(0, 'b', { content_index: 1 }), text(0, 'a', { content_index: 0 })],
      event('response.refusal.delta', 0, { content_index: 2, delta: 'c' }),
    ),
    ['a', 'b', 'no: c'],
  )
})

test('the parts of a summary are paragraphs; of summary and text, what comes first counts', async (t) => {
  const summary = (place: number, delta: string) =>
    event('response.reasoning_summary_text.delta', 0, { item_id: 'r', summary_index: place, delta })
  const raw = (delta: string) => event('response.reasoning_text.delta', 0, { item_id: 'r', content_index: 0, delta })
  const begun = added(0, { type: 'reasoning', id: 'r' })
  t.same(contentOf(begun, summary(0, 'a'), summary(0, 'b'), summary(1, ''), summary(1, 'c'), raw('x')), ['[ab\n\nc]'])
  t.same(contentOf(begun, raw('x'), raw('y'), summary(0, 'a')), ['[xy]'])
  t.same(contentOf(summary(0, 'a')), ['[a]'])
})

test('what belongs to an item of another kind is left out', async (t) => {
  const searching = added(0, { type: 'web_search_call', id: 'w' })
  const inSearch = (type: string) => event(type, 0, { item_id: 'w', delta: 'x' })
  t.same(
    contentOf(
      searching,
      ...[
        ...['response.output_text.delta', 'response.function_call_arguments.delta', 'response.content_part.added'],
        'response.reasoning_text.delta',
      ].map(inSearch),
      done(0, { type: 'web_search_call', id: 'w' }),
      done(0, { type: 'message', id: 'w', content: [{ type: 'output_text', text: 'x' }] }),
    ),
    ['opaque'],
  )
  t.same(contentOf(added(0, 7 as never), done(0, 7 as never), text(1, 'a')), ['a'])
  t.same(contentOf(added(0, { ...call('1', 'f'), call_id: '' })), ['f()'], 'the item’s own id stands in for a call’s')
})

test('items of the vendor’s tools are images, or opaque, in their place; an image that was not made is none', async (t) => {
  const image = { type: 'image_generation_call', id: 'i' }
  const search = { type: 'web_search_call', id: 'w' }
  t.same(
    contentOf(added(0, search), text(1, 'a'), done(0, search), added(2, image), done(2, { ...image, result: 'x' })),
    ['opaque', 'a', 'made-image'],
  )
  t.same(contentOf(added(0, image), text(1, 'a'), done(0, image)), ['a'])
  t.same(contentOf(done(0, search)), ['opaque'], 'one that was never announced')
})

/** The sources of each text. */
function sourcesOf(...events: JsonObject[]) {
  const aggregator = new Aggregator(FALLBACK)
  const response = { id: 'r', model: 'm', created_at: 1, status: 'completed' }
  const all = decode([{ type: 'response.created', response }, ...events, { type: 'response.completed', response }])
  if (findViolation(all) !== null) return findViolation(all)
  for (const event of all) aggregator.push(event)
  return aggregator
    .response()
    .content.map((part) => (part.type === 'text' ? part.citations?.map(({ url }) => url) : null))
}

test('annotations are sources of their text, announced or in the finished item', async (t) => {
  const note = (url: string) => ({ type: 'url_citation', url, title: '', start_index: 0, end_index: 1 })
  const cite = (url: string, place = 0) =>
    event('response.output_text.annotation.added', place, { annotation: note(url), content_index: 0 })
  const whole = { type: 'message', id: 'm', content: [{ type: 'output_text', text: 'a', annotations: [note('w')] }, 7] }
  t.same(sourcesOf(text(0, 'a'), cite('b'), done(0, whole)), [['b']])
  t.same(sourcesOf(text(0, 'a'), done(0, whole)), [['w']])
  t.same(sourcesOf(text(0, 'a'), text(1, 'x'), cite('b', 1), done(0, { type: 'message', content: [] })), [
    undefined,
    ['b'],
  ])
  t.same(sourcesOf(text(0, 'a'), done(0, { type: 'message', content: [] }), cite('late')), [undefined])
  const refused = event('response.refusal.delta', 0, { content_index: 0, delta: 'No.' })
  t.same(sourcesOf(refused, cite('b'), event('response.output_text.annotation.added', 0, { annotation: 7 })), [null])
  t.same(sourcesOf(added(0, { type: 'reasoning', id: 'r' }), cite('b')), [])
})
