// The decoder on recorded streams, on ill ones and on random ones.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'tap'
import { type StreamEvent } from '../../../../src/model/event.js'
import { findViolation } from '../../../../src/model/law.js'
import { NO_PARTS } from '../../../../src/model/usage.js'
import { ollamaChat } from '../../../../src/protocols/ollama-chat/index.js'
import { aggregate } from '../../../helpers/aggregate.js'
import { cases, decode, dialectOf, FALLBACK, payloads, target } from '../../../helpers/dialect.js'
import { parsesOf } from '../../../helpers/parses.js'

const dialect = dialectOf(ollamaChat)
const TARGET = target('ollama-chat')

function decodeTexts(...lines: string[]): StreamEvent[] {
  return decode(
    dialect,
    lines.map((line) => Buffer.from(line)),
    TARGET,
  )
}

test('every recorded stream keeps the law of events', (t) => {
  for (const name of cases('ollama-chat/streams')) {
    t.equal(findViolation(decode(dialect, payloads(`ollama-chat/streams/${name}.ndjson`), TARGET)), null, name)
  }
  t.end()
})

test('thinking and content become blocks of their own, with the model and time of the server', (t) => {
  t.strictSame(decode(dialect, payloads('ollama-chat/streams/reasoning.ndjson'), TARGET), [
    { type: 'start', meta: { id: 'req_1', model: 'qwen3', createdSec: 1_772_482_943, usage: null } },
    { type: 'block-start', index: 0, block: { kind: 'reasoning', redacted: null } },
    { type: 'block-delta', index: 0, delta: 'Count' },
    { type: 'block-delta', index: 0, delta: ' the letters.' },
    { type: 'block-end', index: 0, signature: null },
    { type: 'block-start', index: 1, block: { kind: 'text' } },
    { type: 'block-delta', index: 1, delta: 'Three' },
    { type: 'block-delta', index: 1, delta: '.' },
    { type: 'block-end', index: 1, signature: null },
    {
      type: 'finish',
      reason: 'stop',
      usage: {
        inputTokens: 18,
        outputTokens: 40,
        cachedInputTokens: 0,
        cacheWriteTokens: 0,
        reasoningTokens: 0,
        parts: NO_PARTS,
      },
      stopSequence: null,
    },
  ])
  t.end()
})

test('calls come whole, each in a block of its own, with an id of ours where the server gives none', (t) => {
  const answer = aggregate(decode(dialect, payloads('ollama-chat/streams/parallel-tools.ndjson'), TARGET), FALLBACK)
  t.strictSame(answer.content, [
    { type: 'text', text: 'Looking.' },
    {
      type: 'tool-call',
      id: 'call_k3j9x1zt',
      name: 'get_weather',
      arguments: '{"city":"Paris","unit":"c"}',
      signature: null,
    },
    { type: 'tool-call', id: 'call_b0q7m2aa', name: 'get_weather', arguments: '{"city":"London"}', signature: null },
    { type: 'tool-call', id: 'call_req_1_2', name: 'now', arguments: '{}', signature: null },
  ])
  t.equal(answer.finishReason, 'tool-calls')
  t.end()
})

test('each done reason has its finish reason, usage may be missing', (t) => {
  const last = (name: string) => decode(dialect, payloads(`ollama-chat/streams/${name}.ndjson`), TARGET).at(-1)
  t.match(last('text'), { type: 'finish', reason: 'stop', usage: { inputTokens: 26, outputTokens: 282 } })
  t.match(last('length'), { type: 'finish', reason: 'length' })
  t.match(last('no-done-reason'), { type: 'finish', reason: 'stop', usage: { inputTokens: 0, outputTokens: 282 } })
  t.match(last('load-only'), { type: 'finish', reason: 'other', usage: null })
  t.end()
})

test('finish comes with the line that is done, not with the end of the body', (t) => {
  const events: StreamEvent[] = []
  const options = { fallback: FALLBACK, target: TARGET }
  const decoder = dialect.createDecoder((event) => events.push(event), options)
  for (const line of payloads('ollama-chat/streams/text.ndjson')) decoder.push(line)
  t.match(events.at(-1), { type: 'finish' })
  t.end()
})

test('an error line ends the stream, a body that ends early is cut', (t) => {
  const broken = decode(dialect, payloads('ollama-chat/streams/error-midstream.ndjson'), TARGET)
  t.match(broken.at(-1), {
    type: 'error',
    error: { code: 'upstream_rejected', message: 'an error was encountered while running the model', retryable: true },
  })
  const cut = decode(dialect, payloads('ollama-chat/streams/cut.ndjson'), TARGET)
  t.match(cut.at(-1), { type: 'error', error: { code: 'upstream_cut' } })
  t.match(decodeTexts(), [{ type: 'error', error: { code: 'upstream_cut' } }])
  t.end()
})

test('a line that is no JSON object, or whose arguments cannot be written back, is an error', (t) => {
  const deep = `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`
  const call = `{"message":{"tool_calls":[{"function":{"name":"f","arguments":${deep}}}]}}`
  for (const broken of ['{"message":', '[]', call]) {
    const events = decodeTexts(broken, '{"done":true}')
    t.match(events, [{ type: 'error', error: { code: 'upstream_malformed' } }], broken.slice(0, 50))
  }
  t.end()
})

