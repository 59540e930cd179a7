// Whole answers, both ways.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { decodeResponse, encodeCompletionId, encodeResponse } from '../../../src/protocols/openai-chat/response.js'
import { thrownBy } from '../../helpers/thrown.js'
import { cases, FALLBACK, readJson } from './recordings.js'

const answer = (message: JsonObject, rest: JsonObject = {}): JsonObject => ({
  choices: [{ index: 0, message }],
  ...rest,
})

test('every recorded answer survives being encoded and decoded', (t) => {
  for (const name of cases('responses')) {
    const response = decodeResponse(readJson(`responses/${name}.json`), FALLBACK)
    const meta = { ...response.meta, id: encodeCompletionId(response.meta.id) }
    t.strictSame(decodeResponse(encodeResponse(response), FALLBACK), { ...response, meta }, name)
  }
  t.end()
})

test("an id has the vendor's prefix, once", (t) => {
  t.equal(encodeCompletionId('chatcmpl-1'), 'chatcmpl-1')
  t.equal(encodeCompletionId('msg_1'), 'chatcmpl-msg_1')
  t.end()
})

test('an answer is printed as the vendor prints it', (t) => {
  const body = encodeResponse(decodeResponse(readJson('responses/tool-call.json'), FALLBACK))
  t.match(readJson('responses/tool-call.json'), {
    ...body,
    choices: [{ index: 0, finish_reason: 'tool_calls', message: { content: null, refusal: null } }],
    usage: { prompt_tokens: 62, completion_tokens: 17, total_tokens: 79 },
  })
  t.strictSame(encodeResponse(decodeResponse(readJson('responses/usage-absent.json'), FALLBACK)).usage, undefined)
  t.match(encodeResponse(decodeResponse(readJson('responses/reasoning-deepseek.json'), FALLBACK)), {
    choices: [{ message: { content: '9.8 is greater.', reasoning_content: '9.11 is less than 9.8.' } }],
  })
  t.end()
})

test('what the upstream does not name comes from the fallback', (t) => {
  t.strictSame(decodeResponse(answer({ content: 'a' }), FALLBACK).meta, FALLBACK)
  t.end()
})

test('calls without id, with object arguments, and things that are no calls', (t) => {
  const calls = [{ function: { name: 'f', arguments: { a: 1 } } }, 'odd', { id: 'x' }]
  t.match(decodeResponse(answer({ content: ['odd'], tool_calls: calls }, { id: 'r' }), FALLBACK), {
    content: [
      { id: 'call_r_0', name: 'f', arguments: '{"a":1}' },
      { id: 'x', name: '', arguments: '' },
    ],
    finishReason: 'tool-calls',
  })
  t.end()
})

test('an empty answer is empty, not absent', (t) => {
  const response = decodeResponse(answer({ content: '' }), FALLBACK)
  t.strictSame(response.content, [])
  t.match(encodeResponse(response), { choices: [{ message: { content: '' } }] })
  t.end()
})

test('an answer without a choice is malformed, one with an error is that error', (t) => {
  t.equal(thrownBy(() => decodeResponse({ choices: [] }, FALLBACK)).code, 'upstream_malformed')
  t.equal(thrownBy(() => decodeResponse({ choices: [{ index: 0 }] }, FALLBACK)).code, 'upstream_malformed')
  const inBand = { error: { message: 'slow down', code: 429 } }
  t.match(
    thrownBy(() => decodeResponse(inBand, FALLBACK)),
    { code: 'rate_limited', message: 'slow down', status: 429 },
  )
  t.end()
})

test("a call's signature goes beside it", (t) => {
  const call = { type: 'tool-call' as const, id: 'c', name: 'f', arguments: '{}', signature: 'sig' }
  const response = { ...decodeResponse(answer({ content: null }), FALLBACK), content: [call] }
  t.match(encodeResponse(response), {
    choices: [{ message: { tool_calls: [{ id: 'c', extra_content: { google: { thought_signature: 'sig' } } }] } }],
  })
  t.end()
})
