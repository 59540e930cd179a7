// What readFacts accepts, refuses and names.
import { test } from 'tap'
import { Compile } from 'typebox/compile'
import { type JsonObject, type JsonValue } from '../../../../src/model/json.js'
import { bodySchema, isClientTool, readFacts } from '../../../../src/protocols/anthropic-messages/surface/schema.js'
import { thrownBy } from '../../../helpers/thrown.js'
import { filesOf, jsonOf } from '../fixtures.js'

const VALID: JsonObject = { model: 'm', max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] }

const refusalOf = (change: JsonObject) => thrownBy(() => readFacts({ ...VALID, ...change }))
const accepts = (change: JsonObject) => readFacts({ ...VALID, ...change }).model === 'm'

const inUserTurn = (block: JsonValue): JsonObject => ({ messages: [{ role: 'user', content: [block] }] })

test('accepts every request of the vendor and reads what the core needs', async (t) => {
  for (const file of filesOf('requests')) {
    const body = jsonOf(`requests/${file}`)
    const facts = readFacts(body)
    t.equal(facts.model, body.model, file)
    t.equal(facts.stream, body.stream === true, file)
    t.equal(facts.maxOutputTokens, body.max_tokens, file)
    t.equal(facts.includeUsage, true)
    t.equal(facts.provider, null)
  }
})

test('names the path of the first wrong field', async (t) => {
  const cases: [JsonObject, string][] = [
    [{ model: '' }, 'model'],
    [{ model: 7 }, 'model'],
    [{ messages: [] }, 'messages'],
    [{ messages: {} }, 'messages'],
    [{ messages: ['Hi'] }, 'messages.0'],
    [{ messages: [{ role: 'robot', content: 'Hi' }] }, 'messages.0.role'],
    [{ messages: [{ role: 'user' }] }, 'messages.0.content'],
    [inUserTurn('Hi'), 'messages.0.content.0'],
    [inUserTurn({ text: 'Hi' }), 'messages.0.content.0.type'],
    [inUserTurn({ type: 'text' }), 'messages.0.content.0.text'],
    [inUserTurn({ type: 'text', text: 5 }), 'messages.0.content.0.text'],
    [
      inUserTurn({ type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text: {} }] }),
      'messages.0.content.0.content.0.text',
    ],
    [inUserTurn({ type: 'image', source: 'x' }), 'messages.0.content.0.source'],
    [inUserTurn({ type: 'tool_use', id: 'a', name: 'b', input: 'x' }), 'messages.0.content.0.input'],
    [inUserTurn({ type: 'tool_result' }), 'messages.0.content.0.tool_use_id'],
    [inUserTurn({ type: 'tool_result', tool_use_id: 'a', content: [{}] }), 'messages.0.content.0.content.0.type'],
    [
      inUserTurn({ type: 'tool_result', tool_use_id: 'a', content: [{ type: 'tool_result', tool_use_id: 'b' }] }),
      'messages.0.content.0.content.0',
    ],
    [{ max_tokens: -1 }, 'max_tokens'],
    [{ max_tokens: 1.5 }, 'max_tokens'],
    [{ temperature: 1.1 }, 'temperature'],
    [{ top_p: 'x' }, 'top_p'],
    [{ system: [{ type: 'image' }] }, 'system.0.text'],
    [{ stop_sequences: [1] }, 'stop_sequences.0'],
    [{ stream: 'yes' }, 'stream'],
    [{ thinking: {} }, 'thinking.type'],
    [{ tools: ['x'] }, 'tools.0'],
    [{ tools: [{ name: 'f' }] }, 'tools.0.input_schema'],
    [{ tool_choice: { type: 'some' } }, 'tool_choice.type'],
    [{ tool_choice: { type: 'tool' } }, 'tool_choice.name'],
    [{ metadata: { user_id: 1 } }, 'metadata.user_id'],
  ]
  for (const [change, param] of cases) {
    const refusal = refusalOf(change)
    t.equal(refusal.param, param, JSON.stringify(change))
    t.ok(refusal.message.startsWith(`${param}: `), refusal.message)
  }
})

