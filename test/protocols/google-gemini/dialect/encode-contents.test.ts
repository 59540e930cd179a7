// Turns, images, calls, results and signatures on their way to the vendor.
import { test } from 'tap'
import {
  type AssistantPart,
  type DocumentPart,
  type ImagePart,
  type MediaSource,
  type Message,
  type ToolCallPart,
} from '../../../../src/model/request.js'
import { type Quirks, type Target } from '../../../../src/model/target.js'
import { carries, encodeContents } from '../../../../src/protocols/google-gemini/dialect/encode-contents.js'
import { target } from '../../../helpers/dialect.js'
import { request } from '../../../helpers/targets.js'

const FLASH = target('google-gemini', { model: 'gemini-2.5-flash' })
/** As the decoder marks it. */
const SIGNED = 'google-gemini:c2ln'
const FLASH_3 = target('google-gemini', { model: 'gemini-3-flash' })

function encode(messages: Message[], at: Target = FLASH) {
  const dropped = new Set<string>()
  return { contents: encodeContents(request({ messages }), at, dropped), dropped: [...dropped] }
}

const user = (text: string): Message => ({ role: 'user', content: [{ type: 'text', text }] })
const assistant = (...content: AssistantPart[]): Message => ({ role: 'assistant', content })
const call = (over: Partial<ToolCallPart> = {}): ToolCallPart => {
  return { type: 'tool-call', id: 'c1', name: 'f', arguments: '{"a":1}', signature: null, ...over }
}
const result = (text: string, over: object = {}): Message => {
  const content = [{ type: 'text' as const, text }]
  return {
    role: 'tool',
    content: [{ type: 'tool-result', callId: 'c1', name: null, content, isError: false, ...over }],
  }
}
const picture = (url: string): ImagePart => ({ type: 'image', source: { kind: 'url', url }, detail: null, path: 'p' })

test('turns of one role are merged, empty ones left out', (t) => {
  const said = assistant({ type: 'text', text: 'b' }, { type: 'text', text: '' })
  t.strictSame(encode([user('1'), user(''), user('2'), said, user('3')]).contents, [
    { role: 'user', parts: [{ text: '1' }, { text: '2' }] },
    { role: 'model', parts: [{ text: 'b' }] },
    { role: 'user', parts: [{ text: '3' }] },
  ])
  t.end()
})

