// The dialect's decoder on every recorded stream, on the habits of vendors, and on ill streams.
import fc from 'fast-check'
import { test } from 'tap'
import { type StreamEvent } from '../../../../src/model/event.js'
import { type JsonObject } from '../../../../src/model/json.js'
import { findViolation } from '../../../../src/model/law.js'
import { decodeResponse } from '../../../../src/protocols/openai-chat/response.js'
import { aggregate } from '../../../helpers/aggregate.js'
import { parsesOf } from '../../../helpers/parses.js'
import {
  cases,
  chunkOf,
  DONE,
  decodeStream,
  FALLBACK,
  outline,
  readJson,
  readStream,
  targetWith,
} from '../recordings.js'

test('a recorded stream decodes to what the whole answer decodes to', (t) => {
  for (const name of cases('responses')) {
    const events = decodeStream(readStream(name))
    t.equal(findViolation(events), null, name)
    t.strictSame(aggregate(events, FALLBACK), decodeResponse(readJson(`responses/${name}.json`), FALLBACK), name)
  }
  t.end()
})

test('every prefix of a recorded stream keeps the order law and ends as cut', (t) => {
  for (const name of cases('streams')) {
    const frames = readStream(name)
    for (let length = 0; length < frames.length - 1; length++) {
      const events = decodeStream(frames.slice(0, length))
      t.equal(findViolation(events), null, `${name} ${length}`)
      const last = events.at(-1)
      t.equal(last?.type === 'error' ? last.error.code : '', 'upstream_cut', `${name} ${length}`)
    }
  }
  t.end()
})

test('text streams delta by delta, byte for byte', (t) => {
  const deltas = decodeStream(readStream('text')).flatMap((event) =>
    event.type === 'block-delta' ? [event.delta] : [],
  )
  t.strictSame(deltas, ['Hello', '!', ' How', ' can I help?'])
  t.end()
})

test('a quota error in mid stream is an error event that is not to be retried', (t) => {
  const events = decodeStream(readStream('quota-error-midstream'))
  t.equal(findViolation(events), null)
  const last = events.at(-1)
  t.match(last, {
    type: 'error',
    error: { code: 'rate_limited', retryable: false, upstreamCode: 'insufficient_quota' },
  })
  t.equal(events.filter((event) => event.type === 'finish').length, 0)
  t.end()
})

test('nothing follows an error, not even the end marker some vendors send after it', (t) => {
  const last = decodeStream(readStream('openrouter-error-midstream')).at(-1)
  t.match(last, {
    type: 'error',
    error: { code: 'upstream_rejected', status: 502, retryable: true, upstreamStatus: 502 },
  })
  const old = decodeStream([
    Buffer.from('{"object":"error","message":"bad","type":"BadRequestError","code":400}'),
    DONE,
  ])
  t.match(old, [{ type: 'error', error: { status: 400, retryable: false, upstreamType: 'BadRequestError' } }])
  t.end()
})

test('a stream without an end marker is cut, even after a finish reason', (t) => {
  const frames = [chunkOf({ content: 'a' }), chunkOf({}, 'stop')]
  t.match(decodeStream(frames).at(-1), { type: 'error', error: { code: 'upstream_cut' } })
  const lax = targetWith({ doneMarker: false })
  t.match(decodeStream(frames, lax).at(-1), { type: 'finish', reason: 'stop' })
  t.match(decodeStream(frames.slice(0, 1), lax).at(-1), { type: 'error', error: { code: 'upstream_cut' } })
  t.end()
})

test('an end marker without any answer is no answer', (t) => {
  t.match(decodeStream([DONE]), [{ type: 'error', error: { code: 'upstream_malformed' } }])
  t.end()
})

test('a frame that is no JSON object is an error, and nothing follows it', (t) => {
  for (const text of ['{', '[1]', '"x"', 'null']) {
    const events = decodeStream([chunkOf({ content: 'a' }), Buffer.from(text), chunkOf({ content: 'b' }), DONE])
    t.strictSame(
      events.map((event) => (event.type === 'block-delta' ? event.delta : event.type)),
      ['start', 'block-start', 'a', 'error'],
    )
    t.match(events.at(-1), { type: 'error', error: { code: 'upstream_malformed' } })
  }
  t.end()
})

