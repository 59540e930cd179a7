// The decoder on recorded streams, on ill ones and on random ones.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'tap'
import { type StreamEvent } from '../../../../src/model/event.js'
import { findViolation } from '../../../../src/model/law.js'
import { NO_PARTS } from '../../../../src/model/usage.js'
import { googleGemini } from '../../../../src/protocols/google-gemini/index.js'
import { aggregate } from '../../../helpers/aggregate.js'
import { cases, decode, dialectOf, FALLBACK, payloads, target } from '../../../helpers/dialect.js'
import { parsesOf } from '../../../helpers/parses.js'

const dialect = dialectOf(googleGemini)
const TARGET = target('google-gemini')

function decodeTexts(...frames: string[]): StreamEvent[] {
  return decode(
    dialect,
    frames.map((frame) => Buffer.from(frame)),
    TARGET,
  )
}

test('every recorded stream keeps the law of events', (t) => {
  for (const name of cases('google-gemini/streams')) {
    t.equal(findViolation(decode(dialect, payloads(`google-gemini/streams/${name}.sse`), TARGET)), null, name)
  }
  t.end()
})

test('a signed call and an unsigned one come whole, after the thoughts, with the signature at the block end', (t) => {
  const events = decode(dialect, payloads('google-gemini/streams/thought-signature.sse'), TARGET)
  t.strictSame(events, [
    {
      type: 'start',
      meta: { id: 'stMeac_cLrCX1MkPq_S6gQk', model: 'gemini-3-pro-preview', createdSec: 1_700_000_000, usage: null },
    },
    { type: 'block-start', index: 0, block: { kind: 'reasoning', redacted: null } },
    { type: 'block-delta', index: 0, delta: '**Checking the flight**\n' },
    { type: 'block-end', index: 0, signature: null },
    { type: 'block-start', index: 1, block: { kind: 'tool-call', id: '8f2kd01z', name: 'check_flight' } },
    { type: 'block-delta', index: 1, delta: '{"flight":"AA100"}' },
    { type: 'block-end', index: 1, signature: 'google-gemini:CuQCAVSoXO6bS0mxV3nKfT5oR8mE2w==' },
    { type: 'block-start', index: 2, block: { kind: 'tool-call', id: '8f2kd02a', name: 'book_taxi' } },
    { type: 'block-delta', index: 2, delta: '{"time":"10:00"}' },
    { type: 'block-end', index: 2, signature: null },
    {
      type: 'finish',
      reason: 'tool-calls',
      usage: {
        inputTokens: 131,
        outputTokens: 103,
        cachedInputTokens: 0,
        cacheWriteTokens: 0,
        reasoningTokens: 70,
        parts: NO_PARTS,
      },
      stopSequence: null,
    },
  ])
  t.end()
})

test('a signature on an empty last part seals the open text, and alone it gets a reasoning block', (t) => {
  const sealed = decode(dialect, payloads('google-gemini/streams/signature-last.sse'), TARGET)
  t.match(sealed.at(-2), { type: 'block-end', index: 0, signature: /^google-gemini:EtoB/ })
  const alone = decode(dialect, payloads('google-gemini/streams/signature-only.sse'), TARGET)
  t.match(alone[1], { type: 'block-start', block: { kind: 'reasoning' } })
  t.match(alone[2], { type: 'block-end', index: 0, signature: /^google-gemini:EtoB/ })
  t.match(alone[3], { type: 'finish', reason: 'length' })
  t.end()
})

test('calls without an id of the vendor get one that counts up from the response id', (t) => {
  const answer = aggregate(decode(dialect, payloads('google-gemini/streams/parallel-tools.sse'), TARGET), FALLBACK)
  t.strictSame(
    answer.content.map((part) => part.type === 'tool-call' && part.id),
    ['fc_7f3a', 'fc_7f3b', 'call_o9MeaYvgJ4eN1MkP5r2x6Ac_2'],
  )
  t.end()
})

test('usage is the last count, not the sum, and cached tokens are part of the input', (t) => {
  const { usage } = aggregate(decode(dialect, payloads('google-gemini/streams/cached-usage.sse'), TARGET), FALLBACK)
  t.match(usage, { inputTokens: 2310, outputTokens: 4, cachedInputTokens: 2048 })
  t.end()
})

test('a stopped answer, a blocked prompt and a broken call each end with their reason', (t) => {
  for (const [name, reason] of [
    ['safety', 'content-filter'],
    ['prompt-blocked', 'content-filter'],
    ['malformed-call', 'other'],
    ['length', 'length'],
    ['text', 'stop'],
  ]) {
    t.match(decode(dialect, payloads(`google-gemini/streams/${name}.sse`), TARGET).at(-1), { type: 'finish', reason })
  }
  t.end()
})

test('an error in the stream ends it with the status the vendor names', (t) => {
  const events = decode(dialect, payloads('google-gemini/streams/error-midstream.sse'), TARGET)
  t.match(events.at(-1), { type: 'error', error: { code: 'upstream_overloaded', status: 503, retryable: true } })
  t.match(decodeTexts('{"error":{"status":"RESOURCE_EXHAUSTED"}}'), [{ type: 'error', error: { status: 429 } }])
  t.match(decodeTexts('{"error":{"status":"NEW"}}'), [{ type: 'error', error: { status: 500, retryable: true } }])
  t.end()
})

