// Turns of a client: every role and content form the wire knows, and the path of what cannot be carried over.
import { test } from 'tap'
import { type JsonArray, type JsonObject, type JsonValue } from '../../../../src/model/json.js'
import { decodeMessages } from '../../../../src/protocols/openai-chat/surface/decode-messages.js'
import { thrownBy } from '../../../helpers/thrown.js'
import { readJson } from '../recordings.js'

const fixture = (name: string) => decodeMessages(readJson(`requests/${name}.json`).messages as JsonArray)
const user = (content: JsonValue) => decodeMessages([{ role: 'user', content }]).messages[0]?.content

test('system and developer turns are gathered in order, wherever they stand', (t) => {
  const { system, messages } = decodeMessages([
    { role: 'system', content: 'a' },
    { role: 'user', content: 'b' },
    { role: 'developer', content: [{ type: 'text', text: 'c' }] },
  ])
  t.strictSame(
    system.map((part) => part.text),
    ['a', 'c'],
  )
  t.strictSame(messages, [{ role: 'user', content: [{ type: 'text', text: 'b' }] }])
  t.end()
})

test('images by URL and as base64, with detail', (t) => {
  t.match(fixture('images').messages[0]?.content, [
    { type: 'text' },
    { type: 'image', source: { kind: 'url', url: 'https://example.com/cat.png' }, detail: 'low' },
    { type: 'image', source: { kind: 'base64', mediaType: 'image/png', base64: /^iVBOR/ }, detail: null },
  ])
  t.match(user([{ type: 'image_url', image_url: 'https://x/y.png' }]), [{ source: { kind: 'url' }, detail: null }])
  t.match(user([{ type: 'image_url', image_url: { url: 'DATA:image/png;charset=x;BASE64,QQ==' } }]), [
    { source: { mediaType: 'image/png', base64: 'QQ==' } },
  ])
  t.end()
})

test('an image without a usable URL is refused with its path', (t) => {
  const paramOf = (image: JsonValue) => thrownBy(() => user([{ type: 'image_url', image_url: image }])).param
  t.equal(paramOf({}), 'messages.0.content.0.image_url.url')
  t.equal(paramOf(''), 'messages.0.content.0.image_url')
  for (const url of ['data:image/png,abc', 'data:;base64,QQ==', 'data:image/png;base64']) {
    t.equal(paramOf({ url }), 'messages.0.content.0.image_url.url', url)
  }
  t.end()
})

test('an assistant turn: reasoning, text, refusal and calls, in that order', (t) => {
  const { messages } = decodeMessages([
    {
      role: 'assistant',
      reasoning: 'why',
      content: 'because',
      refusal: 'no',
      tool_calls: [
        { id: 'i', function: { name: 'f', arguments: { a: 1 } } },
        { id: 'j', function: {} },
      ],
    },
    { role: 'assistant', content: '' },
    { role: 'assistant', content: [{ type: 'refusal', refusal: 'r' }] },
  ])
  t.strictSame(messages[0]?.content, [
    { type: 'reasoning', text: 'why', signature: null, redacted: null },
    { type: 'text', text: 'because' },
    { type: 'refusal', text: 'no' },
    { type: 'tool-call', id: 'i', name: 'f', arguments: '{"a":1}', signature: null },
    { type: 'tool-call', id: 'j', name: '', arguments: '', signature: null },
  ])
  t.strictSame(messages[1]?.content, [])
  t.strictSame(messages[2]?.content, [{ type: 'refusal', text: 'r' }])
  t.end()
})

test('a tool result finds the name of its tool by the id of the call', (t) => {
  const results = fixture('parallel-tools').messages.flatMap((message) =>
    message.role === 'tool' ? message.content : [],
  )
  t.match(results, [
    { callId: 'call_1', name: 'get_weather' },
    { callId: 'call_2', name: 'get_time', content: [{ text: '12:00' }, { text: 'CET' }] },
  ])
  const lone = decodeMessages([{ role: 'tool', tool_call_id: 'x', name: 'f', content: null }]).messages[0]
  t.match(lone?.content, [{ callId: 'x', name: 'f', content: [] }])
  t.equal(thrownBy(() => decodeMessages([{ role: 'tool', content: 'x' }])).param, 'messages.0.tool_call_id')
  t.end()
})

