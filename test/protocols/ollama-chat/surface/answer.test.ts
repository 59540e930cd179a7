// Whole answers and their ends.

import { test } from 'tap'
import { type ChatResponse } from '../../../../src/model/response.js'
import { NO_PARTS } from '../../../../src/model/usage.js'
import {
  CHAT_FORM,
  encodeAnswer,
  encodeEnd,
  GENERATE_FORM,
} from '../../../../src/protocols/ollama-chat/surface/answer.js'

const USAGE = {
  inputTokens: 12,
  outputTokens: 9,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 3,
  parts: NO_PARTS,
}
const ANSWER: ChatResponse = {
  meta: { id: 'r1', model: 'fast', createdSec: 1_700_000_000, usage: null },
  content: [
    { type: 'reasoning', text: 'hm', signature: 'EqQB', redacted: null },
    { type: 'text', text: 'a' },
    { type: 'tool-call', id: 'c1', name: 'f', arguments: '{"a":1}', signature: null },
    { type: 'text', text: 'b' },
  ],
  finishReason: 'tool-calls',
  stopSequence: null,
  usage: USAGE,
}

test('a whole answer in both forms', async (t) => {
  const end = { done: true, done_reason: 'stop', prompt_eval_count: 12, eval_count: 9 }
  const head = { model: 'fast', created_at: '2023-11-14T22:13:20.000Z' }
  const calls = [{ id: 'c1', function: { name: 'f', arguments: { a: 1 } } }]
  t.same(encodeAnswer(ANSWER, CHAT_FORM), {
    ...head,
    message: { role: 'assistant', content: 'ab', thinking: 'hm', tool_calls: calls },
    ...end,
  })
  t.match(encodeAnswer(ANSWER, GENERATE_FORM), { ...head, response: 'ab', thinking: 'hm', ...end })
  t.match(encodeAnswer({ ...ANSWER, elapsedMs: 2.5 }, CHAT_FORM), {
    total_duration: 2_500_000,
    eval_duration: 2_500_000,
  })
})

test('durations add up, and none of them is 0 by which a client may divide', async (t) => {
  const end = encodeEnd({ reason: 'stop', usage: null, totalMs: 10, firstMs: 4 })
  t.match(end, { total_duration: 10_000_000, prompt_eval_duration: 4_000_000, eval_duration: 6_000_000 })
  t.notOk('eval_count' in end)
  t.match(encodeEnd({ reason: 'stop', usage: null, totalMs: 0 }), { total_duration: 1, eval_duration: 1 })
  t.match(encodeEnd({ reason: 'stop', usage: null, totalMs: 5, firstMs: 9 }), { eval_duration: 1 })
  t.notOk('total_duration' in encodeEnd({ reason: 'stop', usage: 'implausible' }))
})

test('each reason has a word', async (t) => {
  const wordOf = (reason: ChatResponse['finishReason']) => encodeEnd({ reason, usage: null }).done_reason
  t.same((['stop', 'stop-sequence', 'tool-calls', 'length', 'content-filter', 'other'] as const).map(wordOf), [
    'stop',
    'stop',
    'stop',
    'length',
    'content_filter',
    'other',
  ])
})

test('a time that no calendar has, such as one in nanoseconds, is still one that clients parse', async (t) => {
  for (const createdSec of [1_795_216_274_123, 1.7e18, Number.POSITIVE_INFINITY]) {
    const meta = { ...ANSWER.meta, createdSec }
    t.match(encodeAnswer({ ...ANSWER, meta }, CHAT_FORM), { created_at: '9999-12-31T23:59:59.000Z' })
  }
})
