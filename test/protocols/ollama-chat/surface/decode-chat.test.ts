// A chat as a canonical request. Each field's way to every provider is in the golden matrix and test/laws/silence.test.ts.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { decodeChat } from '../../../../src/protocols/ollama-chat/surface/decode-chat.js'
import { thrownBy } from '../../../helpers/thrown.js'

const decode = (...messages: JsonObject[]) => decodeChat({ model: 'm', messages })
const call = (name: string, id?: string) => ({
  ...(id === undefined ? {} : { id }),
  function: { name, arguments: { a: 1 } },
})

test('system text, turns and images', async (t) => {
  const { system, messages, stream } = decode(
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Look.', images: ['iVBORw0KGgoAAA'] },
    { role: 'assistant', content: 'A cat.', thinking: 'hm' },
    { role: 'user', content: '' },
  )
  t.same(system, [{ type: 'text', text: 'Be brief.' }])
  t.equal(stream, true)
  t.match(messages, [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Look.' },
        { type: 'image', path: 'messages.1.images.0' },
      ],
    },
    {
      role: 'assistant',
      content: [
        { type: 'reasoning', text: 'hm', signature: null },
        { type: 'text', text: 'A cat.' },
      ],
    },
    { role: 'user', content: [] },
  ])
})

test('calls and results are paired, with ids or without', async (t) => {
  const { messages } = decode(
    { role: 'assistant', content: '', tool_calls: [call('f'), call('g', 'call_0')] },
    { role: 'tool', tool_name: 'g', content: 'G' },
    { role: 'tool', content: 'F' },
  )
  t.match(messages[0], {
    content: [
      { type: 'tool-call', id: 'call_1', name: 'f', arguments: '{"a":1}' },
      { id: 'call_0', name: 'g' },
    ],
  })
  t.match(messages[1], { role: 'tool', content: [{ callId: 'call_0', name: 'g', isError: false }] })
  t.match(messages[2], { role: 'tool', content: [{ callId: 'call_1', name: null }] })
})

test('tools are functions; one without a schema has none', async (t) => {
  const { tools } = decodeChat({
    model: 'm',
    messages: [{ role: 'user', content: 'x' }],
    tools: [
      { type: 'function', function: { name: 'f', description: 'd', parameters: { type: 'object' } } },
      { function: { name: 'g' } },
    ],
  })
  t.same(tools, [
    { name: 'f', description: 'd', parameters: { type: 'object' }, strict: null },
    { name: 'g', description: null, parameters: {}, strict: null },
  ])
})

test('a chat without messages only loads a model, which no other wire does', async (t) => {
  t.match(
    thrownBy(() => decode()),
    { code: 'invalid_request', param: 'messages' },
  )
})