test('legacy function calls get an id each, and their results the id of the last call of that name', (t) => {
  const parts = fixture('legacy-functions').messages.flatMap((message): readonly object[] => message.content)
  t.match(parts.slice(1), [
    { type: 'tool-call', id: 'call_messages_1', name: 'get_weather' },
    { type: 'tool-result', callId: 'call_messages_1' },
    { type: 'tool-call', id: 'call_messages_3' },
    { type: 'tool-result', callId: 'call_messages_3', name: 'get_weather' },
  ])
  const lone = decodeMessages([{ role: 'function', name: 'f', content: 'x' }]).messages[0]
  t.match(lone?.content, [{ callId: 'call_messages_0', name: 'f' }])
  t.end()
})

test('prompt-cache marks of either kind are breakpoints', (t) => {
  const marked = [
    { type: 'text', text: 'a', cache_control: { type: 'ephemeral' } },
    { type: 'text', text: 'b', prompt_cache_breakpoint: { mode: 'explicit' } },
  ]
  t.match(user(marked), [{ cacheBreakpoint: true }, { cacheBreakpoint: true }])
  t.end()
})

test('content without a canonical form keeps its name and its path', (t) => {
  const content = [
    { type: 'input_audio', input_audio: { data: '', format: 'wav' } },
    { type: 'file', file: { file_id: 'file-1' } },
  ]
  t.strictSame(user(content), [
    { type: 'foreign', kind: 'input_audio', path: 'messages.0.content.0' },
    { type: 'file', wire: 'openai-chat', id: 'file-1', mediaType: null, path: 'messages.0.content.1' },
  ])
  const spoken = decodeMessages([{ role: 'assistant', audio: { id: 'a' } }]).messages[0]
  t.strictSame(spoken?.content, [{ type: 'text', text: '[audio answer omitted]' }])
  t.end()
})

test('files become documents, images or text by their media type', (t) => {
  const file = (file_data: string, filename?: string): JsonObject => {
    return { type: 'file', file: { file_data, ...(filename === undefined ? {} : { filename }) } }
  }
  const path = 'messages.0.content.0'
  const pdf = { kind: 'base64', mediaType: 'application/pdf', base64: 'JVBERi0=' }
  t.strictSame(user([file('data:application/pdf;base64,JVBERi0=', 'a.pdf')]), [
    { type: 'document', source: pdf, name: 'a.pdf', path },
  ])
  t.strictSame(user([file('JVBERi0=')]), [{ type: 'document', source: pdf, name: null, path }])
  t.match(user([file('https://x.example/a.pdf')]), [{ type: 'document', source: { kind: 'url' } }])
  t.match(user([file('data:image/PNG;base64,QQ==')]), [{ type: 'image', source: { mediaType: 'image/png' } }])
  const csv = Buffer.from('a,b\n1,ü').toString('base64')
  t.strictSame(user([file(`data:text/csv;base64,${csv}`, 'a.csv')]), [
    { type: 'text', text: '<document title="a.csv">\na,b\n1,ü\n</document>' },
  ])
  const paramOf = (part: JsonObject) => thrownBy(() => user([part])).param
  t.equal(paramOf({ type: 'file' }), `${path}.file`)
  t.equal(paramOf(file('data:application/pdf,x')), `${path}.file.file_data`)
  t.end()
})

test('what only this protocol can carry is refused with its path', (t) => {
  const refused = (turn: JsonObject) => thrownBy(() => decodeMessages([turn]))
  const custom = { id: 'a', type: 'custom', custom: { name: 'x', input: '' } }
  t.equal(refused({ role: 'assistant', tool_calls: [custom] }).param, 'messages.0.tool_calls.0')
  t.equal(refused({ role: 'assistant', tool_calls: [{ function: {} }] }).param, 'messages.0.tool_calls.0.id')
  t.equal(refused({ role: 'user', content: [{ type: 'text' }] }).param, 'messages.0.content.0.text')
  const image = { type: 'image_url', image_url: { url: 'https://x/y.png' } }
  t.equal(refused({ role: 'system', content: [image] }).param, 'messages.0.content.0.type')
  t.end()
})

test("a call's signature is read where clients send it back", (t) => {
  const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }
  const signatureOf = (extra: JsonObject) => {
    const { messages } = decodeMessages([{ role: 'assistant', tool_calls: [{ ...call, ...extra }] }])
    return messages[0]?.content.map((part) => (part.type === 'tool-call' ? part.signature : undefined))
  }
  t.strictSame(signatureOf({ extra_content: { google: { thought_signature: 'google-gemini:CuQC' } } }), [
    'google-gemini:CuQC',
  ])
  t.strictSame(signatureOf({}), [null])
  t.strictSame(signatureOf({ extra_content: { google: null } }), [null])
  t.end()
})