test('a body that ends without a finish reason is cut, even after whole sentences', (t) => {
  const events = decode(dialect, payloads('google-gemini/streams/cut.sse'), TARGET)
  t.match(events.at(-1), { type: 'error', error: { code: 'upstream_cut' } })
  t.match(decodeTexts(), [{ type: 'error', error: { code: 'upstream_cut' } }])
  t.end()
})

test('a frame that is no JSON object, such as the array of a stream without SSE, is an error; a blank one is skipped', (t) => {
  const whole = payloads('google-gemini/streams/text.sse').map(String)
  t.equal(aggregate(decodeTexts('', ' ', ...whole), FALLBACK).content.length, 1)
  for (const broken of ['{"candidates":[', 'null', '3', '<html>', '[{"candidates":[]}]']) {
    t.match(decodeTexts(broken, ...whole), [{ type: 'error', error: { code: 'upstream_malformed' } }], broken)
  }
  t.end()
})

test('arguments nested too deeply to be written back are an error, not thrown', (t) => {
  const deep = `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`
  const frame = `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":${deep}}}]}}]}`
  t.match(decodeTexts(frame), [{ type: 'error', error: { code: 'upstream_malformed' } }])
  t.end()
})

test('halves of a surrogate pair split over two deltas join again', (t) => {
  const part = (text: string) => `{"candidates":[{"content":{"parts":[{"text":"${text}"}]}}]}`
  const events = decodeTexts(part('\\ud83d'), part('\\ude00'), '{"candidates":[{"finishReason":"STOP"}]}')
  t.strictSame(aggregate(events, FALLBACK).content, [{ type: 'text', text: '😀' }])
  t.end()
})

test('only candidate 0 counts, unknown parts and members are left out', (t) => {
  const events = decodeTexts(
    '{"candidates":[{"index":1,"content":{"parts":[{"text":"no"}]},"finishReason":"SAFETY"}],"x":{}}',
    '{"candidates":[null,{"content":{"parts":[7,{"hologram":{}},{"functionCall":{}},{"text":"yes"}]}}]}',
    '{"candidates":[{"finishReason":"STOP","content":[]}],"usageMetadata":{}}',
  )
  t.strictSame(aggregate(events, FALLBACK).content, [{ type: 'text', text: 'yes' }])
  t.match(events.at(-1), { reason: 'stop', usage: null })
  t.end()
})

const text = fc.constantFrom('', 'a', 'bc')
const signature = fc.option(fc.constantFrom('c2ln', ''), { nil: undefined })
const part = fc.oneof(
  fc.record({ text, thought: fc.boolean(), thoughtSignature: signature }),
  fc.record({ functionCall: fc.record({ name: text, args: fc.dictionary(fc.string(), fc.integer()) }) }),
  fc.record({ thoughtSignature: signature }),
  fc.jsonValue(),
)
const chunk = fc.record(
  {
    candidates: fc.array(
      fc.record(
        { content: fc.record({ parts: fc.array(part) }), finishReason: fc.constantFrom('STOP', 'X'), index: fc.nat(1) },
        { requiredKeys: [] },
      ),
      { maxLength: 2 },
    ),
    promptFeedback: fc.record({ blockReason: text }),
    usageMetadata: fc.record({ promptTokenCount: fc.oneof(fc.double(), fc.string()) }),
    error: fc.oneof(fc.constant(null), fc.record({ code: fc.integer(), message: fc.string() })),
  },
  { requiredKeys: [] },
)

test('the law holds for random frames in random order', (t) => {
  const frame = fc.oneof(
    { weight: 4, arbitrary: chunk.map((value) => JSON.stringify(value)) },
    fc.json(),
    fc.string(),
    fc.constantFrom(...payloads('google-gemini/streams/thought-signature.sse').map(String)),
  )
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), (frames) => {
      assert.equal(findViolation(decodeTexts(...frames)), null)
    }),
    { numRuns: 300 },
  )
  t.end()
})

