// Events as the vendor's chunks, and as its own client reads them.
import { test } from 'tap'
import { type FinishReason, type StreamEvent } from '../../../../src/model/event.js'
import { type JsonObject } from '../../../../src/model/json.js'
import { NO_PARTS, type UsageReport } from '../../../../src/model/usage.js'
import { GeminiEncoder } from '../../../../src/protocols/google-gemini/surface/stream-encoder.js'

const USAGE = {
  inputTokens: 12,
  outputTokens: 9,
  cachedInputTokens: 4,
  cacheWriteTokens: 0,
  reasoningTokens: 3,
  parts: NO_PARTS,
}
const start = (usage: UsageReport | null = null): StreamEvent => ({
  type: 'start',
  meta: { id: 'r"1', model: 'fast', createdSec: 1, usage },
})
const finish = (reason: FinishReason = 'stop', usage: UsageReport | null = USAGE): StreamEvent => ({
  type: 'finish',
  reason,
  usage,
  stopSequence: null,
})

function chunksOf(events: readonly StreamEvent[]): JsonObject[] {
  const chunks: JsonObject[] = []
  const encoder = new GeminiEncoder((payload) => chunks.push(JSON.parse(payload)))
  for (const event of events) encoder.push(event)
  return chunks
}

function partsOf(chunks: readonly JsonObject[]): unknown[] {
  return chunks.flatMap(({ candidates }) => {
    const [candidate] = candidates as { content: { parts: unknown[] } }[]
    return candidate?.content.parts ?? []
  })
}

test('each delta is a chunk, and the last one has the reason and usage', async (t) => {
  const chunks = chunksOf([
    start(),
    { type: 'block-start', index: 0, block: { kind: 'text' } },
    { type: 'block-delta', index: 0, delta: 'a"\n' },
    { type: 'block-delta', index: 0, delta: '' },
    { type: 'block-delta', index: 0, delta: '\u2028b' },
    { type: 'block-end', index: 0, signature: null },
    finish('length'),
  ])
  t.same(chunks, [
    {
      candidates: [{ content: { parts: [{ text: 'a"\n' }], role: 'model' }, index: 0 }],
      modelVersion: 'fast',
      responseId: 'r"1',
    },
    {
      candidates: [{ content: { parts: [{ text: '\u2028b' }], role: 'model' }, index: 0 }],
      modelVersion: 'fast',
      responseId: 'r"1',
    },
    {
      candidates: [{ content: { parts: [{ text: '' }], role: 'model' }, finishReason: 'MAX_TOKENS', index: 0 }],
      usageMetadata: {
        promptTokenCount: 12,
        cachedContentTokenCount: 4,
        candidatesTokenCount: 6,
        thoughtsTokenCount: 3,
        totalTokenCount: 21,
      },
      modelVersion: 'fast',
      responseId: 'r"1',
    },
  ])
})

test('a call is one chunk, whole, with its signature; arguments that are no object stay as text', async (t) => {
  const call = (delta: readonly string[], signature: string | null): StreamEvent[] => [
    start(),
    { type: 'block-start', index: 0, block: { kind: 'tool-call', id: 'c1', name: 'f' } },
    ...delta.map((text): StreamEvent => ({ type: 'block-delta', index: 0, delta: text })),
    { type: 'block-end', index: 0, signature },
  ]
  t.same(partsOf(chunksOf(call(['{"a"', ':1}'], 'google-gemini:U2ln'))), [
    { functionCall: { id: 'c1', name: 'f', args: { a: 1 } }, thoughtSignature: 'U2ln' },
  ])
  t.same(partsOf(chunksOf(call([], null))), [{ functionCall: { id: 'c1', name: 'f', args: {} } }])
  t.same(partsOf(chunksOf(call(['{"a"'], null))), [
    { functionCall: { id: 'c1', name: 'f', args: { arguments: '{"a"' } } },
  ])
})

test('thoughts are marked as such, and what seals them follows', async (t) => {
  const thought = (redacted: string | null, signature: string | null, delta: readonly string[] = ['hm']) =>
    partsOf(
      chunksOf([
        start(),
        { type: 'block-start', index: 0, block: { kind: 'reasoning', redacted } },
        ...delta.map((text): StreamEvent => ({ type: 'block-delta', index: 0, delta: text })),
        { type: 'block-end', index: 0, signature },
      ]),
    )
  const sealed = (text: string) => Buffer.from(`sluice:${text}`).toString('base64')
  t.same(thought(null, null), [{ text: 'hm', thought: true }])
  t.same(thought(null, 'EqQB'), [
    { text: 'hm', thought: true },
    { text: '', thought: true, thoughtSignature: sealed('s:EqQB') },
  ])
  t.same(thought('EmwK', null, []), [{ text: '', thought: true, thoughtSignature: sealed('r:EmwK') }])
  const text = chunksOf([
    start(),
    { type: 'block-start', index: 0, block: { kind: 'text' } },
    { type: 'block-delta', index: 0, delta: 'a' },
    { type: 'block-end', index: 0, signature: 'google-gemini:U2ln' },
  ])
  t.same(partsOf(text), [{ text: 'a' }, { text: '', thoughtSignature: 'U2ln' }])
})

test('usage of the start stands in for none at the end, and unknown usage is left out', async (t) => {
  t.match(chunksOf([start(USAGE), finish('stop', null)]).at(-1), { usageMetadata: { promptTokenCount: 12 } })
  t.notOk('usageMetadata' in (chunksOf([start(), finish('stop', null)]).at(-1) ?? {}))
  t.notOk('usageMetadata' in (chunksOf([start(), finish('stop', 'implausible')]).at(-1) ?? {}))
  t.same(chunksOf([start(), { type: 'error', error: {} as never }]), [], 'an error is no chunk of the encoder')
})
