// Turns as items.
import { test } from 'tap'
import { type Message } from '../../../../src/model/request.js'
import { carries, encodeInput } from '../../../../src/protocols/openai-responses/dialect/encode-input.js'
import { request, testTarget } from '../../../helpers/targets.js'

const TARGET = testTarget('openai-responses')
const PDF = { kind: 'base64', mediaType: 'application/pdf', base64: 'JVBE' } as const

function encode(messages: Message[], system: string[] = []) {
  const dropped: string[] = []
  const texts = system.map((text) => ({ type: 'text', text }) as const)
  const drop = (field: string): void => void dropped.push(field)
  return { ...encodeInput(request({ messages, system: texts }), { target: TARGET, drop }), dropped }
}

test('the first system text is the instructions, others are developer items before all turns', async (t) => {
  const { instructions, input } = encode([{ role: 'user', content: [{ type: 'text', text: 'hi' }] }], ['a', 'b'])
  t.equal(instructions, 'a')
  t.same(input, [
    { type: 'message', role: 'developer', content: 'b' },
    { type: 'message', role: 'user', content: 'hi' },
  ])
  t.equal(encode([]).instructions, null)
})

test('content of several parts, images and documents', async (t) => {
  const url = { kind: 'url', url: 'https://x/a' } as const
  const { input } = encode([
    {
      role: 'user',
      content: [
        { type: 'text', text: 'a' },
        { type: 'image', source: url, detail: null, path: 'p' },
        { type: 'image', source: { kind: 'base64', mediaType: 'image/png', base64: 'AA==' }, detail: 'low', path: 'p' },
        { type: 'document', source: PDF, name: null, path: 'p' },
        { type: 'document', source: url, name: 'a', path: 'p' },
        { type: 'foreign', kind: 'audio', path: 'p' },
      ],
    },
  ])
  t.same(input[0]?.content, [
    { type: 'input_text', text: 'a' },
    { type: 'input_image', image_url: 'https://x/a', detail: 'auto' },
    { type: 'input_image', image_url: 'data:image/png;base64,AA==', detail: 'low' },
    { type: 'input_file', filename: 'document.pdf', file_data: 'data:application/pdf;base64,JVBE' },
    { type: 'input_file', file_url: 'https://x/a' },
  ])
})

test('a turn of the model is its items in order; reasoning that this provider cannot read is left out and named', async (t) => {
  const { input, dropped } = encode([
    {
      role: 'assistant',
      content: [
        { type: 'reasoning', text: 'hm', signature: 'openai-responses:p:gAAAA', redacted: null },
        { type: 'reasoning', text: '', signature: 'openai-responses:p:gBBBB', redacted: null },
        { type: 'reasoning', text: 'hm', signature: 'openai-responses:other:gCCCC', redacted: null },
        { type: 'reasoning', text: 'hm', signature: 'EqQB', redacted: null },
        { type: 'text', text: 'a' },
        { type: 'text', text: '' },
        { type: 'tool-call', id: 'c'.repeat(70), name: 'f', arguments: '', signature: null },
      ],
    },
    {
      role: 'tool',
      content: [
        {
          type: 'tool-result',
          callId: 'c'.repeat(70),
          name: 'f',
          content: [{ type: 'text', text: 'x' }],
          isError: true,
        },
        { type: 'tool-result', callId: 'd', name: 'f', content: [], isError: false },
      ],
    },
  ])
  t.match(input, [
    { type: 'reasoning', summary: [{ type: 'summary_text', text: 'hm' }], encrypted_content: 'gAAAA' },
    { type: 'reasoning', summary: [], encrypted_content: 'gBBBB' },
    { type: 'message', role: 'assistant', content: 'a' },
    { type: 'function_call', name: 'f', arguments: '{}' },
    { type: 'function_call_output', output: 'x' },
    { type: 'function_call_output', call_id: 'd', output: '' },
  ])
  t.notOk('id' in (input[0] ?? {}), 'the vendor would look it up')
  t.equal(input[3]?.call_id, input[4]?.call_id)
  t.ok(String(input[3]?.call_id).length <= 64)
  t.same(dropped, ['messages.reasoning', 'messages.reasoning', 'is_error'])
})

test('what a target carries', async (t) => {
  const image = { type: 'image', source: { kind: 'url', url: 'x' }, detail: null, path: 'p' } as const
  const pdf = { type: 'document', source: PDF, name: null, path: 'p' } as const
  const without = testTarget('openai-responses', {}, { imageUrls: false, documents: false })
  t.ok(carries(image, TARGET))
  t.notOk(carries(image, without))
  t.ok(carries({ ...image, source: { kind: 'base64', mediaType: 'image/png', base64: '' } }, without))
  t.ok(carries(pdf, TARGET))
  t.notOk(carries(pdf, without))
  t.notOk(carries({ ...pdf, source: { ...PDF, mediaType: 'application/zip' } }, TARGET))
  t.ok(carries({ ...pdf, source: { kind: 'url', url: 'x' } }, TARGET))
})

test('a refusal of an earlier turn is one', async (t) => {
  const { input } = encode([{ role: 'assistant', content: [{ type: 'refusal', text: 'No.' }] }])
  t.same(input, [{ type: 'message', role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }] }])
})
