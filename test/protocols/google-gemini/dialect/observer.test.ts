// The observer must say of each frame what the decoder would make of it, without decoding most of them.
import { test } from 'tap'
import { FRAME_BROKEN, FRAME_CONTENT, FRAME_ERROR, FRAME_OTHER } from '../../../../src/protocols/contract/protocol.js'
import { googleGemini } from '../../../../src/protocols/google-gemini/index.js'
import { cases, decode, dialectOf, payloads, target } from '../../../helpers/dialect.js'

const dialect = dialectOf(googleGemini)
const TARGET = target('google-gemini')
const observer = () => dialect.createObserver({ stripUsage: true, target: TARGET })

test('agrees with the decoder on completeness and usage of every recorded stream', (t) => {
  for (const name of cases('google-gemini/streams')) {
    const frames = payloads(`google-gemini/streams/${name}.sse`)
    const watching = observer()
    for (const frame of frames) watching.observe(frame)
    const last = decode(dialect, frames, TARGET).at(-1)
    t.equal(watching.isComplete(), last?.type === 'finish', name)
    if (last?.type === 'finish') t.strictSame(watching.usage, last.usage, name)
  }
  t.end()
})

test('recognizes content and calls by their bits; the end is that of the body', (t) => {
  const bits = (name: string) => {
    const watching = observer()
    return payloads(`google-gemini/streams/${name}.sse`).map((frame) => watching.observe(frame))
  }
  t.strictSame(bits('text'), [FRAME_CONTENT, FRAME_CONTENT, FRAME_CONTENT])
  t.strictSame(bits('reasoning'), [FRAME_CONTENT, FRAME_CONTENT, FRAME_CONTENT, FRAME_CONTENT])
  t.strictSame(bits('parallel-tools'), [FRAME_CONTENT, FRAME_CONTENT, FRAME_OTHER])
  t.strictSame(bits('prompt-blocked'), [FRAME_OTHER])
  t.strictSame(bits('error-midstream'), [FRAME_CONTENT, FRAME_ERROR])
  t.end()
})

test('counts the bytes of content alone', (t) => {
  const watching = observer()
  for (const frame of payloads('google-gemini/streams/text.sse')) watching.observe(frame)
  t.equal(watching.contentBytes, 'The sky is blue because air scatters short waves more.'.length)
  t.equal(watching.error, null)
  t.end()
})

test('is not deceived by words in the text that look like members of the frame', (t) => {
  const watching = observer()
  const frame = (value: object) => watching.observe(Buffer.from(JSON.stringify(value)))
  const parts = (...list: object[]) => ({ candidates: [{ content: { parts: list } }] })
  t.equal(watching.usage, null)
  t.equal(frame(parts({ text: '' }, { text: '"text":"\\' })), FRAME_CONTENT)
  t.equal(watching.contentBytes, Buffer.byteLength('\\"text\\":\\"\\\\'))
  t.equal(frame(parts({ text: '{"finishReason":"STOP"} "error":{}' })), FRAME_CONTENT)
  t.equal(frame(parts({ functionCall: { name: 'f', args: { finishReason: 'STOP', error: {} } } })), FRAME_CONTENT)
  t.equal(frame(parts({ text: '' })), FRAME_OTHER)
  t.equal(frame({ text: 7 }), FRAME_OTHER)
  t.notOk(watching.isComplete())
  t.equal(watching.observe(Buffer.from('"finishReason": "STOP"')), FRAME_BROKEN)
  t.equal(watching.observe(Buffer.from('{"text": "unclosed \\')), FRAME_BROKEN)
  t.notOk(watching.isComplete())
  t.end()
})

test('a model that names its reason in every chunk is heard to its end', (t) => {
  const watching = observer()
  const chunk = (part: object, finishReason: string) =>
    watching.observe(Buffer.from(JSON.stringify({ candidates: [{ content: { parts: [part] }, finishReason }] })))
  t.equal(chunk({ text: 'a' }, 'STOP'), FRAME_CONTENT)
  t.equal(watching.finish, 'stop')
  t.equal(chunk({ functionCall: { name: 'f', args: {} } }, 'STOP'), FRAME_CONTENT)
  t.equal(watching.finish, 'tool-calls')
  chunk({ text: '' }, 'MAX_TOKENS')
  t.equal(watching.finish, 'length')
  t.ok(watching.isComplete())
  t.end()
})

test('an error after the finish reason is no complete answer', (t) => {
  const watching = observer()
  watching.observe(Buffer.from('{"candidates":[{"finishReason":"STOP"}]}'))
  t.ok(watching.isComplete())
  watching.observe(Buffer.from('{"error":{"code":500,"message":"broken"}}'))
  t.notOk(watching.isComplete())
  t.match(watching.error, { code: 'upstream_rejected', message: 'broken' })
  t.end()
})

test('an image is content, alone or with the end of the answer', async (t) => {
  const parts = [{ inlineData: { mimeType: 'image/png', data: 'iVBO' } }]
  const frame = (rest: object) => Buffer.from(JSON.stringify({ candidates: [{ content: { parts }, ...rest }] }))
  t.equal(observer().observe(frame({})), FRAME_CONTENT)
  t.equal(observer().observe(frame({ finishReason: 'STOP' })), FRAME_CONTENT)
})
