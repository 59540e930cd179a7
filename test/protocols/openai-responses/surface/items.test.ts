// Items of whole answers: the same that a stream has.
import { test } from 'tap'
import { type AnswerPart } from '../../../../src/model/response.js'
import { namesOf, readEcho } from '../../../../src/protocols/openai-responses/surface/echo.js'
import { encodeItems, itemId, sealReasoning } from '../../../../src/protocols/openai-responses/surface/items.js'
import { blocks, encode, outputOf } from '../streams.js'

const REQUEST = {
  tools: [
    { type: 'custom', name: 'patch' },
    { type: 'namespace', name: 'files', tools: [{ type: 'function', name: 'read' }] },
    { type: 'tool_search', execution: 'client' },
  ],
}
const call = (name: string, text: string, signature: string | null = null): AnswerPart => {
  return { type: 'tool-call', id: `call_${name}`, name, arguments: text, signature }
}
const PARTS: AnswerPart[] = [
  { type: 'reasoning', text: 'hm', signature: 'EqQB', redacted: null },
  { type: 'reasoning', text: '', signature: null, redacted: 'EmwK' },
  { type: 'text', text: 'Hi' },
  call('patch', '{"input":"*** \\"x\\""}'),
  call('files__read', ''),
  call('tool_search', '{"query":"x"}'),
  call('tool_search', 'no json'),
  call('plain', '{"a":1}', 'google-gemini:sig'),
  { type: 'refusal', text: 'I will not.' },
  { type: 'made-image', source: { kind: 'base64', mediaType: 'image/webp', base64: 'UklGRg==' } },
  { type: 'opaque', wire: 'openai-responses', name: 'web_search_call', value: { type: 'web_search_call', id: 'ws_1' } },
]

test('a whole answer has the items that the stream of the same answer has', async (t) => {
  const whole = encodeItems(PARTS, { base: '1', names: namesOf(readEcho(REQUEST)), isCut: false })
  const heads = PARTS.map((part) => {
    if (part.type === 'text' || part.type === 'refusal') return { head: { kind: part.type }, deltas: [part.text] }
    if (part.type === 'made-image') return { head: { kind: 'image', source: part.source } as const, deltas: [] }
    if (part.type === 'opaque') {
      const { wire, name, value } = part
      return { head: { kind: 'opaque', wire, name, value } as const, deltas: [] }
    }
    if (part.type === 'reasoning') {
      const head = { kind: 'reasoning', redacted: part.redacted } as const
      return { head, deltas: part.text === '' ? [] : [part.text], signature: part.signature }
    }
    const head = { kind: 'tool-call', id: part.id, name: part.name } as const
    return { head, deltas: [...part.arguments], signature: part.signature }
  })
  t.same(outputOf(encode(blocks(heads, 'tool-calls'), REQUEST)), whole)
  t.match(whole, [
    { id: 'rs_1_0', type: 'reasoning', summary: [{ text: 'hm' }], encrypted_content: 'sluice:s:EqQB' },
    { id: 'rs_1_1', type: 'reasoning', summary: [], encrypted_content: 'sluice:r:EmwK' },
    { id: 'msg_1_2', type: 'message' },
    { id: 'ctc_1_3', type: 'custom_tool_call', name: 'patch', input: '*** "x"' },
    { id: 'fc_1_4', type: 'function_call', name: 'read', namespace: 'files', arguments: '{}' },
    { id: 'tsc_1_5', type: 'tool_search_call', execution: 'client', arguments: { query: 'x' } },
    { id: 'tsc_1_6', type: 'tool_search_call', arguments: {} },
    { id: 'fc_1_7', type: 'function_call', name: 'plain', arguments: '{"a":1}' },
    { id: 'rs_1_8', type: 'reasoning', encrypted_content: 'sluice:c:call_plain:google-gemini:sig' },
    { id: 'msg_1_9', type: 'message', content: [{ type: 'refusal', refusal: 'I will not.' }] },
    { id: 'ig_1_10', type: 'image_generation_call', status: 'completed', result: 'UklGRg==', output_format: 'webp' },
    { id: 'ws_1', type: 'web_search_call' },
  ])
})

test('no items at all are one empty message', async (t) => {
  t.match(encodeItems([], { base: '1', names: {}, isCut: true }), [{ id: 'msg_1_0', status: 'incomplete' }])
  t.equal(itemId('custom', 'b', 3), 'ctc_b_3')
})

test('the vendor’s own encrypted reasoning goes out as it is; anything else is sealed', async (t) => {
  t.equal(sealReasoning('openai-responses:p:gAAAA', null), 'gAAAA')
  t.equal(sealReasoning('EqQB', null), 'sluice:s:EqQB')
  t.equal(sealReasoning(null, 'EmwK'), 'sluice:r:EmwK')
  t.equal(sealReasoning(null, null), null)
  t.equal(sealReasoning('openai-responses:p:sluice:s:x', null), 'sluice:s:openai-responses:p:sluice:s:x')
})