test('blank frames are skipped, and what follows the end is ignored', (t) => {
  const frames = ['', ' '].map((text) => Buffer.from(text))
  const events = decodeStream([...frames, chunkOf({ content: 'a' }), DONE, DONE, chunkOf({ content: 'b' })])
  t.equal(findViolation(events), null)
  t.strictSame(outline(events), ['text:a'])
  t.match(events.at(-1), { type: 'finish', reason: 'other' })
  t.end()
})

test('what the upstream does not name comes from the fallback', (t) => {
  const frame = Buffer.from('{"id":"","created":0,"model":"","choices":[{"delta":{"content":"a"}}]}')
  t.strictSame(decodeStream([frame, DONE])[0], { type: 'start', meta: FALLBACK })
  t.end()
})

test('of several choices only the first is decoded', (t) => {
  const frame = Buffer.from('{"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"}}]}')
  const other = Buffer.from('{"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":"length"}]}')
  t.strictSame(outline(decodeStream([other, frame, other, DONE])), ['text:a'])
  t.end()
})

test('a lone half of a surrogate pair in each of two deltas joins again', (t) => {
  const half = (text: string) => Buffer.from(`{"choices":[{"index":0,"delta":{"content":"${text}"}}]}`)
  t.strictSame(outline(decodeStream([half('\\ud83d'), half('\\ude00'), DONE])), ['text:😀'])
  t.end()
})

test('reasoning is read under either name, once where both are sent', (t) => {
  const frames = [
    chunkOf({ reasoning: 'a', reasoning_content: 'a' }),
    chunkOf({ reasoning: 'b' }),
    chunkOf({ content: 'c' }),
  ]
  t.strictSame(outline(decodeStream([...frames, DONE])), ['reasoning:ab', 'text:c'])
  const plain = chunkOf({
    content: [{ type: 'thinking', thinking: 'x' }, 'odd', { type: 'text', text: 'y' }, { type: 'z' }],
  })
  t.strictSame(outline(decodeStream([plain, DONE])), ['reasoning:x', 'text:y'])
  t.end()
})

test('whole calls without index, without id, with object arguments', (t) => {
  const calls = [
    { function: { name: 'f', arguments: { a: 1 } } },
    { function: { name: 'g', arguments: '{}' } },
    { id: 'i', function: { name: 'h', arguments: '{}' } },
    'odd',
  ]
  const events = decodeStream([chunkOf({ tool_calls: calls }), chunkOf({}, 'stop'), DONE])
  t.equal(findViolation(events), null)
  t.strictSame(outline(events), ['call_c1_0:f({"a":1})', 'call_c1_1:g({})', 'i:h({})'])
  t.match(events.at(-1), { type: 'finish', reason: 'tool-calls' })
  t.end()
})

test('a call whose id and name come with every fragment is one call', (t) => {
  const piece = (text: string) =>
    chunkOf({ tool_calls: [{ index: 0, id: 'i', function: { name: 'f', arguments: text } }] })
  t.strictSame(outline(decodeStream([piece('{"a"'), piece(':1}'), DONE])), ['i:f({"a":1})'])
  t.end()
})

test('the last word on usage counts, wherever the vendor puts it', (t) => {
  const usage = (n: number) => ({ prompt_tokens: n, completion_tokens: n })
  const running = [chunkOf({ content: 'a' }, null, { usage: usage(1) }), chunkOf({}, 'stop', { usage: usage(2) }), DONE]
  t.match(decodeStream(running).at(-1), { usage: { inputTokens: 2, outputTokens: 2 } })
  const early = [chunkOf({ content: 'a' }, null, { usage: usage(3) }), chunkOf({}, 'stop', { usage: null }), DONE]
  t.match(decodeStream(early).at(-1), { usage: { inputTokens: 3 } })
  const onChoice = Buffer.from('{"choices":[{"index":0,"delta":{"content":"a"},"usage":{"prompt_tokens":7}}]}')
  t.match(decodeStream([onChoice, DONE]).at(-1), { usage: { inputTokens: 7 } })
  t.end()
})

