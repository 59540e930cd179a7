// Turns become canonical messages; what only the vendor understands keeps its readable text.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { decodeMessages } from '../../../../src/protocols/anthropic-messages/surface/decode-messages.js'
import { type MessageParam } from '../../../../src/protocols/anthropic-messages/wire.js'
import { thrownBy } from '../../../helpers/thrown.js'
import { jsonOf } from '../fixtures.js'

const decode = (messages: unknown) => decodeMessages(messages as MessageParam[])
const decodeBlock = (block: JsonObject, role = 'user') => decode([{ role, content: [block] }])

test('splits tool results from the text behind them and finds the tool’s name', async (t) => {
  const { messages } = decode(jsonOf('requests/tool-results.json').messages)
  t.strictSame(
    messages.map((message) => message.role),
    ['user', 'assistant', 'tool', 'user', 'assistant', 'tool'],
  )
  const result = messages[2]?.content[0]
  t.match(result, { callId: 'toolu_01A09q90qw90lq917835lq9', name: 'get_weather', isError: false })
  t.strictSame(messages[3]?.content, [{ type: 'text', text: 'And in Fahrenheit?' }])
  t.strictSame(messages[5]?.content, [
    {
      type: 'tool-result',
      callId: 'toolu_01B',
      name: 'get_weather',
      content: [{ type: 'text', text: 'ConnectionError: the weather service API is not available (HTTP 500)' }],
      isError: true,
    },
  ])
})

test('keeps parallel results together, one without content and one of an unknown call included', async (t) => {
  const { messages } = decode(jsonOf('requests/parallel-tools.json').messages)
  t.equal(messages[2]?.content.length, 2)
  t.match(messages[2]?.content[1], { callId: 'toolu_01Btokyo', content: [] })
  const orphan = decodeBlock({ type: 'tool_result', tool_use_id: 'toolu_x' }).messages[0]?.content[0]
  t.match(orphan, { name: null })
})

test('keeps the order when text stands before a tool result', async (t) => {
  const content = [
    { type: 'text', text: 'Here:' },
    { type: 'tool_result', tool_use_id: 'a' },
  ]
  const { messages } = decode([{ role: 'user', content }])
  t.strictSame(
    messages.map((message) => message.role),
    ['user', 'tool'],
  )
})

test('decodes thinking, encrypted thinking and tool calls of the assistant', async (t) => {
  const { messages } = decode(jsonOf('requests/thinking.json').messages)
  t.match(messages[1]?.content, [
    { type: 'reasoning', text: /current weather/, signature: /^EqQB/, redacted: null },
    { type: 'reasoning', text: '', signature: null, redacted: /^EmwK/ },
    { type: 'text', text: 'Let me look.' },
    { type: 'tool-call', name: 'get_weather', arguments: '{"location":"Paris"}', signature: null },
  ])
  const unsigned = decodeBlock({ type: 'thinking', thinking: 'hm', signature: '' }, 'assistant').messages[0]
  t.strictSame(unsigned?.content, [{ type: 'reasoning', text: 'hm', signature: null, redacted: null }])
})

test('decodes images of both kinds', async (t) => {
  const { messages } = decode(jsonOf('requests/images.json').messages)
  t.match(messages[0]?.content, [
    { type: 'image', source: { kind: 'base64', mediaType: 'image/png', base64: /^iVBOR/ }, detail: null },
    { type: 'image', source: { kind: 'url', url: /^https:/ }, detail: null },
    { type: 'text', text: 'Describe these images.' },
  ])
})

test('an empty turn has no parts', async (t) => {
  t.strictSame(decode([{ role: 'assistant', content: '' }]).messages, [{ role: 'assistant', content: [] }])
  t.strictSame(decode([{ role: 'user', content: '' }]).messages, [])
})

test('a turn of the system is text, or refused by its path', async (t) => {
  const thrown = thrownBy(() => decodeBlock({ type: 'image', source: { type: 'url', url: 'https://x' } }, 'system'))
  t.match(thrown, { code: 'invalid_request', param: 'messages.0.content.0.type' })
})

test('of the blocks of the vendor’s own tools in an answer the readable text stays, and each is named', async (t) => {
  const content = [
    { type: 'server_tool_use', id: 's1', name: 'web_search', input: { query: 'rivers' } },
    {
      type: 'web_search_tool_result',
      tool_use_id: 's1',
      content: [
        {
          type: 'web_search_result',
          title: 'Elbe',
          url: 'https://e.example',
          encrypted_content: 'EqQB',
          page_age: null,
        },
      ],
    },
    { type: 'container_upload', file_id: 'file_1' },
    { type: 'text', text: 'It is long.', citations: [{ type: 'web_search_result_location' }] },
  ]
  const { messages, reduced } = decode([{ role: 'assistant', content }])
  t.strictSame(messages[0]?.content, [
    { type: 'text', text: '[server_tool_use]\nweb_search({"query":"rivers"})\n' },
    { type: 'text', text: '[web_search_tool_result]\nElbe\nhttps://e.example\n' },
    { type: 'text', text: '[container_upload omitted]\n' },
    { type: 'text', text: 'It is long.' },
  ])
  t.strictSame([...reduced], ['server_tool_use', 'web_search_tool_result', 'container_upload', 'citations'])
})
