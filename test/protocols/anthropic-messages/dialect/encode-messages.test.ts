// Canonical messages become turns that the vendor accepts.
import { test } from 'tap'
import {
  type AssistantPart,
  type DocumentPart,
  type ImagePart,
  type MediaSource,
  type Message,
  type UserPart,
} from '../../../../src/model/request.js'
import { type Target } from '../../../../src/model/target.js'
import {
  carries,
  encodeMessages,
  encodeToolInput,
} from '../../../../src/protocols/anthropic-messages/dialect/encode-messages.js'
import { targetOf } from '../fixtures.js'

function encode(messages: readonly Message[], target: Target = targetOf()) {
  const dropped = new Set<string>()
  return { turns: encodeMessages(messages, target, dropped), dropped: [...dropped] }
}

const text = (value: string) => ({ type: 'text', text: value }) as const
const call = (id: string, args = '{}'): AssistantPart => ({
  type: 'tool-call',
  id,
  name: 'f',
  arguments: args,
  signature: null,
})
const result = (callId: string) =>
  ({ type: 'tool-result', callId, name: 'f', content: [text('42')], isError: false }) as const
const thought = (value: string, signature: string | null) =>
  ({ type: 'reasoning', text: value, signature, redacted: null }) as const

test('merges neighbours of one role and puts tool results first', async (t) => {
  const { turns } = encode([
    { role: 'user', content: [text('a')] },
    { role: 'user', content: [text('b')] },
    { role: 'assistant', content: [call('1')] },
    { role: 'assistant', content: [call('2')] },
    { role: 'tool', content: [result('1')] },
    { role: 'user', content: [text('c')] },
    { role: 'tool', content: [result('2')] },
  ])
  t.match(turns, [
    { role: 'user', content: [{ text: 'a' }, { text: 'b' }] },
    { role: 'assistant', content: [{ id: '1' }, { id: '2' }] },
    { role: 'user', content: [{ tool_use_id: '1' }, { tool_use_id: '2' }, { text: 'c' }] },
  ])
})

test('leaves out blank text, and turns left without content', async (t) => {
  const { turns } = encode([
    { role: 'user', content: [text('Hi')] },
    { role: 'assistant', content: [text(' \n')] },
    { role: 'user', content: [text(''), text('there')] },
  ])
  t.strictSame(turns, [{ role: 'user', content: [text('Hi'), text('there')] }])
})

test('puts thinking first, but never reorders the model’s own order', async (t) => {
  const late = encode([{ role: 'assistant', content: [text('x'), thought('t', 's')] }])
  t.match(late.turns, [{ content: [{ type: 'thinking', thinking: 't', signature: 's' }, { type: 'text' }] }])
  const own = encode([{ role: 'assistant', content: [thought('1', 's'), text('x'), thought('2', 's')] }])
  t.match(own.turns, [{ content: [{ thinking: '1' }, { text: 'x' }, { thinking: '2' }] }])
})

test('leaves out and names thinking without a signature, and keeps encrypted thinking', async (t) => {
  const redacted = { type: 'reasoning', text: '', signature: null, redacted: 'ENC' } as const
  const { turns, dropped } = encode([{ role: 'assistant', content: [thought('t', null), redacted, text('x')] }])
  t.strictSame(turns, [{ role: 'assistant', content: [{ type: 'redacted_thinking', data: 'ENC' }, text('x')] }])
  t.strictSame(dropped, ['messages.reasoning'])
})

test("leaves out and names thinking with another vendor's signature, which the vendor refuses", async (t) => {
  const { turns, dropped } = encode([{ role: 'assistant', content: [thought('t', 'google-gemini:CuQC'), text('x')] }])
  t.strictSame(turns, [{ role: 'assistant', content: [text('x')] }])
  t.strictSame(dropped, ['messages.reasoning'])
})

test('replaces characters the vendor refuses in ids on both sides', async (t) => {
  const { turns } = encode([
    { role: 'assistant', content: [call('functions.get:0')] },
    { role: 'tool', content: [result('functions.get:0')] },
  ])
  t.match(turns, [{ content: [{ id: 'functions_get_0' }] }, { content: [{ tool_use_id: 'functions_get_0' }] }])
})

test('marks failed results and leaves out empty content', async (t) => {
  const failed = { type: 'tool-result', callId: 'a', name: null, content: [], isError: true } as const
  t.strictSame(encode([{ role: 'tool', content: [failed] }]).turns, [
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', is_error: true }] },
  ])
})

test('images and documents go by URL or in base64, a title with them, and a detail is named as dropped', async (t) => {
  const url = { kind: 'url', url: 'https://example.com/a.png' } as const
  const pdf = { kind: 'base64', mediaType: 'application/pdf', base64: 'JVBERi0=' } as const
  const image: ImagePart = { type: 'image', source: url, detail: 'low', path: 'p' }
  const content: UserPart[] = [
    image,
    { type: 'document', source: pdf, name: 'Report', path: 'p' },
    { type: 'document', source: url, name: null, path: 'p' },
    text('?'),
  ]
  const { turns, dropped } = encode([{ role: 'user', content }])
  t.strictSame(turns[0]?.content, [
    { type: 'image', source: { type: 'url', url: url.url } },
    { type: 'document', source: { type: 'base64', media_type: pdf.mediaType, data: pdf.base64 }, title: 'Report' },
    { type: 'document', source: { type: 'url', url: url.url } },
    text('?'),
  ])
  t.strictSame(dropped, ['detail'])
})

test('carries what the server takes of images and documents', async (t) => {
  const pdf = { kind: 'base64', mediaType: 'application/pdf', base64: '' } as const
  const word = { kind: 'base64', mediaType: 'application/msword', base64: '' } as const
  const url = { kind: 'url', url: 'https://example.com/a' } as const
  const image = (source: MediaSource): ImagePart => ({ type: 'image', source, detail: null, path: '' })
  const document = (source: MediaSource): DocumentPart => ({ type: 'document', source, name: null, path: '' })
  const full = targetOf({})
  t.ok([image(pdf), image(url), document(pdf), document(url)].every((part) => carries(part, full)))
  t.notOk(carries(document(word), full))
  const noUrls = targetOf({ quirks: { imageUrls: false } })
  t.strictSame(
    [image(url), document(url), document(pdf)].map((part) => carries(part, noUrls)),
    [false, false, true],
  )
  const noDocuments = targetOf({ quirks: { documents: false } })
  t.strictSame(
    [image(url), document(url), document(pdf)].map((part) => carries(part, noDocuments)),
    [true, false, false],
  )
})

test('wraps tool arguments that are no JSON object', async (t) => {
  t.strictSame(encodeToolInput('{"a":1}'), { a: 1 })
  t.strictSame(encodeToolInput(''), {})
  t.strictSame(encodeToolInput('{"a":'), { raw_arguments: '{"a":' })
  t.strictSame(encodeToolInput('[1]'), { raw_arguments: '[1]' })
})

test('a file is an image or a document, as its client has it', async (t) => {
  const file = { type: 'file', wire: 'anthropic-messages', id: 'file_1', mediaType: null, path: 'p' } as const
  const source = { type: 'file', file_id: 'file_1' }
  t.same(encode([{ role: 'user', content: [file, { ...file, mediaType: 'image/*' }] }]).turns[0]?.content, [
    { type: 'document', source },
    { type: 'image', source },
  ])
})