test('whatever a vendor sends, the order law holds and no text is lost', (t) => {
  const text = fc.string({ maxLength: 4 })
  const maybe = <T>(value: fc.Arbitrary<T>) => fc.oneof(value, fc.constant(null), fc.constant(undefined))
  const call = fc.record({
    index: maybe(fc.nat({ max: 2 })),
    id: maybe(fc.constantFrom('', 'a', 'b')),
    function: maybe(fc.record({ name: maybe(fc.constantFrom('', 'f', 'g')), arguments: maybe(text) })),
  })
  const delta = fc.record({
    content: maybe(text),
    reasoning: maybe(text),
    tool_calls: maybe(fc.array(call, { maxLength: 3 })),
  })
  fc.assert(
    fc.property(fc.array(fc.oneof(delta, fc.json(), fc.constant('[DONE')), { maxLength: 12 }), (sent) => {
      const frames = sent.map((item) => (typeof item === 'string' ? Buffer.from(item) : chunkOf(item as JsonObject)))
      const events = decodeStream([chunkOf({ role: 'assistant' }), ...frames, DONE])
      const texts = sent.map((item) => (typeof item === 'string' ? '' : (item.content ?? ''))).join('')
      const last = events.at(-1)
      if (last?.type === 'error') return findViolation(events) === null
      const found = outline(events).map((line) => (line.startsWith('text:') ? line.slice('text:'.length) : ''))
      return findViolation(events) === null && found.join('') === texts
    }),
  )
  t.end()
})

test('a chunk that differs from the one before it only in its text, its fragment or its padding is not parsed', async (t) => {
  const words = Array.from({ length: 100 }, (_, i) => `word${i} `)
  const padding = (i: number): JsonObject => ({ obfuscation: 'x'.repeat(i % 7) })
  const kinds: [string, (word: string) => JsonObject][] = [
    ['text', (content) => ({ content })],
    ['reasoning', (reasoning_content) => ({ reasoning_content })],
    ['tool-call', (text) => ({ tool_calls: [{ index: 0, function: { arguments: text } }] })],
  ]
  for (const [kind, delta] of kinds) {
    const opening = kind === 'tool-call' ? { tool_calls: [{ index: 0, id: 'c', function: { name: 'f' } }] } : {}
    const frames = [chunkOf(opening), ...words.map((word, i) => chunkOf(delta(word), null, padding(i))), DONE]
    let events: StreamEvent[] = []
    // The opening, the first one and a trial of its shape.
    t.equal(
      parsesOf(() => {
        events = decodeStream(frames)
      }),
      3,
      kind,
    )
    const deltas = events.flatMap((event) => (event.type === 'block-delta' ? [event.delta] : []))
    t.same(deltas, words, kind)
    t.match(events[1], { type: 'block-start', block: { kind } })
  }
})

test('a chunk with usage, with an end or with an error is parsed, though it is like an earlier one', async (t) => {
  const usage = (total: number): JsonObject => ({ usage: { prompt_tokens: 1, completion_tokens: total } })
  const counted = (content: string, total: number): Buffer => chunkOf({ content }, null, usage(total))
  t.match(decodeStream([counted('a', 1), counted('', 2), counted('b', 1), DONE]).at(-1), { usage: { outputTokens: 1 } })
  const ended = (content: string, reason: string): Buffer => chunkOf({ content }, reason)
  t.match(decodeStream([ended('a', 'length'), ended('', 'stop'), ended('b', 'length'), DONE]).at(-1), {
    reason: 'length',
  })
  const failed = chunkOf({ content: 'a' }, null, { error: { message: 'no' } })
  t.match(decodeStream([chunkOf({ content: 'a' }), failed]).at(-1), { type: 'error' })
})
