// Messages, as a gateway in front of the simulator answers.
import { test } from 'tap'
import { MESSAGES } from '../../../../src/console/playground/apis/messages.js'
import { readAnswer } from '../../../helpers/chat-answer.js'

const QUESTION = { model: 'a', prompt: 'Hi', tools: [] }

test('asks for a stream, with the limit that the API requires', async (t) => {
  t.match(MESSAGES.body(QUESTION), { model: 'a', stream: true, max_tokens: Number, messages: [{ content: 'Hi' }] })
})

test('reads thoughts, text, calls of tools, usage, the end and errors', async (t) => {
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
  t.same(readAnswer(MESSAGES, events), { ...said, isWhole: false })
  t.same(readAnswer(MESSAGES, [...events, { type: 'message_stop' }]), { ...said, isWhole: true })
  t.match(readAnswer(MESSAGES, [{ type: 'error', error: { message: 'cut off' } }]), {
    failure: 'cut off',
    isWhole: false,
  })
})
