// A whole answer told again as events.
import { test } from 'tap'
import { Aggregator } from '../../src/model/aggregate.js'
import { type Citation } from '../../src/model/citation.js'
import { type ResponseMeta } from '../../src/model/event.js'
import { findViolation } from '../../src/model/law.js'
import { eventsOf } from '../../src/model/replay.js'
import { type ChatResponse } from '../../src/model/response.js'
import { NO_USAGE } from '../../src/model/usage.js'

const META: ResponseMeta = { id: 'r', model: 'm', createdSec: 2, usage: null }

const IMAGE = { kind: 'base64', mediaType: 'image/png', base64: 'iVBO' } as const
const SOURCE: Citation = { kind: 'citation', url: 'https://a', title: 'A', citedText: null, span: null, own: null }

const ANSWER: ChatResponse = {
  meta: META,
  content: [
    { type: 'reasoning', text: 'hm', signature: 'sig', redacted: null },
    { type: 'reasoning', text: '', signature: null, redacted: 'enc' },
    { type: 'text', text: 'Hello', citations: [SOURCE] },
    { type: 'refusal', text: 'No.' },
    { type: 'tool-call', id: 'c1', name: 'f', arguments: '{"a":1}', signature: 'thought' },
    { type: 'made-image', source: IMAGE },
    { type: 'opaque', wire: 'w', name: 'search', value: { x: 1 } },
  ],
  finishReason: 'tool-calls',
  stopSequence: 'END',
  usage: { ...NO_USAGE, outputTokens: 9 },
  refusal: { category: 'x', explanation: null },
}

test('emits one block with one delta per part, and none for a part without text', async (t) => {
  t.same(eventsOf(ANSWER), [
    { type: 'start', meta: META },
    { type: 'block-start', index: 0, block: { kind: 'reasoning', redacted: null } },
    { type: 'block-delta', index: 0, delta: 'hm' },
    { type: 'block-end', index: 0, signature: 'sig' },
    { type: 'block-start', index: 1, block: { kind: 'reasoning', redacted: 'enc' } },
    { type: 'block-end', index: 1, signature: null },
    { type: 'block-start', index: 2, block: { kind: 'text' } },
    { type: 'block-delta', index: 2, delta: 'Hello' },
    { type: 'citation', index: 2, citation: SOURCE },
    { type: 'block-end', index: 2, signature: null },
    { type: 'block-start', index: 3, block: { kind: 'refusal' } },
    { type: 'block-delta', index: 3, delta: 'No.' },
    { type: 'block-end', index: 3, signature: null },
    { type: 'block-start', index: 4, block: { kind: 'tool-call', id: 'c1', name: 'f' } },
    { type: 'block-delta', index: 4, delta: '{"a":1}' },
    { type: 'block-end', index: 4, signature: 'thought' },
    { type: 'block-start', index: 5, block: { kind: 'image', source: IMAGE } },
    { type: 'block-end', index: 5, signature: null },
    { type: 'block-start', index: 6, block: { kind: 'opaque', wire: 'w', name: 'search', value: { x: 1 } } },
    { type: 'block-end', index: 6, signature: null },
    {
      type: 'finish',
      reason: 'tool-calls',
      usage: { ...NO_USAGE, outputTokens: 9 },
      stopSequence: 'END',
      refusal: { category: 'x', explanation: null },
    },
  ])
})

test('keeps the law of events, and the aggregator makes the same answer of them again', async (t) => {
  for (const answer of [ANSWER, { ...ANSWER, content: [], usage: null, stopSequence: null }]) {
    const events = eventsOf(answer)
    t.equal(findViolation(events), null)
    const aggregator = new Aggregator({ ...META, id: 'fallback' })
    for (const event of events) aggregator.push(event)
    t.same(aggregator.response(), answer)
  }
})
