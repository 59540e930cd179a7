// The vendor's streams become canonical events, ill streams included.

import { test } from 'tap'
import { type StreamEvent } from '../../../../src/model/event.js'
import { type JsonObject } from '../../../../src/model/json.js'
import { findViolation } from '../../../../src/model/law.js'
import { type ChatResponse } from '../../../../src/model/response.js'
import { NO_PARTS } from '../../../../src/model/usage.js'
import { decodeResponse } from '../../../../src/protocols/anthropic-messages/response.js'
import { aggregate } from '../../../helpers/aggregate.js'
import { parsesOf } from '../../../helpers/parses.js'
import { decodeAll, FALLBACK, filesOf, jsonOf, payloadsOf } from '../fixtures.js'

const frame = (type: string, members: JsonObject = {}): string => JSON.stringify({ type, ...members })
const START = frame('message_start', { message: { id: 'msg_1', model: 'm', usage: { input_tokens: 3 } } })
const STOP = frame('message_stop')
const open = (index: number, content_block: JsonObject) => frame('content_block_start', { index, content_block })
const delta = (index: number, value: JsonObject) => frame('content_block_delta', { index, delta: value })
const TEXT = { type: 'text', text: '' }
const TOOL = { type: 'tool_use', id: 't1', name: 'f', input: {} }
const typesOf = (events: readonly StreamEvent[]) => events.map((event) => event.type)

/** Puts a stream together; throws where the order of events breaks the law. */
function together(events: readonly StreamEvent[]): ChatResponse {
  const violation = findViolation(events)
  if (violation !== null) throw new Error(violation)
  return aggregate(events, FALLBACK)
}

test('a recorded stream put together is the recorded whole answer', async (t) => {
  for (const file of filesOf('responses')) {
    const name = file.replace('.json', '')
    const whole = decodeResponse(jsonOf(`responses/${file}`), FALLBACK)
    t.strictSame(together(decodeAll(payloadsOf(name))), whole, name)
  }
})

test('decodes the vendor’s basic stream event by event', async (t) => {
  const usage = {
    inputTokens: 25,
    outputTokens: 0,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
    parts: NO_PARTS,
  }
  const meta = {
    id: 'msg_1nZdL29xx5MUA1yADyHTEsnR8uuvGzszyY',
    model: 'claude-sonnet-4-5-20250929',
    createdSec: FALLBACK.createdSec,
    usage,
  }
  t.strictSame(decodeAll(payloadsOf('text')), [
    { type: 'start', meta },
    { type: 'block-start', index: 0, block: { kind: 'text' } },
    { type: 'block-delta', index: 0, delta: 'Hello' },
    { type: 'block-delta', index: 0, delta: '!' },
    { type: 'block-end', index: 0, signature: null },
    { type: 'finish', reason: 'stop', usage: { ...usage, outputTokens: 15 }, stopSequence: null },
  ])
})

test('blocks of the vendor’s own tools are opaque, and come when their input is complete', async (t) => {
  const events = decodeAll(payloadsOf('server-tools'))
  const { content, finishReason } = together(events)
  t.match(content, [
    { type: 'text', text: "I'll check." },
    { type: 'opaque', name: 'server_tool_use', value: { name: 'web_search', input: { query: 'weather NYC today' } } },
    { type: 'opaque', wire: 'anthropic-messages', name: 'web_search_tool_result' },
    {
      type: 'text',
      text: 'Cloudy.',
      citations: [{ url: 'https://example.com/', title: 'Weather', citedText: 'Cloudy' }],
    },
  ])
  t.equal(content.length, 4)
  t.equal(finishReason, 'other')
})

test('an error in the stream ends it', async (t) => {
  const events = decodeAll(payloadsOf('overloaded-midstream'))
  t.match(events.at(-1), {
    type: 'error',
    error: { code: 'upstream_overloaded', retryable: true, upstreamStatus: null, upstreamType: 'overloaded_error' },
  })
  t.equal(typesOf(events).filter((type) => type === 'error').length, 1)
})

test('a stream without its end marker was cut, even after the stop reason', async (t) => {
  const payloads = payloadsOf('text')
  t.match(decodeAll(payloads.slice(0, -1)).at(-1), { type: 'error', error: { code: 'upstream_cut' } })
  t.match(decodeAll([]), [{ type: 'error', error: { code: 'upstream_cut' } }])
})