test('blank lines and calls without a name are skipped', (t) => {
  const events = decodeTexts(
    '',
    '{"created_at":"soon","message":{"content":"a","tool_calls":[null,{"function":{}},{"function":7}]}}',
    '{"done":"true","message":7,"error":null}',
    '{"done":true,"eval_count":0}',
  )
  t.strictSame(aggregate(events, FALLBACK), {
    meta: FALLBACK,
    content: [{ type: 'text', text: 'a' }],
    finishReason: 'stop',
    stopSequence: null,
    usage: {
      inputTokens: 0,
      outputTokens: 0,
      cachedInputTokens: 0,
      cacheWriteTokens: 0,
      reasoningTokens: 0,
      parts: NO_PARTS,
    },
  })
  t.end()
})

test('halves of a surrogate pair split over two lines join again', (t) => {
  const part = (text: string) => `{"message":{"content":"${text}"}}`
  const events = decodeTexts(part('\\ud83d'), part('\\ude00'), '{"done":true}')
  t.strictSame(aggregate(events, FALLBACK).content, [{ type: 'text', text: '😀' }])
  t.end()
})

const text = fc.constantFrom('', 'a', 'bc')
const called = fc.record({ name: text, arguments: fc.dictionary(fc.string(), fc.integer()) })
const message = fc.record(
  {
    thinking: text,
    content: text,
    tool_calls: fc.array(fc.oneof(fc.record({ id: text, function: called }), fc.jsonValue())),
  },
  { requiredKeys: [] },
)

test('the law holds for random lines in random order', (t) => {
  const line = fc.record(
    { message, done: fc.boolean(), done_reason: text, error: fc.oneof(fc.constant(null), fc.string()) },
    { requiredKeys: ['message'] },
  )
  const bytes = fc.oneof({ weight: 4, arbitrary: line.map((value) => JSON.stringify(value)) }, fc.json(), fc.string())
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 8 }), (lines) => {
      assert.equal(findViolation(decodeTexts(...lines)), null)
    }),
    { numRuns: 300 },
  )
  t.end()
})

test('a line decodes to the same answer as a stream and as a whole', (t) => {
  fc.assert(
    fc.property(message, (value) => {
      const bytes = JSON.stringify({ message: value, done: true })
      assert.deepEqual(aggregate(decodeTexts(bytes), FALLBACK), dialect.decodeResponse(JSON.parse(bytes), FALLBACK))
    }),
    { numRuns: 300 },
  )
  t.end()
})

test('a line that says nothing before the answer begins is a keepalive, of whatever gateway', (t) => {
  const line = (members: object) =>
    JSON.stringify({ message: { role: 'assistant', content: '' }, done: false, ...members })
  const events = decodeTexts(line({ model: '' }), line({ model: 'm' }), line({ model: '' }), line({ done: true }))
  t.match(events, [{ type: 'start', meta: { model: 'm' } }, { type: 'finish' }])
  t.end()
})

test('lines that differ in their text and time alone are not parsed', (t) => {
  const words = ['one', 'two', 'three "q"', 'vier ü', 'five']
  for (const [member, kind] of [
    ['content', 'text'],
    ['thinking', 'reasoning'],
  ] as const) {
    const lines = words.map((word, i) => {
      const message = { role: 'assistant', ...(member === 'content' ? {} : { content: '' }), [member]: word }
      return JSON.stringify({ model: 'm', created_at: `2026-03-02T20:22:2${i}.123456789Z`, message, done: false })
    })
    let events: StreamEvent[] = []
    const parses = parsesOf(() => {
      events = decodeTexts(...lines, JSON.stringify({ done: true, eval_count: 5, prompt_eval_count: 3 }))
    })
    // The first one and its trial, the one with an escape, and the last one.
    t.equal(parses, 4, kind)
    t.match(events[0], { meta: { createdSec: 1_772_482_940 } })
    t.match(events[1], { block: { kind } })
    t.same(
      events.flatMap((event) => (event.type === 'block-delta' ? [event.delta] : [])),
      words,
    )
    t.match(events.at(-1), { type: 'finish', usage: { outputTokens: 5 } })
  }
  t.end()
})

test('a line that is done, or brings a call, is parsed, though it is like an earlier one', (t) => {
  const line = (content: string, done: boolean, calls: object = {}) =>
    JSON.stringify({ model: 'm', message: { role: 'assistant', content, ...calls }, done })
  const calls = { tool_calls: [{ function: { name: 'f', arguments: {} } }] }
  const called = [line('c', false, calls), line('d', false, calls)]
  const events = decodeTexts(line('a', false), line('b', false), ...called, line('e', true))
  t.same(
    events.flatMap((event) => (event.type === 'block-delta' ? [event.delta] : [])),
    ['a', 'b', 'c', '{}', 'd', '{}', 'e'],
  )
  t.match(events.at(-1), { type: 'finish', reason: 'tool-calls' })
  t.end()
})

test('a text that is also the value of another member is found in its place', (t) => {
  const line = (model: string, content: string) => JSON.stringify({ model, message: { content }, done: false })
  const events = decodeTexts(line('same', 'same'), line('other', 'same'), line('same', 'other'))
  t.same(
    events.flatMap((event) => (event.type === 'block-delta' ? [event.delta] : [])),
    ['same', 'same', 'other'],
  )
  t.end()
})