test('a chunk decodes to the same answer as a stream and as a whole', (t) => {
  const parts = fc.array(part, { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(parts, (value) => {
      const body = { candidates: [{ content: { parts: value }, finishReason: 'STOP' }], responseId: 'r' }
      const bytes = JSON.stringify(body)
      const whole = dialect.decodeResponse(JSON.parse(bytes), FALLBACK)
      assert.deepEqual(aggregate(decodeTexts(bytes), FALLBACK), whole)
    }),
    { numRuns: 300 },
  )
  t.end()
})

test('sources that come behind a call or a thought are those of a text of their own', async (t) => {
  const groundingMetadata = { groundingChunks: [{ web: { uri: 'https://a' } }] }
  for (const part of [{ functionCall: { name: 'f' } }, { text: 'hm', thought: true }]) {
    const candidate = { content: { parts: [{ text: 'x' }, part] }, finishReason: 'STOP', groundingMetadata }
    const events = decodeTexts(JSON.stringify({ candidates: [candidate] }))
    t.equal(findViolation(events), null)
    const whole = dialect.decodeResponse({ candidates: [candidate] }, FALLBACK)
    t.match(whole.content.at(-1), { type: 'text', text: '', citations: [{ url: 'https://a', span: null }] })
    t.same(aggregate(events, FALLBACK).content.at(-1), whole.content.at(-1))
  }
})

test('drafts of an image are thoughts and left out; sounds are the vendor’s own; parts of a new kind are skipped', async (t) => {
  const inlineData = { mimeType: 'image/png', data: 'iVBO' }
  const parts = [
    { inlineData, thought: true },
    { inlineData: { mimeType: 'image/png' } },
    { inlineData: { mimeType: 'audio/wav', data: 'UklGR' } },
    { novelty: {} },
    { inlineData },
  ]
  const body = { candidates: [{ content: { parts }, finishReason: 'STOP' }] }
  const events = decodeTexts(JSON.stringify(body))
  t.equal(findViolation(events), null)
  t.match(aggregate(events, FALLBACK).content, [
    { type: 'opaque', wire: 'google-gemini', name: 'audio/wav' },
    { type: 'made-image', source: { mediaType: 'image/png', base64: 'iVBO' } },
  ])
  t.same(dialect.decodeResponse(body, FALLBACK).content, aggregate(events, FALLBACK).content)
})

/** A payload as the vendor streams it, with counts. */
function counted(part: object, output: number, rest: object = {}): string {
  const counts = { candidatesTokenCount: output, totalTokenCount: 9 + output, cachedContentTokenCount: 4 }
  const promptTokensDetails = [{ modality: 'TEXT', tokenCount: 9 }]
  return JSON.stringify({
    candidates: [{ content: { parts: [part], role: 'model' }, ...rest, index: 0 }],
    usageMetadata: { promptTokenCount: 9, ...counts, promptTokensDetails },
    modelVersion: 'm',
  })
}

test('a payload that differs from the one before it only in its text and its counts is not parsed', async (t) => {
  const words = Array.from({ length: 100 }, (_, i) => `word${i} `)
  for (const [kind, rest] of [['text', {}] as const, ['reasoning', { thought: true }] as const]) {
    const frames = words.map((text, i) => counted({ text, ...rest }, i))
    let events: StreamEvent[] = []
    const parses = parsesOf(() => {
      events = decodeTexts(...frames, counted({ text: '' }, 100, { finishReason: 'STOP' }))
    })
    // The first one, a trial of its shape with its counts, and the last one.
    t.equal(parses, 4, kind)
    t.same(
      events.flatMap((event) => (event.type === 'block-delta' ? [event.delta] : [])),
      words,
    )
    t.match(events[1], { type: 'block-start', block: { kind } })
    t.match(events.at(-1), { type: 'finish', usage: { inputTokens: 9, outputTokens: 100, cachedInputTokens: 4 } })
  }
})

test('the last counts are those of the answer, whether their payload was parsed or not', async (t) => {
  const end = '{"candidates":[{"finishReason":"STOP"}]}'
  const outputs = (...frames: string[]): unknown => decodeTexts(...frames).at(-1)
  const [one, two, three] = [counted({ text: 'a' }, 1), counted({ text: 'b' }, 2), counted({ text: 'c' }, 3)]
  t.match(outputs(one, two, three, end), { usage: { outputTokens: 3 } }, 'not parsed, then one without counts')
  t.match(outputs(one, two, counted({ text: '' }, 7), end), { usage: { outputTokens: 7 } }, 'parsed')
  t.match(outputs(one, three, counted({ text: '' }, 7), two, end), { usage: { outputTokens: 2 } }, 'not parsed again')
  t.match(outputs(one, counted({ text: 'b' }, 1e12), end), { usage: 'implausible' })
})

test('a payload with a finish reason, a signature, or sources is parsed, though it is like an earlier one', async (t) => {
  const ended = (text: string, finishReason: string): string => counted({ text }, 1, { finishReason })
  const stop = ended('', 'STOP')
  t.match(decodeTexts(ended('a', 'MAX_TOKENS'), stop, ended('b', 'MAX_TOKENS')).at(-1), { reason: 'length' })
  const signed = (text: string): string => counted({ text, thoughtSignature: 'c2ln' }, 1)
  const call = counted({ functionCall: { name: 'f', args: {} } }, 1)
  t.match(decodeTexts(signed('a'), call, signed('b'), stop).at(-2), {
    type: 'block-end',
    signature: 'google-gemini:c2ln',
  })
  const cited = (text: string, uri: string): string =>
    counted({ text }, 1, { citationMetadata: { citations: [{ uri, endIndex: 1 }] } })
  const events = decodeTexts(
    cited('a', 'https://a.example'),
    cited('', 'https://b.example'),
    cited('b', 'https://a.example'),
    stop,
  )
  t.match(events.at(-3), { type: 'citation', citation: { url: 'https://a.example' } })
})