test('base64 images and documents go inline, what has an address by its URI', (t) => {
  const base64: ImagePart = {
    type: 'image',
    source: { kind: 'base64', mediaType: 'image/png', base64: 'iVBO' },
    detail: 'high',
    path: 'p',
  }
  const file = picture('https://generativelanguage.googleapis.com/v1beta/files/abc')
  const pdf = { kind: 'base64', mediaType: 'application/pdf', base64: 'JVBE' } as const
  const document: DocumentPart = { type: 'document', source: pdf, name: 'a.pdf', path: 'p' }
  const stored: DocumentPart = { ...document, source: { kind: 'url', url: 'gs://b/a' } }
  const content = [base64, picture('gs://b/cat.JPG?x'), file, document, stored]
  const { contents, dropped } = encode([{ role: 'user', content }])
  t.strictSame(contents, [
    {
      role: 'user',
      parts: [
        { inlineData: { mimeType: 'image/png', data: 'iVBO' } },
        { fileData: { mimeType: 'image/jpeg', fileUri: 'gs://b/cat.JPG?x' } },
        { fileData: { fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/abc' } },
        { inlineData: { mimeType: 'application/pdf', data: 'JVBE' } },
        { fileData: { mimeType: 'application/pdf', fileUri: 'gs://b/a' } },
      ],
    },
  ])
  t.strictSame(dropped, ['detail'])
  t.end()
})

test('carries the vendor’s own files by URL in the caller’s own account, and others only where the target takes them', (t) => {
  const pdf = { kind: 'base64', mediaType: 'application/pdf', base64: '' } as const
  const document = (source: MediaSource): DocumentPart => ({ type: 'document', source, name: null, path: 'p' })
  const word = document({ ...pdf, mediaType: 'application/msword' })
  const parts = [picture('gs://b/a'), picture('https://x.example/a.png'), document(pdf), word]
  const taken = (quirks: Partial<Quirks>, isOwnAccount?: boolean) =>
    parts.map((part) => carries(part, target('google-gemini', {}, quirks), isOwnAccount))
  t.strictSame(taken({}), [false, false, true, false])
  t.strictSame(taken({}, true), [true, false, true, false])
  t.strictSame(taken({ imageUrls: true, documents: false }), [false, true, false, false])
  t.end()
})

test('a result names its tool: its own name, that of the call, or else the id', (t) => {
  const name = (messages: Message[]) =>
    encode(messages)
      .contents.at(-1)
      ?.parts.find((part) => part.functionResponse)?.functionResponse?.name
  t.equal(name([result('x', { name: 'g' })]), 'g')
  t.equal(name([assistant(call()), result('x')]), 'f')
  t.equal(name([result('x')]), 'c1')
  t.end()
})

test('a result is an object: the one it is written as, or its text, or its error; images follow', (t) => {
  const response = (message: Message) => encode([message]).contents[0]?.parts[0]?.functionResponse?.response
  t.strictSame(response(result('{"t":21}')), { t: 21 })
  t.strictSame(response(result('[1]')), { result: '[1]' })
  t.strictSame(response(result('sunny')), { result: 'sunny' })
  const texts = ['21 degrees', 'clear'].map((text) => ({ type: 'text' as const, text }))
  t.strictSame(response(result('', { content: texts })), { result: '21 degrees\nclear' })
  t.strictSame(response(result('{"t":21}', { isError: true })), { error: '{"t":21}' })
  const image = {
    type: 'image',
    source: { kind: 'base64', mediaType: 'image/png', base64: 'AA' },
    detail: null,
    path: 'p',
  }
  t.strictSame(encode([result('x', { content: [image] })]).contents[0]?.parts, [
    { functionResponse: { id: 'c1', name: 'c1', response: { result: '' } } },
    { inlineData: { mimeType: 'image/png', data: 'AA' } },
  ])
  t.end()
})

test('arguments are an object, ill-formed ones are kept as text', (t) => {
  const args = (text: string) =>
    encode([assistant(call({ arguments: text }))]).contents[0]?.parts[0]?.functionCall?.args
  t.strictSame(args('{"a":1}'), { a: 1 })
  t.strictSame(args(''), {})
  t.strictSame(args('{"a":'), { arguments: '{"a":' })
  t.end()
})

test('thoughts and signatures come back as they went', (t) => {
  const thought = { type: 'reasoning' as const, text: 'hm', signature: SIGNED, redacted: null }
  const message = assistant(
    thought,
    { ...thought, signature: null },
    { ...thought, text: '' },
    { ...thought, text: '', signature: null },
    { ...thought, text: '', signature: 'google-gemini:not base64!', redacted: 'xx' },
    { ...thought, signature: 'EqQBforeign' },
    call({ signature: SIGNED }),
  )
  const { contents, dropped } = encode([message])
  t.strictSame(contents[0]?.parts, [
    { text: 'hm', thought: true, thoughtSignature: 'c2ln' },
    { text: 'hm', thought: true },
    { text: '', thoughtSignature: 'c2ln' },
    { text: 'hm', thought: true },
    { functionCall: { id: 'c1', name: 'f', args: { a: 1 } }, thoughtSignature: 'c2ln' },
  ])
  t.strictSame(dropped, ['messages.reasoning'])
  t.end()
})

test('an unsigned first call is vouched for where the model checks signatures', (t) => {
  const messages = [assistant(call(), call({ id: 'c2' })), result('x'), assistant(call({ signature: SIGNED }))]
  const signatures = (at: Target) =>
    encode(messages, at).contents.flatMap((content) =>
      content.parts.flatMap((part) => (part.functionCall ? [part.thoughtSignature] : [])),
    )
  t.strictSame(signatures(FLASH), [undefined, undefined, 'c2ln'])
  t.strictSame(signatures(FLASH_3), ['skip_thought_signature_validator', undefined, 'c2ln'])
  t.end()
})
