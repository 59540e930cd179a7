// The observer must say of each line what the decoder would make of it, without decoding most of them.
import { test } from 'tap'
import {
  FRAME_BROKEN,
  FRAME_CONTENT,
  FRAME_END,
  FRAME_ERROR,
  FRAME_OTHER,
} from '../../../../src/protocols/contract/protocol.js'
import { ollamaChat } from '../../../../src/protocols/ollama-chat/index.js'
import { cases, decode, dialectOf, payloads, target } from '../../../helpers/dialect.js'

const dialect = dialectOf(ollamaChat)
const TARGET = target('ollama-chat')
const observer = () => dialect.createObserver({ stripUsage: true, target: TARGET })

test('agrees with the decoder on completeness and usage of every recorded stream', (t) => {
  for (const name of cases('ollama-chat/streams')) {
    const lines = payloads(`ollama-chat/streams/${name}.ndjson`)
    const watching = observer()
    for (const line of lines) watching.observe(line)
    const last = decode(dialect, lines, TARGET).at(-1)
    t.equal(watching.isComplete(), last?.type === 'finish', name)
    if (last?.type === 'finish') t.strictSame(watching.usage, last.usage, name)
  }
  t.end()
})

test('recognizes content, calls, the end and errors by their bits, and counts only content', (t) => {
  const bits = (name: string) => {
    const watching = observer()
    const seen = payloads(`ollama-chat/streams/${name}.ndjson`).map((line) => watching.observe(line))
    return [...seen, watching.contentBytes]
  }
  t.strictSame(bits('text'), [FRAME_CONTENT, FRAME_CONTENT, FRAME_CONTENT, FRAME_END, 'The sky is blue.'.length])
  t.strictSame(bits('reasoning').slice(0, 5), [FRAME_CONTENT, FRAME_CONTENT, FRAME_CONTENT, FRAME_CONTENT, FRAME_END])
  t.strictSame(bits('tool-call'), [FRAME_CONTENT, FRAME_END, '{"city":"Tokyo"}'.length])
  t.strictSame(bits('error-midstream').slice(0, 3), [FRAME_CONTENT, FRAME_CONTENT, FRAME_ERROR])
  t.end()
})

test('is not deceived by words in the text that look like members of the line', (t) => {
  const watching = observer()
  const line = (value: object) => watching.observe(Buffer.from(JSON.stringify(value)))
  t.equal(line({ message: { content: '"done": true, "error":"x" \\' } }), FRAME_CONTENT)
  t.equal(watching.contentBytes, Buffer.byteLength('\\"done\\": true, \\"error\\":\\"x\\" \\\\'))
  t.equal(line({ message: { tool_calls: [{ function: { name: 'f', arguments: { done: true } } }] } }), FRAME_CONTENT)
  t.equal(line({ message: { content: '' }, done: false }), FRAME_OTHER)
  t.equal(line({ message: { content: null, thinking: 7 } }), FRAME_OTHER)
  t.equal(watching.observe(Buffer.from('{"done": true')), FRAME_BROKEN)
  t.equal(watching.observe(Buffer.from('{"content": "unclosed \\')), FRAME_BROKEN)
  t.notOk(watching.isComplete())
  t.equal(watching.observe(Buffer.from('{"message":{"content":"x"},"done": true}')), FRAME_CONTENT | FRAME_END)
  t.ok(watching.isComplete())
  t.end()
})

test('an error after the end is no complete answer', (t) => {
  const watching = observer()
  watching.observe(Buffer.from('{"done":true}'))
  watching.observe(Buffer.from('{"error":"broken"}'))
  t.notOk(watching.isComplete())
  t.match(watching.error, { message: 'broken' })
  t.end()
})
