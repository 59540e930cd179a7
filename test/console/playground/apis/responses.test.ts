// Responses, as a gateway in front of the simulator answers.
import { test } from 'tap'
import { RESPONSES } from '../../../../src/console/playground/apis/responses.js'
import { readAnswer } from '../../../helpers/chat-answer.js'

const QUESTION = { model: 'a', prompt: 'Hi', tools: [] }

test('asks for a stream that nobody stores', async (t) => {
  t.match(RESPONSES.body(QUESTION), { model: 'a', stream: true, store: false, input: 'Hi' })
})

test('reads thoughts, text, calls of tools, usage, the end and errors', async (t) => {
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
  t.match(readAnswer(RESPONSES, events), { ...said, isWhole: false })
  t.match(readAnswer(RESPONSES, [...events, completed]), { ...said, reason: 'completed', tokens: 7, isWhole: true })
  const cut = { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } }
  t.match(readAnswer(RESPONSES, [{ type: 'response.incomplete', response: cut }]), { reason: 'max_output_tokens' })
  const failed = { type: 'response.failed', response: { error: { message: 'cut off' } } }
  t.match(readAnswer(RESPONSES, [failed]), { failure: 'cut off', isWhole: false })
  t.match(readAnswer(RESPONSES, [{ type: 'error', message: 'refused' }]), { failure: 'refused', isWhole: false })
})
