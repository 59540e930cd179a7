// Frames that pass are told apart by their first bytes, and no text can fool the observer.

import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { NO_PARTS } from '../../../../src/model/usage.js'
import { MessagesObserver } from '../../../../src/protocols/anthropic-messages/dialect/observer.js'
import {
  FRAME_BROKEN,
  FRAME_CONTENT,
  FRAME_END,
  FRAME_ERROR,
  FRAME_OTHER,
} from '../../../../src/protocols/contract/protocol.js'
import { decodeAll, filesOf, payloadsOf } from '../fixtures.js'

const observe = (payload: string, observer = new MessagesObserver()) => observer.observe(Buffer.from(payload))
const delta = (value: JsonObject) => JSON.stringify({ type: 'content_block_delta', index: 0, delta: value })
const open = (content_block: JsonObject) => JSON.stringify({ type: 'content_block_start', index: 0, content_block })

test('agrees with the decoder on every recorded stream', async (t) => {
  for (const file of filesOf('streams')) {
    const payloads = payloadsOf(file.replace('.sse', ''))
    const observer = new MessagesObserver()
    const bits = payloads.map((payload) => observer.observe(payload))
    const last = decodeAll(payloads).at(-1)
    t.equal(observer.isComplete(), last?.type === 'finish', file)
    t.strictSame(observer.error, last?.type === 'error' ? last.error : null, file)
    if (last?.type === 'finish') t.strictSame(observer.usage, last.usage, file)
    t.equal(bits.at(-1), last?.type === 'finish' ? FRAME_END : FRAME_ERROR, file)
    // The vendor may refuse without a word of the model.
    if (file === 'refusal-explained.sse') continue
    t.ok(bits.includes(FRAME_CONTENT), file)
    t.ok(observer.contentBytes > 0, file)
  }
})

test('counts text, thinking and tool input as content, but not when empty', async (t) => {
  t.equal(observe(delta({ type: 'text_delta', text: 'a' })), FRAME_CONTENT)
  t.equal(observe(delta({ type: 'thinking_delta', thinking: 'a' })), FRAME_CONTENT)
  t.equal(observe(delta({ type: 'input_json_delta', partial_json: '{' })), FRAME_CONTENT)
  t.equal(observe(delta({ type: 'text_delta', text: '' })), FRAME_OTHER)
  t.equal(observe(delta({ type: 'input_json_delta', partial_json: '' })), FRAME_OTHER)
  t.equal(observe(delta({ type: 'signature_delta', signature: 'a' })), FRAME_OTHER)
  t.equal(observe(delta({ type: 'text_delta', text: 7 })), FRAME_OTHER)
})

test('a tool’s name and encrypted thinking are content, an empty block is not', async (t) => {
  t.equal(observe(open({ type: 'tool_use', id: 'a', name: 'f', input: {} })), FRAME_CONTENT)
  t.equal(observe(open({ type: 'redacted_thinking', data: 'x' })), FRAME_CONTENT)
  t.equal(observe(open({ type: 'text', text: '' })), FRAME_OTHER)
  t.equal(observe(open({ type: 'thinking', thinking: '', signature: '' })), FRAME_OTHER)
  t.equal(observe(open({ type: 'server_tool_use', name: 'web_search' })), FRAME_OTHER)
  t.equal(observe('{"type":"content_block_start"}'), FRAME_OTHER)
})

test('takes any order of members and any white space', async (t) => {
  t.equal(observe('{"index":0,"delta":{"text":"a","type":"text_delta"},"type":"content_block_delta"}'), FRAME_CONTENT)
  t.equal(observe(delta({ text: 'a', type: 'text_delta' })), FRAME_CONTENT)
  t.equal(observe(delta({ thinking: 'a', type: 'thinking_delta' })), FRAME_CONTENT)
  t.equal(observe(delta({ partial_json: 'a', type: 'input_json_delta' })), FRAME_CONTENT)
  t.equal(
    observe(' { "type" : "content_block_delta", "delta" : {"type" : "text_delta", "text" : "a"} } '),
    FRAME_CONTENT,
  )
  t.equal(observe('{ "extra": 1, "type": "message_stop" }'), FRAME_END)
})

test('is not fooled by text that looks like frames', async (t) => {
  const fakes = ['{"type":"message_stop"}', '{"type":"error","error":{}}', '"delta":{"type":"text_delta","text":""']
  for (const fake of fakes) {
    const observer = new MessagesObserver()
    t.equal(observe(delta({ type: 'text_delta', text: fake }), observer), FRAME_CONTENT)
    t.equal(observe(delta({ type: 'signature_delta', signature: fake }), observer), FRAME_OTHER)
    t.equal(observe(JSON.stringify({ type: 'novelty', text: fake }), observer), FRAME_OTHER)
    t.equal(observer.isComplete(), false)
    t.equal(observer.error, null)
  }
  t.equal(observe('{"type":"content_block_delta","x":"delta","delta":{"type":"text_delta","text":"a"}}'), FRAME_CONTENT)
})

test('counts the bytes of content, about', async (t) => {
  const observer = new MessagesObserver()
  observe(delta({ type: 'text_delta', text: 'abcde' }), observer)
  t.equal(observer.contentBytes, 5)
  observe(delta({ text: 'abc', type: 'text_delta' }), observer)
  t.equal(observer.contentBytes, 8)
})

test('reports the usage so far when the stream is cut', async (t) => {
  const observer = new MessagesObserver()
  t.equal(observer.usage, null)
  for (const payload of payloadsOf('cached-usage').slice(0, 3)) observer.observe(payload)
  t.strictSame(observer.usage, {
    inputTokens: 2098,
    outputTokens: 0,
    cachedInputTokens: 1800,
    cacheWriteTokens: 248,
    reasoningTokens: 0,
    parts: NO_PARTS,
  })
  t.equal(observer.isComplete(), false)
})

test('frames that are not JSON objects are broken, those of unknown types are others', async (t) => {
  const delta = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}'
  const slips = [
    `${delta}}`,
    delta.slice(0, -1),
    delta.replace(':0', ':00'),
    delta.replace(':0', ':'),
    delta.replace('"a"', '"\\x"'),
  ]
  for (const ill of ['{', '[]', 'x', '{"type":"message_stop"', '{"type":"content_block_delta"', ...slips]) {
    t.equal(observe(ill), FRAME_BROKEN, ill)
  }
  for (const odd of ['', '[DONE]', '{"type":"ping"}', '{"type":"novelty"}', '{}'])
    t.equal(observe(odd), FRAME_OTHER, odd)
  t.equal(observe(` ${delta.replaceAll(/([:,{}])/g, ' $1 ')} `), FRAME_CONTENT, 'white space')
  t.equal(observe('{"type":"message_start"}'), FRAME_OTHER)
  t.equal(observe('{"type":"content_block_delta","index":0}'), FRAME_OTHER)
  t.equal(observe('{"type":"error"}'), FRAME_ERROR)
})
