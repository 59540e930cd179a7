// What chats and prompts are accepted, refused and named.
import { test } from 'tap'
import { type JsonObject, type JsonValue } from '../../../../src/model/json.js'
import { readChatFacts, readGenerateFacts } from '../../../../src/protocols/ollama-chat/surface/schema.js'
import { readFixtures } from '../../../helpers/protocol-fixtures.js'
import { thrownBy } from '../../../helpers/thrown.js'

const withMessage = (message: JsonValue): JsonObject => ({ model: 'm', messages: [message] })

test('accepts what clients of the server send and reads what the core needs', async (t) => {
  for (const [id, read] of [
    ['ollama-chat', readChatFacts],
    ['ollama-chat-generate', readGenerateFacts],
  ] as const) {
    for (const { name, bytes } of readFixtures(id, 'requests')) {
      const body = JSON.parse(bytes.toString())
      t.match(read(body), { model: body.model, stream: body.stream !== false, includeUsage: true }, name)
    }
  }
  const capOf = (limit: number) => readChatFacts({ model: 'm', options: { num_predict: limit } }).maxOutputTokens
  t.same([capOf(7), capOf(-1), capOf(-2), capOf(0)], [7, null, null, null])
  t.ok(
    readChatFacts({ model: 'm', messages: null, format: '', think: null, x: 1 }),
    'unknown members, and null for absent',
  )
})

test('names the path of the first wrong field', async (t) => {
  const cases: [JsonObject, string][] = [
    [{}, 'model'],
    [{ model: '' }, 'model'],
    [{ model: 'm', messages: 'Hi' }, 'messages'],
    [withMessage('Hi'), 'messages.0'],
    [withMessage({ content: 'Hi' }), 'messages.0.role'],
    [withMessage({ role: 'robot' }), 'messages.0.role'],
    [withMessage({ role: 'user', content: ['Hi'] }), 'messages.0.content'],
    [withMessage({ role: 'user', images: [1] }), 'messages.0.images.0'],
    [withMessage({ role: 'assistant', tool_calls: [{}] }), 'messages.0.tool_calls.0.function'],
    [
      withMessage({ role: 'assistant', tool_calls: [{ function: { name: 'f', arguments: '{}' } }] }),
      'messages.0.tool_calls.0.function.arguments',
    ],
    [{ model: 'm', tools: [{ type: 'function' }] }, 'tools.0.function'],
    [{ model: 'm', tools: [{ function: {} }] }, 'tools.0.function.name'],
    [{ model: 'm', stream: 'yes' }, 'stream'],
    [{ model: 'm', format: 7 }, 'format'],
    [{ model: 'm', options: [] }, 'options'],
    [{ model: 'm', options: { temperature: 'x' } }, 'options.temperature'],
  ]
  for (const [body, param] of cases) t.equal(thrownBy(() => readChatFacts(body)).param, param, JSON.stringify(body))
  t.equal(thrownBy(() => readGenerateFacts({ model: 'm', prompt: 7 })).param, 'prompt')
  t.equal(thrownBy(() => readGenerateFacts({ model: 'm', images: 'x' })).param, 'images')
})
