// Turns, images, calls and results on their way to the server.
import { test } from 'tap'
import { type Message } from '../../../../src/model/request.js'
import { carries, encodeMessages } from '../../../../src/protocols/ollama-chat/dialect/encode-messages.js'
import { request } from '../../../helpers/targets.js'

function encode(messages: Message[], system: string[] = []) {
  const dropped = new Set<string>()
  const asked = request({ messages, system: system.map((text) => ({ type: 'text', text })) })
  return { messages: encodeMessages(asked, dropped), dropped: [...dropped] }
}

test('system text comes first, as one message', (t) => {
  t.strictSame(encode([], ['a', 'b']).messages, [{ role: 'system', content: 'a\n\nb' }])
  t.strictSame(encode([]).messages, [])
  t.end()
})

test('base64 images go beside the text; nothing else is carried', (t) => {
  const { messages, dropped } = encode([
    {
      role: 'user',
      content: [
        { type: 'text', text: 'what' },
        { type: 'image', source: { kind: 'base64', mediaType: 'image/png', base64: 'iVBO' }, detail: 'low', path: 'p' },
        { type: 'text', text: 'is this?' },
      ],
    },
  ])
  t.strictSame(messages, [{ role: 'user', content: 'what\nis this?', images: ['iVBO'] }])
  t.strictSame(dropped, ['detail'])
  const url = { kind: 'url', url: 'https://x.example/a.png' } as const
  const bytes = { kind: 'base64', mediaType: 'application/pdf', base64: 'JVBE' } as const
  t.ok(carries({ type: 'image', source: bytes, detail: null, path: 'p' }))
  t.notOk(carries({ type: 'image', source: url, detail: null, path: 'p' }))
  t.notOk(carries({ type: 'document', source: bytes, name: null, path: 'p' }))
  t.end()
})

test('an answer comes back with its thinking and its calls, ill-formed arguments as text', (t) => {
  const { messages, dropped } = encode([
    {
      role: 'assistant',
      content: [
        { type: 'reasoning', text: 'h', signature: 'c2ln', redacted: null },
        { type: 'reasoning', text: 'm', signature: null, redacted: null },
        { type: 'reasoning', text: '', signature: null, redacted: 'xx' },
        { type: 'text', text: 'Let me ' },
        { type: 'text', text: 'look.' },
        { type: 'tool-call', id: 'c1', name: 'f', arguments: '{"a":1}', signature: null },
        { type: 'tool-call', id: 'c2', name: 'g', arguments: '{"a', signature: null },
      ],
    },
  ])
  t.strictSame(messages, [
    {
      role: 'assistant',
      content: 'Let me look.',
      thinking: 'hm',
      tool_calls: [
        { id: 'c1', function: { name: 'f', arguments: { a: 1 } } },
        { id: 'c2', function: { name: 'g', arguments: { arguments: '{"a' } } },
      ],
    },
  ])
  t.strictSame(dropped, ['messages.reasoning'])
  t.end()
})

test('each result is a message that names its tool: by its own name, that of the call, or else the id', (t) => {
  const result = (callId: string, name: string | null, isError = false) => {
    return { type: 'tool-result' as const, callId, name, content: [{ type: 'text' as const, text: 'x' }], isError }
  }
  const { messages, dropped } = encode([
    { role: 'assistant', content: [{ type: 'tool-call', id: 'c1', name: 'f', arguments: '', signature: null }] },
    { role: 'tool', content: [result('c1', null), result('c2', 'g'), result('c3', null, true)] },
  ])
  t.strictSame(messages.slice(1), [
    { role: 'tool', content: 'x', tool_name: 'f', tool_call_id: 'c1' },
    { role: 'tool', content: 'x', tool_name: 'g', tool_call_id: 'c2' },
    { role: 'tool', content: 'x', tool_name: 'c3', tool_call_id: 'c3' },
  ])
  t.strictSame(dropped, ['is_error'])
  t.end()
})
