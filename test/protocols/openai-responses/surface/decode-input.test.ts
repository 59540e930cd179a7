// Items as turns: what other wires need next to each other is next to each other.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import { decodeInput } from '../../../../src/protocols/openai-responses/surface/decode-input.js'
import { thrownBy } from '../../../helpers/thrown.js'

const user = (text: string) => ({ role: 'user', content: text })
const said = (text: string) => ({ type: 'message', role: 'assistant', content: [{ type: 'output_text', text }] })
const called = (id: string, name = 'f') => ({ type: 'function_call', call_id: id, name, arguments: '{}' })
const result = (id: string, output = 'done') => ({ type: 'function_call_output', call_id: id, output })

/** Turns in one line each: `assistant: text, call`. */
function turns(...input: JsonObject[]): string[] {
  return decodeInput(input).messages.map(({ role, content }) => {
    const parts = content.map((part) => {
      if (part.type === 'text') return part.text
      if (part.type === 'tool-call') return `call ${part.id}`
      if (part.type === 'tool-result') return `result ${part.callId}`
      return part.type
    })
    return `${role}: ${parts.join(', ')}`
  })
}

test('a text is one turn of the user', async (t) => {
  t.same(decodeInput('hi').messages, [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }])
})

test('system and developer items become instructions, wherever they are', async (t) => {
  const input = [
    { role: 'system', content: 'a' },
    user('x'),
    { role: 'developer', content: [{ type: 'input_text', text: 'b' }] },
  ]
  t.same(
    decodeInput(input).system.map(({ text }) => text),
    ['a', 'b'],
  )
  t.same(turns(...input), ['user: x'])
})

test('items of the model that follow each other are one turn', async (t) => {
  t.same(turns(user('x'), said('a'), called('1'), called('2'), result('1'), result('2'), said('b')), [
    'user: x',
    'assistant: a, call 1, call 2',
    'tool: result 1, result 2',
    'assistant: b',
  ])
})

test('text between a call and its result goes before the call', async (t) => {
  t.same(turns(called('1'), said('a'), result('1')), ['assistant: a, call 1', 'tool: result 1'])
  t.same(turns(called('1'), called('2'), result('1'), said('a'), result('2')), [
    'assistant: a, call 1, call 2',
    'tool: result 1, result 2',
  ])
})

test('reasoning between two calls stays between them', async (t) => {
  const thought = { type: 'reasoning', summary: [{ type: 'summary_text', text: 'hm' }] }
  t.same(turns(thought, called('1'), thought, said('a'), called('2')), [
    'assistant: reasoning, a, call 1, reasoning, call 2',
  ])
})

test('a user’s turn between a call and its result waits, and one behind an unanswered call does not', async (t) => {
  t.same(turns(called('1'), user('x'), result('1'), user('y')), [
    'assistant: call 1',
    'tool: result 1',
    'user: x',
    'user: y',
  ])
  t.same(turns(called('1'), user('x')), ['assistant: call 1', 'user: x'])
  t.same(turns(called('1'), called('2'), user('x'), result('1')), [
    'assistant: call 1, call 2',
    'tool: result 1',
    'user: x',
  ])
})

test('results know the name of their tool, and a call in a namespace has its flat name', async (t) => {
  const { messages } = decodeInput([{ ...called('1', 'read'), namespace: 'files' }, result('1'), result('9')])
  t.match(messages, [
    { content: [{ name: 'files__read' }] },
    {
      content: [
        { callId: '1', name: 'files__read' },
        { callId: '9', name: null },
      ],
    },
  ])
})

test('a custom call comes back as the function that stands in for it', async (t) => {
  const input = [
    { type: 'custom_tool_call', call_id: '1', name: 'patch', input: '*** "x"' },
    { type: 'custom_tool_call_output', call_id: '1', output: [{ type: 'input_text', text: 'done' }] },
  ]
  t.match(decodeInput(input).messages, [
    { content: [{ type: 'tool-call', name: 'patch', arguments: '{"input":"*** \\"x\\""}' }] },
    { content: [{ type: 'tool-result', name: 'patch', content: [{ type: 'text', text: 'done' }] }] },
  ])
})

test('a result that answers no call is a note of the user, under its name', (t) => {
  const note = {
    type: 'function_call_output',
    id: 'fco_1',
    name: 'goal_objective',
    namespace: 'agent',
    output: 'ship it',
  }
  const decoded = decodeInput([
    called('1'),
    note,
    result('1'),
    { type: 'function_call_output', call_id: null, output: 'alone' },
  ])
  t.same(
    decoded.messages.map(({ role }) => role),
    ['assistant', 'tool', 'user', 'user'],
    'behind the results that are due',
  )
  t.match(decoded.messages[2], { content: [{ text: 'agent__goal_objective:' }, { text: 'ship it' }] })
  t.match(decoded.messages[3], { content: [{ text: 'alone' }] })
  t.end()
})

