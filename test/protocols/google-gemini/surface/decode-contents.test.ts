// Turns of both sides, calls and their results.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { decodeContents } from '../../../../src/protocols/google-gemini/surface/decode-contents.js'

const user = (...parts: JsonObject[]) => ({ role: 'user', parts })
const model = (...parts: JsonObject[]) => ({ role: 'model', parts })
const call = (name: string, id?: string, args: JsonObject = {}) => ({
  functionCall: { name, args, ...(id === undefined ? {} : { id }) },
})
const result = (name: string, response: JsonObject, id?: string) => ({
  functionResponse: { name, response, ...(id === undefined ? {} : { id }) },
})
const sealed = (text: string) => Buffer.from(`sluice:${text}`).toString('base64')

test('an answer that came in chunks comes back as one turn, joined up to its signatures', async (t) => {
  const { messages } = decodeContents([
    user({ text: 'Hi' }),
    model({ text: 'h', thought: true }),
    model({ text: 'm', thought: true }),
    model({ text: '', thought: true, thoughtSignature: sealed('s:EqQB') }),
    model({ text: 'Hel' }),
    model({ text: 'lo' }, { ...call('f', 'c1', { a: 1 }), thoughtSignature: 'U2ln' }),
    model({ text: '' }),
  ])
  t.same(messages[1], {
    role: 'assistant',
    content: [
      { type: 'reasoning', text: 'hm', signature: 'EqQB', redacted: null },
      { type: 'text', text: 'Hello' },
      { type: 'tool-call', id: 'c1', name: 'f', arguments: '{"a":1}', signature: 'google-gemini:U2ln' },
    ],
  })
})

test('signatures of text and encrypted thoughts have their place between the parts', async (t) => {
  const { messages } = decodeContents([
    model(
      { text: '', thought: true, thoughtSignature: sealed('r:EmwK') },
      { text: 'a', thoughtSignature: 'U2ln' },
      { text: 'b' },
    ),
  ])
  t.same(messages[0]?.content, [
    { type: 'reasoning', text: '', signature: null, redacted: 'EmwK' },
    { type: 'text', text: 'a' },
    { type: 'reasoning', text: '', signature: 'google-gemini:U2ln', redacted: null },
    { type: 'text', text: 'b' },
  ])
})

test('results come before what the user says with them; errors are known by their member', async (t) => {
  const { messages } = decodeContents([
    model(call('f', 'c1'), call('g', 'c2')),
    user({ text: 'Go on.' }, result('f', { error: 'no' }, 'c1'), result('g', { output: 'yes' }, 'c2')),
  ])
  const text = (words: string) => [{ type: 'text' as const, text: words }]
  t.same(messages.slice(1), [
    {
      role: 'tool',
      content: [
        { type: 'tool-result', callId: 'c1', name: 'f', content: text('no'), isError: true },
        { type: 'tool-result', callId: 'c2', name: 'g', content: text('yes'), isError: false },
      ],
    },
    { role: 'user', content: text('Go on.') },
  ])
  const only = (response: JsonObject) => {
    const [message] = decodeContents([user(result('f', response))]).messages
    return message?.role === 'tool' ? message.content[0]?.content[0] : null
  }
  t.same(only({ result: 'a', more: 1 }), { type: 'text', text: '{"result":"a","more":1}' })
  t.same(only({ output: { a: 1 } }), { type: 'text', text: '{"output":{"a":1}}' })
  t.same(only({}), { type: 'text', text: '{}' })
})

test('calls and results without ids are paired by name, in order, and never take an id that is there', async (t) => {
  const { messages } = decodeContents([
    model(call('f'), call('f'), call('g', 'call_0')),
    { role: 'function', parts: [result('f', {}), result('g', {}, 'call_0'), result('f', {}), result('h', {})] },
  ])
  const [asked, answered] = messages
  const ids = asked?.role === 'assistant' ? asked.content.map((part) => part.type === 'tool-call' && part.id) : []
  t.same(ids, ['call_1', 'call_2', 'call_0'])
  const answers = answered?.role === 'tool' ? answered.content.map(({ callId }) => callId) : []
  t.same(answers, ['call_1', 'call_0', 'call_2', 'call_3'])
})

test('images in a result are part of it, those of the model are of its turn, and what else it made is named', async (t) => {
  const image = { inlineData: { mimeType: 'image/png', data: '' } }
  const drawn = { inlineData: { mimeType: 'image/png', data: 'iVBO' } }
  const { messages, lost } = decodeContents([
    model(
      { executableCode: {} },
      image,
      drawn,
      { inlineData: { mimeType: 'audio/wav', data: 'UklGR' } },
      { text: 'a' },
    ),
    user({ functionResponse: { name: 'f', response: {}, parts: [image] } }),
  ])
  t.same([...lost], ['contents.parts.executableCode', 'contents.parts.inlineData'])
  t.match(messages[0], {
    content: [
      { type: 'made-image', source: { base64: 'iVBO' } },
      { type: 'text', text: 'a' },
    ],
  })
  t.match(messages[1], { content: [{ content: [{ type: 'text' }, { type: 'image' }] }] })
  t.same(decodeContents([7, user(), model({ text: '' })] as JsonObject['x']).messages, [])
  t.same(decodeContents(undefined).messages, [])
})
