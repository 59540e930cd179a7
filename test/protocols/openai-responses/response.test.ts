// Whole answers both ways, and what is read from one without decoding it.

import { test } from 'tap'
import { type ChatResponse } from '../../../src/model/response.js'
import { NO_PARTS } from '../../../src/model/usage.js'
import {
  callArguments,
  decodeResponse,
  encodeResponse,
  errorIn,
  partText,
  readFinish,
  readUsage,
  reasoningText,
} from '../../../src/protocols/openai-responses/response.js'
import { readEcho } from '../../../src/protocols/openai-responses/surface/echo.js'
import { thrownBy } from '../../helpers/thrown.js'
import { FALLBACK } from './streams.js'

const ANSWER: ChatResponse = {
  meta: { id: 'msg_1', model: 'm', createdSec: 7, usage: null },
  content: [
    { type: 'reasoning', text: 'hm', signature: 'EqQB', redacted: null },
    { type: 'text', text: 'Hi' },
    { type: 'tool-call', id: 'c1', name: 'f', arguments: '{"a":1}', signature: null },
  ],
  finishReason: 'tool-calls',
  stopSequence: null,
  usage: {
    inputTokens: 3,
    outputTokens: 2,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
    parts: NO_PARTS,
  },
}

test('a complete answer says when it was completed, if that is known', async (t) => {
  const { createdSec } = ANSWER.meta
  t.match(encodeResponse(ANSWER), { completed_at: null })
  t.match(encodeResponse({ ...ANSWER, elapsedMs: 2600 }), { created_at: createdSec, completed_at: createdSec + 3 })
  const cut = { ...ANSWER, finishReason: 'length', elapsedMs: 2600 } as const
  t.match(encodeResponse(cut), { status: 'incomplete', completed_at: null })
})

test('a whole answer has every member of a response, null where it is empty', async (t) => {
  const body = encodeResponse(ANSWER, undefined, readEcho({ model: 'x', input: 'hi', instructions: 'Be brief.' }))
  for (const member of [
    ...['id', 'object', 'created_at', 'completed_at', 'status', 'background', 'error', 'incomplete_details'],
    ...['instructions', 'max_output_tokens', 'max_tool_calls', 'metadata', 'model', 'output', 'parallel_tool_calls'],
    ...['previous_response_id', 'prompt_cache_key', 'reasoning', 'safety_identifier', 'service_tier', 'store'],
    ...['temperature', 'text', 'tool_choice', 'tools', 'top_logprobs', 'top_p', 'truncation', 'usage', 'user'],
  ]) {
    t.ok(member in body, member)
  }
  t.match(body, { id: 'resp_msg_1', object: 'response', status: 'completed', store: false, instructions: 'Be brief.' })
  t.notOk('output_text' in body, 'a convenience of the client library')
  t.match(body.output, [
    { type: 'reasoning', summary: [{ type: 'summary_text', text: 'hm' }], encrypted_content: 'sluice:s:EqQB' },
    { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hi', annotations: [] }] },
    { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{"a":1}', status: 'completed' },
  ])
})

test('an answer that was cut short is incomplete, and so is its last item alone', async (t) => {
  const body = encodeResponse({ ...ANSWER, content: ANSWER.content.slice(0, 2), finishReason: 'length' })
  t.match(body, { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } })
  t.match(body.output, [{ type: 'reasoning' }, { type: 'message', status: 'incomplete' }])
})

test('an answer without anything has one empty message', async (t) => {
  const body = encodeResponse({ ...ANSWER, content: [], usage: null })
  t.match(body.output, [{ type: 'message', content: [{ type: 'output_text', text: '' }] }])
  t.match(body.usage, { input_tokens: 0, output_tokens: 0, total_tokens: 0 }, 'a finished response has usage')
})

test('a whole answer is decoded item by item; items of the vendor’s own tools are opaque, or images', async (t) => {
  const body = {
    id: 'resp_1',
    model: 'm',
    created_at: 5.5,
    status: 'completed',
    output: [
      { type: 'web_search_call', id: 'w' },
      { type: 'image_generation_call', id: 'i', result: 'iVBO' },
      { type: 'image_generation_call', id: 'j', result: null },
      { type: 'reasoning', id: 'r', summary: [] },
      { type: 'reasoning', id: 'r', summary: [], encrypted_content: 'gAAAA' },
      { type: 'message', content: [{ type: 'output_text', text: '' }, { type: 'refusal', refusal: 'No.' }, 7] },
      { type: 'message' },
      { type: 'custom_tool_call', call_id: 'c', name: 'g', input: 'raw' },
      { type: 'function_call', id: 'i', name: 'f', arguments: { a: 1 } },
      { type: 'function_call', call_id: 'c' },
      7,
    ],
  }
  const decoded = decodeResponse(body, FALLBACK, { provider: 'p' })
  t.same(decoded.meta, { id: 'resp_1', model: 'm', createdSec: 5, usage: null })
  t.same(decoded.content, [
    { type: 'opaque', wire: 'openai-responses', name: 'web_search_call', value: { type: 'web_search_call', id: 'w' } },
    { type: 'made-image', source: { kind: 'base64', mediaType: 'image/png', base64: 'iVBO' } },
    { type: 'reasoning', text: '', signature: 'openai-responses:p:gAAAA', redacted: null },
    { type: 'refusal', text: 'No.' },
    { type: 'tool-call', id: 'c', name: 'g', arguments: '{"input":"raw"}', signature: null },
    { type: 'tool-call', id: 'i', name: 'f', arguments: '{"a":1}', signature: null },
  ])
  t.equal(decoded.finishReason, 'tool-calls')
  t.same(decodeResponse({ output: [] }, FALLBACK).meta, FALLBACK)
})

test('what is no answer is malformed, and an error with status 200 is an error', async (t) => {
  t.equal(thrownBy(() => decodeResponse({}, FALLBACK)).code, 'upstream_malformed')
  const limited = { error: { code: 'rate_limit_exceeded', message: 'Slow down.' } }
  t.equal(thrownBy(() => decodeResponse(limited, FALLBACK)).code, 'rate_limited')
  t.match(errorIn({ status: 'cancelled' }), { message: /cancelled/ })
  t.equal(errorIn({ error: 'words' }), 'words')
  t.equal(errorIn({ error: null, status: 'completed' }), null)
})

test('texts and arguments are read from any form', async (t) => {
  t.equal(reasoningText({ summary: [{ text: 'a' }, 7, { text: 'b' }] }), 'a\n\n\n\nb')
  t.equal(reasoningText({ summary: [], content: [{ text: 'c' }] }), 'c')
  t.equal(partText({ type: 'refusal', refusal: 'No.' }), 'No.')
  t.equal(partText({ type: 'output_text' }), '')
  t.equal(callArguments({ type: 'custom_tool_call' }), '{"input":""}')
  t.equal(callArguments({ type: 'function_call' }), '')
})

test('usage and finish reason are read from the bytes of a whole answer', async (t) => {
  const usage = { input_tokens: 1, output_tokens: 2 }
  t.match(readUsage(Buffer.from(JSON.stringify({ output: [{ usage: 7 }], usage }))), {
    inputTokens: 1,
    outputTokens: 2,
  })
  t.equal(readUsage(Buffer.from('{"usage":nonsense}')), null)
  t.equal(readUsage(Buffer.from('[]')), null)
  t.equal(readFinish(Buffer.from('{"status":"incomplete"}')), 'other')
  t.equal(readFinish(Buffer.from('{"status":"failed","output":[]}')), null)
})