test('nothing comes after the end', async (t) => {
  const events = decodeAll([START, STOP, open(0, TEXT), STOP, START])
  t.strictSame(typesOf(events), ['start', 'finish'])
})

test('a frame that is no JSON object is an error, and nothing follows it', async (t) => {
  for (const broken of ['{"type":', '[]', 'null', '<html>']) {
    const events = decodeAll([START, broken, STOP])
    t.strictSame(typesOf(events), ['start', 'error'])
    t.match(events.at(-1), { error: { code: 'upstream_malformed' } })
  }
})

test('skips frames it does not know', async (t) => {
  const ill = ['', '[DONE]', frame('ping'), frame('novelty'), frame('error'), frame('message_delta')]
  t.strictSame(typesOf(decodeAll([...ill.slice(0, -1), START, ...ill, STOP])), ['start', 'finish'])
})

test('keeps the law when starts and stops are missing or wrong', async (t) => {
  const events = decodeAll([
    delta(0, { type: 'text_delta', text: 'too early' }),
    open(0, TEXT),
    START,
    delta(0, { type: 'text_delta', text: 'a' }),
    delta(5, { type: 'text_delta', text: 'wrong block' }),
    delta(0, { type: 'thinking_delta', thinking: 'wrong kind' }),
    frame('content_block_stop', { index: 5 }),
    open(1, TEXT),
    delta(1, { type: 'text_delta', text: 'b' }),
    frame('content_block_delta', { index: 1 }),
    delta(1, { type: 'text_delta', text: 7 }),
    frame('content_block_stop', { index: 1 }),
    frame('content_block_stop', { index: 1 }),
    open(2, { type: 'hologram' }),
    delta(2, { type: 'text_delta', text: 'unknown block' }),
    frame('content_block_start', { content_block: TEXT }),
    frame('content_block_start', { index: 3 }),
    STOP,
  ])
  const { content, meta } = together(events)
  t.strictSame(meta, FALLBACK)
  t.strictSame(content, [
    { type: 'text', text: 'a' },
    { type: 'text', text: 'b' },
    { type: 'opaque', wire: 'anthropic-messages', name: 'hologram', value: { type: 'hologram' } },
  ])
})

test('takes what compatible servers put into the block’s opening', async (t) => {
  const events = decodeAll([
    START,
    open(0, { type: 'thinking', thinking: 'hm', signature: 'sig' }),
    open(1, { type: 'text', text: 'Hi' }),
    open(2, { ...TOOL, input: { a: 1 } }),
    STOP,
  ])
  t.match(together(events).content, [
    { type: 'reasoning', text: 'hm', signature: 'sig' },
    { type: 'text', text: 'Hi' },
    { type: 'tool-call', id: 't1', name: 'f', arguments: '{"a":1}' },
  ])
})

test('a tool without arguments has an empty object', async (t) => {
  const events = decodeAll([START, open(0, TOOL), delta(0, { type: 'input_json_delta', partial_json: '' }), STOP])
  t.match(together(events).content, [{ arguments: '{}' }])
})

test('reports no usage if the provider sent no output count', async (t) => {
  t.match(decodeAll([START, STOP]), [{ meta: { usage: { inputTokens: 3 } } }, { usage: null, reason: 'other' }])
  t.match(decodeAll([frame('message_start'), STOP]), [{ meta: FALLBACK }, { usage: null }])
})

test('surrogates split over two deltas stay as the provider wrote them', async (t) => {
  const half = (escaped: string) =>
    `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"${escaped}"}}`
  const events = decodeAll([START, open(0, TEXT), half('\\ud83d'), half('\\ude00'), STOP])
  t.match(together(events).content, [{ text: '😀' }])
})

const JSON_TOOL = { type: 'tool_use', id: 't0', name: 'sluice_json_answer', input: {} }
const input = (index: number, partial_json: string) => delta(index, { type: 'input_json_delta', partial_json })
const close = (index: number) => frame('content_block_stop', { index })
const ended = (stop_reason: string) => frame('message_delta', { delta: { stop_reason }, usage: { output_tokens: 9 } })

