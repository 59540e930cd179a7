// What the playground sends in each API, and what it reads of the events: answers of a gateway in front of the simulator.
import { test } from 'tap'
import { CHAT_APIS, type ChatApi, readTools } from '../../../src/console/playground/chat-api.js'

const [CHAT, MESSAGES, RESPONSES] = CHAT_APIS
const QUESTION = { model: 'a', prompt: 'Hi', tools: [] }

/** Everything that these events say. */
function read(api: ChatApi, events: readonly (object | string)[]) {
  const said = { answer: '', thinking: '', reason: '', tokens: 0, failure: null as unknown, isWhole: false }
  for (const event of events) {
    api.read(typeof event === 'string' ? event : JSON.stringify(event), {
      text: (kind, text) => {
        said[kind] += text
      },
      finish: (reason) => {
        said.reason = reason
      },
      usage: (tokens) => {
        said.tokens = tokens
      },
      fail: (message) => {
        said.failure = message
      },
      close: () => {
        said.isWhole = true
      },
    })
  }
  return said
}

test('each asks for a stream of the model, with tools only where there are some', async (t) => {
  t.match(CHAT.body(QUESTION), { model: 'a', stream: true, stream_options: { include_usage: true } })
  t.match(MESSAGES.body(QUESTION), { model: 'a', stream: true, max_tokens: Number, messages: [{ content: 'Hi' }] })
  t.match(RESPONSES.body(QUESTION), { model: 'a', stream: true, store: false, input: 'Hi' })
  const tools = [{ name: 'look_up' }]
  for (const api of CHAT_APIS) {
    t.notOk('tools' in api.body(QUESTION), api.name)
    t.match(api.body({ ...QUESTION, tools }), { tools }, api.name)
  }
})

test('tools are a JSON list, or nothing', async (t) => {
  t.same(readTools(' \n'), [])
  t.same(readTools('[{"name":"a"}]'), [{ name: 'a' }])
  for (const text of ['{}', 'null', '"a"']) t.throws(() => readTools(text), /It is no list/)
  t.throws(() => readTools('[{'), SyntaxError)
})

test('Messages: thoughts, text, calls of tools, usage, the end and errors', async (t) => {
  const delta = (members: object) => ({ type: 'content_block_delta', index: 0, delta: members })
  const events = [
    { type: 'message_start', message: { usage: { output_tokens: 1 } } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    delta({ type: 'thinking_delta', thinking: 'hm' }),
    delta({ type: 'signature_delta', signature: 'x' }),
    delta({ type: 'text_delta', text: 'Yes: ' }),
    { type: 'content_block_start', index: 1, content_block: { type: 'tool_use', name: 'look_up' } },
    delta({ type: 'input_json_delta', partial_json: '{"a":1}' }),
    { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 7 } },
  ]
  const said = { answer: 'Yes: look_up {"a":1}', thinking: 'hm', reason: 'tool_use', tokens: 7, failure: null }
  t.same(read(MESSAGES, events), { ...said, isWhole: false })
  t.same(read(MESSAGES, [...events, { type: 'message_stop' }]), { ...said, isWhole: true })
  t.match(read(MESSAGES, [{ type: 'error', error: { message: 'cut off' } }]), { failure: 'cut off', isWhole: false })
})

test('Responses: thoughts, text, calls of tools, usage, the end and errors', async (t) => {
  const events = [
    { type: 'response.reasoning_text.delta', delta: 'h' },
    { type: 'response.reasoning_summary_text.delta', delta: 'm' },
    { type: 'response.output_item.added', item: { type: 'message' } },
    { type: 'response.output_text.delta', delta: 'Yes: ' },
    { type: 'response.output_text.done', text: 'Yes: ' },
    { type: 'response.output_item.added', item: { type: 'function_call', name: 'look_up' } },
    { type: 'response.function_call_arguments.delta', delta: '{"a":1}' },
  ]
  const completed = { type: 'response.completed', response: { status: 'completed', usage: { output_tokens: 7 } } }
  const said = { answer: 'Yes: look_up {"a":1}', thinking: 'hm', failure: null }
  t.match(read(RESPONSES, events), { ...said, isWhole: false })
  t.match(read(RESPONSES, [...events, completed]), { ...said, reason: 'completed', tokens: 7, isWhole: true })
  const cut = { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } }
  t.match(read(RESPONSES, [{ type: 'response.incomplete', response: cut }]), { reason: 'max_output_tokens' })
  const failed = { type: 'response.failed', response: { error: { message: 'cut off' } } }
  t.match(read(RESPONSES, [failed]), { failure: 'cut off', isWhole: false })
  t.match(read(RESPONSES, [{ type: 'error', message: 'refused' }]), { failure: 'refused', isWhole: false })
})