test("a body is accepted exactly where it is valid by the schema of the API's document", async (t) => {
  const documented = Compile(bodySchema())
  const inResult = (block: JsonValue) => inUserTurn({ type: 'tool_result', tool_use_id: 'a', content: [block] })
  const changes: readonly JsonObject[] = [
    ...['auto', 'any', 'none', 'tool'].flatMap((type) => [
      { tool_choice: { type } },
      { tool_choice: { type, name: '' } },
      { tool_choice: { type, name: 'f' } },
      { tool_choice: { type, name: 5 } },
    ]),
    ...[undefined, null, 'custom', 'bash_20250124', 7].flatMap((type) => [
      { tools: [{ ...(type === undefined ? {} : { type }) }] },
      { tools: [{ ...(type === undefined ? {} : { type }), name: 'f' }] },
      { tools: [{ ...(type === undefined ? {} : { type }), name: 5 }] },
      { tools: [{ ...(type === undefined ? {} : { type }), name: 'f', input_schema: {} }] },
    ]),
    ...[
      { type: 'text' },
      { type: 'text', text: 'a' },
      { type: 'hologram' },
      { type: 'image' },
      { text: 'a' },
      'a',
    ].flatMap((block) => [inUserTurn(block), inResult(block)]),
    inResult({ type: 'tool_result', tool_use_id: 'b', content: [{ type: 'text' }] }),
    inResult({ type: 'tool_result', tool_use_id: 'b', content: [{ type: 'text', text: 'a' }] }),
    ...[{ system: [{ type: 'text' }] }, { system: 'a' }, { tools: null }, { tool_choice: null }, { messages: [] }],
  ]
  const bodies = changes.map((change) => ({ ...VALID, ...change }))
  const verdicts = bodies.map((body) => documented.Check(body))
  t.ok(verdicts.includes(true) && verdicts.includes(false))
  for (const [i, body] of bodies.entries()) {
    if (verdicts[i]) t.doesNotThrow(() => readFacts(body), JSON.stringify(body))
    else t.throws(() => readFacts(body), JSON.stringify(body))
  }
  for (const file of filesOf('requests')) t.ok(documented.Check(jsonOf(`requests/${file}`)), file)
})

test('says of a missing field that it is required', async (t) => {
  t.match(
    thrownBy(() => readFacts({ model: 'm', messages: [{ role: 'user', content: 'Hi' }] })),
    { code: 'invalid_request', param: 'max_tokens', message: 'max_tokens: is required' },
  )
})

test('lets unknown fields, blocks and server tools pass, and null for absent', async (t) => {
  t.ok(accepts({ brand_new: { a: 1 } }))
  t.ok(accepts(inUserTurn({ type: 'hologram', beam: 1 })))
  t.ok(accepts({ tools: [{ type: 'web_search_20250305', name: 'web_search' }] }))
  t.ok(accepts({ system: null, tools: null, thinking: null, stream: null, top_k: null }))
})

test('takes max_tokens 0, with which the vendor only warms its cache', async (t) => {
  t.equal(readFacts({ ...VALID, max_tokens: 0 }).maxOutputTokens, 0)
})

test('finds one wrong block among ten thousand messages without searching the whole body', async (t) => {
  const messages: JsonValue[] = Array.from({ length: 10_000 }, () => ({
    role: 'user',
    content: [{ type: 'text', text: 'Hi' }],
  }))
  messages.push({ role: 'user', content: [{ type: 'text', text: 'Hi' }, { type: 'text' }] })
  t.equal(refusalOf({ messages }).param, 'messages.10000.content.1.text')
})

test('a tool without a type, or of type custom, is the client’s', async (t) => {
  t.ok(isClientTool(undefined))
  t.ok(isClientTool(null))
  t.ok(isClientTool('custom'))
  t.notOk(isClientTool('bash_20250124'))
})
