// Chat completions, as a gateway in front of the simulator answers.
import { test } from 'tap'
import { CHAT_COMPLETIONS } from '../../../../src/console/playground/apis/chat-completions.js'
import { readAnswer } from '../../../helpers/chat-answer.js'

const QUESTION = { model: 'a', prompt: 'Hi', tools: [] }

test('asks for a stream with its usage', async (t) => {
  t.match(CHAT_COMPLETIONS.body(QUESTION), { model: 'a', stream: true, stream_options: { include_usage: true } })
})

test('reads thoughts, text, calls of tools, usage, the end and errors', async (t) => {
  const delta = (members: object, reason: string | null = null) => ({
    choices: [{ delta: members, finish_reason: reason }],
  })
  const events = [
    delta({ role: 'assistant', reasoning_content: 'hm' }),
    delta({ content: 'Yes: ' }),
    delta({ tool_calls: [{ function: { name: 'look_up', arguments: '{"a"' } }] }),
    delta({ tool_calls: [{ function: { arguments: ':1}' } }] }, 'tool_calls'),
    { choices: [], usage: { completion_tokens: 7 } },
  ]
  const said = { answer: 'Yes: look_up {"a":1}', thinking: 'hm', reason: 'tool_calls', tokens: 7, failure: null }
  t.same(readAnswer(CHAT_COMPLETIONS, events), { ...said, isWhole: false })
  t.same(readAnswer(CHAT_COMPLETIONS, [...events, '[DONE]']), { ...said, isWhole: true })
  const failed = readAnswer(CHAT_COMPLETIONS, [{ error: { message: 'cut off' } }])
  t.match(failed, { failure: 'cut off', isWhole: false })
})