test('a search and its result are paired by their id; one without the other is left out and named', async (t) => {
  const search = { type: 'tool_search_call', call_id: 's', execution: 'client', arguments: { q: 1 } }
  const found = {
    type: 'tool_search_output',
    call_id: 's',
    execution: 'client',
    tools: [{ type: 'custom', name: 'g' }],
  }
  const pair = decodeInput([search, found])
  t.match(pair.messages, [
    { content: [{ type: 'tool-call', id: 's', name: 'tool_search', arguments: '{"q":1}' }] },
    { content: [{ type: 'tool-result', content: [{ text: '[{"type":"custom","name":"g"}]' }] }] },
  ])
  t.equal(pair.dropped.size, 0)
  t.same([...decodeInput([user('x'), search]).dropped], ['input.tool_search_call'])
  t.same([...decodeInput([found, user('x')]).dropped], ['input.tool_search_output'])
  const bare = decodeInput([
    { ...search, call_id: null },
    { ...found, call_id: null },
  ])
  t.same([bare.messages, bare.dropped.size], [[], 2])
  t.match(
    decodeInput([
      { type: 'tool_search_call', call_id: 's' },
      { type: 'tool_search_output', call_id: 's' },
    ]).messages,
    [{ content: [{ arguments: '{}' }] }, { content: [{ content: [{ text: '[]' }] }] }],
  )
})

test('added tools are no turn', async (t) => {
  t.same(turns({ type: 'additional_tools', tools: [] }, user('x')), ['user: x'])
})

test('reasoning comes back with what its maker needs', async (t) => {
  const thought = (encrypted: string | null, text = 'hm') => {
    const summary = text === '' ? [] : [{ type: 'summary_text', text }]
    return { type: 'reasoning', summary, encrypted_content: encrypted }
  }
  const [message] = decodeInput([
    thought('sluice:s:EqQB'),
    thought('sluice:r:EmwK'),
    thought('gAAAA'),
    thought(null),
    thought(null, ''),
    called('1'),
    thought('sluice:c:1:google-gemini:sig', ''),
    thought('sluice:c:9:google-gemini:sig', ''),
  ]).messages
  t.same(message?.content, [
    { type: 'reasoning', text: 'hm', signature: 'EqQB', redacted: null },
    { type: 'reasoning', text: '', signature: null, redacted: 'EmwK' },
    { type: 'reasoning', text: 'hm', signature: 'openai-responses::gAAAA', redacted: null },
    { type: 'reasoning', text: 'hm', signature: null, redacted: null },
    { type: 'tool-call', id: '1', name: 'f', arguments: '{}', signature: 'google-gemini:sig' },
  ])
  t.same(turns(user('x'), called('1'), thought('sluice:c:1:s', ''), result('1')), [
    'user: x',
    'assistant: call 1',
    'tool: result 1',
  ])
})

test('an item that only the vendor knows is refused by its path and type, for another target to try', async (t) => {
  const error = thrownBy(() => decodeInput([user('x'), { type: 'web_search_call', id: 'w' }]))
  t.match(error, { code: 'invalid_request', param: 'input.1', retryable: true, message: /'web_search_call'/ })
})

test('a conversation of a hundred thousand items is read in one pass', async (t) => {
  const count = 100_000
  const many = (make: (i: number) => JsonObject) => Array.from({ length: count }, (_, i) => make(i))
  const started = process.cpuUsage()
  const signature = (i: number) => ({ type: 'reasoning', encrypted_content: `sluice:c:${i}:sig` })
  const input = [...many((i) => called(String(i))), ...many(signature), ...many(() => said('a'))]
  const { messages } = decodeInput(input)
  const { user } = process.cpuUsage(started)
  t.equal(messages[0]?.content.length, 2 * count)
  t.match(messages[0]?.content.at(-1), { type: 'tool-call', signature: 'sig' })
  // A second for what takes a tenth; a pass for each item takes minutes.
  t.ok(user < 5_000_000, `${user} us`)
})

test('an image that the model made is a part of its turn; one without its bytes is refused', async (t) => {
  const image = { type: 'image_generation_call', id: 'ig_1', result: 'iVBO' }
  const { messages } = decodeInput([user('Draw.'), image, user('Again.')])
  t.match(messages[1], {
    role: 'assistant',
    content: [{ type: 'made-image', source: { kind: 'base64', mediaType: 'image/png', base64: 'iVBO' } }],
  })
  t.match(
    thrownBy(() => decodeInput([{ ...image, result: null }])),
    { code: 'invalid_request', param: 'input.0' },
  )
})