test('JSON asked for by a tool is text, piece by piece, and ends as an answer does', async (t) => {
  const events = decodeAll([
    ...[START, open(0, JSON_TOOL), input(0, ''), input(0, '{"a":'), input(0, '1}'), close(0), ended('tool_use'), STOP],
  ])
  t.strictSame(events.slice(1, -1), [
    { type: 'block-start', index: 0, block: { kind: 'text' } },
    { type: 'block-delta', index: 0, delta: '{"a":' },
    { type: 'block-delta', index: 0, delta: '1}' },
    { type: 'block-end', index: 0, signature: null },
  ])
  t.match(events.at(-1), { type: 'finish', reason: 'stop' })
})

test('such JSON ends by length, by refusal, beside calls, and is given once', async (t) => {
  const answer = [START, open(0, JSON_TOOL), input(0, '{"a":1}'), close(0)]
  const cut = together(decodeAll([START, open(0, JSON_TOOL), input(0, '{"a'), close(0), ended('max_tokens'), STOP]))
  t.match(cut, { content: [{ type: 'text', text: '{"a' }], finishReason: 'length' })
  const refused = [
    START,
    open(0, TEXT),
    delta(0, { type: 'text_delta', text: 'No.' }),
    close(0),
    ended('refusal'),
    STOP,
  ]
  t.match(together(decodeAll(refused)), { content: [{ text: 'No.' }], finishReason: 'content-filter' })
  const calls = together(decodeAll([...answer, open(1, TOOL), input(1, '{}'), close(1), ended('tool_use'), STOP]))
  t.match(calls, { content: [{ type: 'text' }, { type: 'tool-call', name: 'f' }], finishReason: 'tool-calls' })
  const twice = [...answer, open(1, JSON_TOOL), input(1, '{"b":2}'), close(1), ended('tool_use'), STOP]
  t.strictSame(together(decodeAll(twice)).content, [{ type: 'text', text: '{"a":1}' }])
  const late = [START, open(0, { ...JSON_TOOL, input: { a: 1 } }), close(0), ended('tool_use'), STOP]
  t.strictSame(together(decodeAll(late)).content, [{ type: 'text', text: '{"a":1}' }])
})

test('deltas that differ in their text alone are not parsed, of any block', (t) => {
  const words = ['one', 'two "q"', 'three \n', 'vier ü', '\ud83d\ude00']
  const kinds = [
    [TEXT, (text: string) => ({ type: 'text_delta', text })],
    [{ type: 'thinking', thinking: '' }, (thinking: string) => ({ type: 'thinking_delta', thinking })],
    [TOOL, (partial_json: string) => ({ type: 'input_json_delta', partial_json })],
    [JSON_TOOL, (partial_json: string) => ({ type: 'input_json_delta', partial_json })],
  ] as const
  const frames = kinds.flatMap(([block, deltaOf], i) => [
    open(i, block),
    ...words.map((word) => delta(i, deltaOf(word))),
    close(i),
  ])
  let events: StreamEvent[] = []
  const parses = parsesOf(() => {
    events = decodeAll([START, ...frames, STOP])
  })
  const deltas = events.flatMap((event) => (event.type === 'block-delta' ? [event.delta] : []))
  t.same(deltas, [...words, ...words, ...words, ...words])
  // Of each block: its begin and end, the first delta and its trial, and the two texts with escapes.
  t.equal(parses, 1 + kinds.length * 6 + 1)
  t.end()
})

test('a delta like one of another block, or of one that has ended, is decoded as it is', (t) => {
  const text = (index: number, word: string) => delta(index, { type: 'text_delta', text: word })
  const events = decodeAll([
    ...[START, open(0, TEXT), text(0, 'a'), text(0, 'b'), text(1, 'of none'), close(0), text(0, 'late')],
    ...[open(0, TOOL), text(0, 'not its kind'), input(0, '{}'), close(0), ended('tool_use'), STOP],
  ])
  const deltas = events.flatMap((event) => (event.type === 'block-delta' ? [event.delta] : []))
  t.same(deltas, ['a', 'b', '{}'])
  t.end()
})

test('a text that is also the value of another member is found in its place', (t) => {
  const text = (word: string, other: string) =>
    frame('content_block_delta', { other, index: 0, delta: { type: 'text_delta', text: word } })
  const events = decodeAll([START, open(0, TEXT), text('same', 'same'), text('same', 'other'), text('other', 'same')])
  const deltas = events.flatMap((event) => (event.type === 'block-delta' ? [event.delta] : []))
  t.same(deltas, ['same', 'same', 'other'])
  t.end()
})
