// Canonical turns on this wire, for vendors of the full wire and for those of a narrower one.
import { test } from 'tap'
import { type ChatRequest, type DocumentPart, type Message } from '../../../../src/model/request.js'
import { type Quirks } from '../../../../src/model/target.js'
import { carries, encodeMessages } from '../../../../src/protocols/openai-chat/dialect/encode-messages.js'
import { decodeRequest } from '../../../../src/protocols/openai-chat/surface/decode-request.js'
import { readJson, targetWith } from '../recordings.js'

const NARROW = { developerRole: false, imageUrls: false } as const

function encode(request: Partial<ChatRequest>, quirks: Partial<Quirks> = {}) {
  const plain = decodeRequest({ model: 'm', messages: [{ role: 'user', content: 'hi' }] })
  const dropped: string[] = []
  const messages = encodeMessages(
    { ...plain, messages: [], ...request },
    { quirks: targetWith(quirks).quirks, drop: (field) => dropped.push(field) },
  )
  return { messages, dropped }
}

const text = (value: string) => ({ type: 'text', text: value }) as const

test('system text leads, under the role and in the form the vendor takes', (t) => {
  const system = [text('a'), text('b')]
  t.strictSame(encode({ system }).messages, [{ role: 'developer', content: system }])
  t.strictSame(encode({ system }, NARROW).messages, [{ role: 'system', content: 'a\n\nb' }])
  t.strictSame(encode({ system: [text('a')] }).messages, [{ role: 'developer', content: 'a' }])
  t.end()
})

test('cache marks leave no trace', (t) => {
  const messages: Message[] = [{ role: 'user', content: [{ ...text('a'), cacheBreakpoint: true }, text('b')] }]
  t.strictSame(encode({ messages }).messages, [{ role: 'user', content: [text('a'), text('b')] }])
  t.end()
})

test('images go as they came; a vendor that fetches none carries embedded ones alone', (t) => {
  const { messages } = decodeRequest(readJson('requests/images.json'))
  t.strictSame(encode({ messages }).messages, readJson('requests/images.json').messages)
  const media = (messages[0]?.content ?? []).filter((part) => part.type === 'image')
  const taken = (quirks: Partial<Quirks>) => media.map((part) => carries(part, targetWith(quirks)))
  t.strictSame(taken({}), [true, true])
  t.strictSame(taken(NARROW), [false, true])
  t.end()
})

test('a PDF goes as a file with a name, where the vendor takes documents', (t) => {
  const pdf: DocumentPart = {
    type: 'document',
    source: { kind: 'base64', mediaType: 'application/pdf', base64: 'JVBERi0=' },
    name: 'report.pdf',
    path: 'p',
  }
  const file = { filename: 'report.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' }
  const content = [pdf, { ...pdf, name: null }, text('?')]
  t.strictSame(encode({ messages: [{ role: 'user', content }] }).messages[0]?.content, [
    { type: 'file', file },
    { type: 'file', file: { ...file, filename: 'document.pdf' } },
    text('?'),
  ])
  t.ok(carries(pdf, targetWith({})))
  t.notOk(carries(pdf, targetWith({ documents: false })))
  t.notOk(carries({ ...pdf, source: { kind: 'url', url: 'https://x.example/a.pdf' } }, targetWith({})))
  t.notOk(carries({ ...pdf, source: { ...pdf.source, mediaType: 'application/msword' } as never }, targetWith({})))
  t.end()
})

test('reasoning of earlier turns goes back under the name the vendor reads, unless it refuses it', (t) => {
  const { messages } = decodeRequest(readJson('requests/reasoning.json'))
  t.match(encode({ messages }).messages[1], { reasoning_content: 'Compare the tenths.' })
  t.match(encode({ messages }, { reasoningField: 'reasoning' }).messages[1], { reasoning: 'Compare the tenths.' })
  const refused = encode({ messages }, { refusedFields: ['reasoning_content'] })
  t.strictSame(refused.messages[1], { role: 'assistant', content: '9.8' })
  const redacted: Message = {
    role: 'assistant',
    content: [{ type: 'reasoning', text: '', signature: null, redacted: 'x' }],
  }
  t.strictSame(refused.dropped, ['messages.reasoning'])
  t.strictSame(encode({ messages: [redacted] }), {
    messages: [{ role: 'assistant', content: '' }],
    dropped: ['messages.reasoning'],
  })
  const sealed: Message = {
    role: 'assistant',
    content: [{ type: 'reasoning', text: '', signature: 's', redacted: null }],
  }
  t.strictSame(encode({ messages: [sealed] }).dropped, [], 'a bare signature is no loss')
  t.end()
})

test('only the text marks a failed tool, so the flag is named as dropped', (t) => {
  const content = [{ type: 'text' as const, text: 'no such city' }]
  const failed = { type: 'tool-result' as const, callId: 'c', name: null, content, isError: true }
  t.strictSame(encode({ messages: [{ role: 'tool', content: [failed] }] }), {
    messages: [{ role: 'tool', tool_call_id: 'c', content: 'no such city' }],
    dropped: ['is_error'],
  })
  t.end()
})

test('content is null only beside calls', (t) => {
  const { messages } = decodeRequest(readJson('requests/tool-results.json'))
  t.strictSame(encode({ messages }).messages, readJson('requests/tool-results.json').messages)
  t.end()
})

test("images of tool results follow the run of results as a user's turn", (t) => {
  const image = {
    type: 'image',
    source: { kind: 'base64', mediaType: 'image/png', base64: 'QQ==' },
    detail: null,
    path: 'p',
  } as const
  const result = (callId: string) =>
    ({ type: 'tool-result', callId, name: null, content: [text(callId), image], isError: false }) as const
  const messages: Message[] = [
    { role: 'tool', content: [result('a'), result('b')] },
    { role: 'tool', content: [result('c')] },
    { role: 'user', content: [text('go on')] },
  ]
  const wire = encode({ messages }).messages
  t.strictSame(
    wire.map((message) => message.role),
    ['tool', 'tool', 'tool', 'user', 'user'],
  )
  t.match(wire[0], { tool_call_id: 'a', content: 'a' })
  t.match(wire[3], { content: [{ type: 'image_url' }, { type: 'image_url' }, { type: 'image_url' }] })
  t.end()
})
