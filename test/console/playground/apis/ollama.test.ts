// The Ollama API, as a gateway in front of the simulator answers.
import { test } from 'tap'
import { createOllama } from '../../../../src/console/playground/apis/ollama.js'
import { readAnswer } from '../../../helpers/chat-answer.js'

const QUESTION = { model: 'a', prompt: 'Hi', tools: [] }

const OLLAMA = createOllama('/ollama')

test('is below the prefix of the gateway, and streams unless it is told otherwise', async (t) => {
  t.equal(OLLAMA.path('sim/echo'), 'ollama/api/chat')
  t.equal(createOllama('').path('sim/echo'), 'api/chat')
  t.match(OLLAMA.body(QUESTION), { model: 'a', stream: true, messages: [{ role: 'user', content: 'Hi' }] })
  t.ok(OLLAMA.streams('/ollama/api/chat', {}))
  t.notOk(OLLAMA.streams('/ollama/api/chat', { stream: false }))
  t.notOk(OLLAMA.streams('/api/chat', {}))
})

test('reads thoughts, text, calls of tools, usage, the end and errors', async (t) => {
  const line = (message: object) => ({
    model: 'a',
    message: { role: 'assistant', content: '', ...message },
    done: false,
  })
  const lines = [
    line({}),
    line({ thinking: 'hm' }),
    line({ content: 'Yes: ' }),
    line({ tool_calls: [{ function: { name: 'look_up', arguments: { a: 1 } } }] }),
  ]
  const said = { answer: 'Yes: look_up {"a":1}', thinking: 'hm', failure: null }
  t.match(readAnswer(OLLAMA, lines), { ...said, isWhole: false })
  const end = { ...line({}), done: true, done_reason: 'stop', eval_count: 7 }
  t.match(readAnswer(OLLAMA, [...lines, end]), { ...said, reason: 'stop', tokens: 7, isWhole: true })
  t.match(readAnswer(OLLAMA, [...lines, { error: 'cut off' }]), { failure: 'cut off', isWhole: false })
})
