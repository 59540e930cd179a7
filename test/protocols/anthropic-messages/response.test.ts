// Whole answers, both ways.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { decodeResponse, encodeResponse, readUsage } from '../../../src/protocols/anthropic-messages/response.js'
import { thrownBy } from '../../helpers/thrown.js'
import { bytesOf, FALLBACK, filesOf, jsonOf } from './fixtures.js'

test('encodes what it has decoded, on every recorded answer', async (t) => {
  for (const file of filesOf('responses')) {
    const theirs = jsonOf(`responses/${file}`)
    const ours = encodeResponse(decodeResponse(theirs, FALLBACK))
    t.match(theirs, { ...ours, usage: {} }, file)
    t.strictSame(ours.content, theirs.content, file)
    t.strictSame(decodeResponse(ours, FALLBACK), decodeResponse(theirs, FALLBACK), file)
  }
})

test('decodes content, cached usage and the input known before the first token', async (t) => {
  t.match(decodeResponse(jsonOf('responses/cached-usage.json'), FALLBACK), {
    meta: {
      id: 'msg_01CachedGh3JkLm7NpQr',
      createdSec: FALLBACK.createdSec,
      usage: { inputTokens: 2098, outputTokens: 0 },
    },
    finishReason: 'stop',
    usage: { inputTokens: 2098, outputTokens: 7, cachedInputTokens: 1800, cacheWriteTokens: 248 },
  })
})

test('falls back where the upstream names nothing; blocks of its own tools are opaque, and blocks without a type are none', async (t) => {
  const content = [7, {}, { type: 'server_tool_use' }, { type: 'text' }, { type: 'tool_use' }]
  t.strictSame(decodeResponse({ content, id: '', model: null, stop_reason: null }, FALLBACK), {
    meta: FALLBACK,
    content: [
      { type: 'opaque', wire: 'anthropic-messages', name: 'server_tool_use', value: { type: 'server_tool_use' } },
      { type: 'text', text: '' },
      { type: 'tool-call', id: '', name: '', arguments: '{}', signature: null },
    ],
    finishReason: 'other',
    stopSequence: null,
    usage: null,
  })
})

test('what is no message is malformed, and an error under status 200 is that error', async (t) => {
  t.match(
    thrownBy(() => decodeResponse({ id: 'x' }, FALLBACK)),
    { code: 'upstream_malformed' },
  )
  const error: JsonObject = { type: 'overloaded_error', message: 'Overloaded' }
  t.match(
    thrownBy(() => decodeResponse({ type: 'error', error }, FALLBACK)),
    { code: 'upstream_overloaded' },
  )
})

test('encodes an answer of another protocol', async (t) => {
  const body = encodeResponse({
    meta: { ...FALLBACK, id: 'chatcmpl-1' },
    content: [
      { type: 'reasoning', text: 'hm', signature: null, redacted: null },
      { type: 'tool-call', id: 'call_1', name: 'f', arguments: '{"a":', signature: null },
    ],
    finishReason: 'tool-calls',
    stopSequence: null,
    usage: null,
  })
  t.strictSame(body, {
    id: 'msg_chatcmpl-1',
    type: 'message',
    role: 'assistant',
    model: 'asked-for',
    content: [
      { type: 'thinking', thinking: 'hm', signature: '' },
      { type: 'tool_use', id: 'call_1', name: 'f', input: { raw_arguments: '{"a":' } },
    ],
    stop_reason: 'tool_use',
    stop_sequence: null,
    usage: { input_tokens: 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 0 },
  })
})

test('reads usage from the bytes, and none from what has none', async (t) => {
  for (const file of filesOf('responses')) {
    const whole = decodeResponse(jsonOf(`responses/${file}`), FALLBACK)
    t.strictSame(readUsage(bytesOf(`responses/${file}`)), whole.usage, file)
  }
  t.equal(readUsage(Buffer.from('<html>')), null)
  t.equal(readUsage(Buffer.from('[]')), null)
  const tool = { content: [{ type: 'tool_use', input: { usage: { output_tokens: 5 } } }] }
  t.equal(readUsage(Buffer.from(JSON.stringify(tool))), null)
})

test('JSON asked for by a tool is text, given once, and ends as an answer does unless other tools were called', async (t) => {
  const json = { type: 'tool_use', id: 't0', name: 'sluice_json_answer', input: { a: 1 } }
  const call = { type: 'tool_use', id: 't1', name: 'f', input: {} }
  const decode = (content: JsonObject[], stop_reason = 'tool_use') =>
    decodeResponse({ type: 'message', content, stop_reason }, FALLBACK)
  t.match(decode([json, { ...json, input: { b: 2 } }]), {
    content: [{ type: 'text', text: '{"a":1}' }],
    finishReason: 'stop',
  })
  t.equal(decode([json, { ...json }]).content.length, 1)
  t.match(decode([json, call]), { content: [{ type: 'text' }, { type: 'tool-call' }], finishReason: 'tool-calls' })
  t.equal(decode([json], 'max_tokens').finishReason, 'length')
})

test('an image has no block here', async (t) => {
  const image = { type: 'made-image', source: { kind: 'url', url: 'https://a' } } as const
  const answer = { meta: FALLBACK, content: [image], finishReason: 'stop', stopSequence: null, usage: null } as const
  t.same(encodeResponse(answer).content, [])
})
