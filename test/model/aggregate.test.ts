// Events folded into a whole answer.
import { test } from 'tap'
import { errorData } from '../../src/errors.js'
import { Aggregator } from '../../src/model/aggregate.js'
import { type ResponseMeta, type StreamEvent } from '../../src/model/event.js'
import { NO_USAGE } from '../../src/model/usage.js'

const FALLBACK: ResponseMeta = { id: 'f', model: 'fm', createdSec: 1, usage: null }
const META: ResponseMeta = { id: 'r', model: 'm', createdSec: 2, usage: { ...NO_USAGE, inputTokens: 3 } }

function aggregate(...events: StreamEvent[]): Aggregator {
  const aggregator = new Aggregator(FALLBACK)
  for (const event of events) aggregator.push(event)
  return aggregator
}

test('puts every kind of block into its part, in order', async (t) => {
  const aggregator = aggregate(
    { type: 'start', meta: META },
    { type: 'block-start', index: 0, block: { kind: 'reasoning', redacted: null } },
    { type: 'block-delta', index: 0, delta: 'hm' },
    { type: 'block-end', index: 0, signature: 'sig' },
    { type: 'block-start', index: 1, block: { kind: 'reasoning', redacted: 'enc' } },
    { type: 'block-end', index: 1, signature: null },
    { type: 'block-start', index: 2, block: { kind: 'text' } },
    { type: 'block-delta', index: 2, delta: 'Hel' },
    { type: 'block-delta', index: 2, delta: 'lo' },
    { type: 'block-end', index: 2, signature: null },
    { type: 'block-start', index: 3, block: { kind: 'tool-call', id: 'c1', name: 'f' } },
    { type: 'block-delta', index: 3, delta: '{"a":' },
    { type: 'block-delta', index: 3, delta: '1}' },
    { type: 'block-end', index: 3, signature: 'thought' },
    { type: 'finish', reason: 'tool-calls', usage: { ...NO_USAGE, outputTokens: 9 }, stopSequence: 'END' },
  )
  t.same(aggregator.response(), {
    meta: META,
    content: [
      { type: 'reasoning', text: 'hm', signature: 'sig', redacted: null },
      { type: 'reasoning', text: '', signature: null, redacted: 'enc' },
      { type: 'text', text: 'Hello' },
      { type: 'tool-call', id: 'c1', name: 'f', arguments: '{"a":1}', signature: 'thought' },
    ],
    finishReason: 'tool-calls',
    stopSequence: 'END',
    usage: { ...NO_USAGE, outputTokens: 9 },
  })
  t.equal(aggregator.error, null)
})

test('gives the part that came of a stream that broke off, and its error', async (t) => {
  const aggregator = aggregate(
    { type: 'start', meta: META },
    { type: 'block-start', index: 0, block: { kind: 'text' } },
    { type: 'block-delta', index: 0, delta: 'Hel' },
    { type: 'error', error: errorData('upstream_cut') },
  )
  t.equal(aggregator.error?.code, 'upstream_cut')
  const partial = aggregator.response()
  t.same(partial.content, [{ type: 'text', text: 'Hel' }])
  t.equal(partial.finishReason, 'other')
  t.same(partial.usage, META.usage, 'the usage told at the start is better than none')
  t.same(aggregator.response(), partial, 'asking twice changes nothing')
})

test('uses the fallback for a stream without a start', async (t) => {
  t.same(aggregate().response(), {
    meta: FALLBACK,
    content: [],
    finishReason: 'other',
    stopSequence: null,
    usage: null,
  })
})

test('keeps the usage of the start when the finish has none', async (t) => {
  const finish: StreamEvent = { type: 'finish', reason: 'stop', usage: null, stopSequence: null }
  t.same(aggregate({ type: 'start', meta: META }, finish).response().usage, META.usage)
})

test('keeps the sources of each text, and of a text that is still open', async (t) => {
  const cite = (index: number, url: string): StreamEvent => ({
    type: 'citation',
    index,
    citation: { kind: 'citation', url, title: null, citedText: null, span: null, own: null },
  })
  const aggregator = aggregate(
    { type: 'start', meta: META },
    { type: 'block-start', index: 0, block: { kind: 'text' } },
    { type: 'block-delta', index: 0, delta: 'a' },
    cite(0, 'https://a'),
    { type: 'block-end', index: 0, signature: null },
    { type: 'block-start', index: 1, block: { kind: 'text' } },
    { type: 'block-delta', index: 1, delta: 'b' },
    { type: 'block-end', index: 1, signature: null },
    { type: 'block-start', index: 2, block: { kind: 'text' } },
    cite(2, 'https://c'),
  )
  t.match(aggregator.response().content, [
    { text: 'a', citations: [{ url: 'https://a' }] },
    { text: 'b', citations: undefined },
    { text: '', citations: [{ url: 'https://c' }] },
  ])
})
