// The observer says of every passing frame what it is, without being fooled by content that looks like structure.
import { test } from 'tap'
import { type Quirks } from '../../../../src/model/target.js'
import {
  FRAME_BROKEN,
  FRAME_CONTENT,
  FRAME_END,
  FRAME_ERROR,
  FRAME_OTHER,
  FRAME_STRIP,
} from '../../../../src/protocols/contract/protocol.js'
import { ChatStreamObserver } from '../../../../src/protocols/openai-chat/dialect/observer.js'
import { cases, chunkOf, DONE, decodeStream, readStream, targetWith } from '../recordings.js'

function observe(frames: readonly Buffer[], stripUsage = false, quirks: Partial<Quirks> = {}) {
  const observer = new ChatStreamObserver({ stripUsage, target: targetWith(quirks) })
  return { bits: frames.map((frame) => observer.observe(frame)), observer }
}

const pretty = (frame: Buffer) =>
  Buffer.from(JSON.stringify(JSON.parse(frame.toString()), null, 1).replace(/":/g, '" :'))

test('observer and decoder agree on usage, completeness and error of every recorded stream', (t) => {
  for (const name of cases('streams')) {
    for (const frames of [
      readStream(name),
      readStream(name).map((frame) => (frame.equals(DONE) ? frame : pretty(frame))),
    ]) {
      const { observer } = observe(frames)
      const last = decodeStream(frames).at(-1)
      t.equal(observer.isComplete(), last?.type === 'finish', name)
      t.strictSame(observer.error, last?.type === 'error' ? last.error : null, name)
      if (last?.type === 'finish') t.strictSame(observer.usage, last.usage, name)
    }
  }
  t.end()
})

test('content is seen in exactly the frames that hold a delta', (t) => {
  for (const name of cases('streams')) {
    const frames = readStream(name)
    const { bits, observer } = observe(frames)
    for (const [i, frame] of frames.entries()) {
      const events = decodeStream([frame, DONE])
      const isCitation = events.some((event) => event.type === 'citation')
      const hasContent = !isCitation && events.some((event) => event.type === 'block-start')
      const isContent = ((bits[i] ?? 0) & FRAME_CONTENT) !== 0
      // A fragment of arguments alone opens no block, but is content.
      if (!frame.includes('"tool_calls"') && !frame.includes('"function_call"'))
        t.equal(isContent, hasContent, `${name} ${i}`)
    }
    t.ok(observer.contentBytes > 0, name)
  }
  t.end()
})

test('role, null and empty deltas are no content; text, reasoning, refusal, calls and parts are', (t) => {
  const empty = [{ role: 'assistant', content: '' }, { content: null }, {}, { tool_calls: [] }, { content: [] }]
  t.ok(observe(empty.map((delta) => chunkOf(delta))).bits.every((bits) => bits === FRAME_OTHER))
  const full = [
    { content: 'a' },
    { content: '', reasoning_content: 'a' },
    { reasoning: 'a' },
    { refusal: 'a' },
    { tool_calls: [{ index: 0, function: { arguments: '' } }] },
    { function_call: { name: 'f' } },
    { content: [{ type: 'text', text: 'a' }] },
  ]
  t.ok(observe(full.map((delta) => chunkOf(delta))).bits.every((bits) => bits === FRAME_CONTENT))
  t.end()
})

test('counts the bytes of content', (t) => {
  const frames = [
    chunkOf({ content: 'abc' }),
    chunkOf({ tool_calls: [{ index: 0, function: { arguments: '12345' } }] }),
  ]
  t.equal(observe(frames).observer.contentBytes, 8)
  t.equal(observe([Buffer.from('{"choices":[{"delta":{"content":"\\"\\\\"}}]}')]).observer.contentBytes, 4)
  t.equal(observe([Buffer.from('{"choices":[{"delta":{"content":"cut')]).observer.contentBytes, 0)
  t.end()
})

test('content that prints usage, errors or an end marker is content', (t) => {
  const texts = ['{"usage":{"prompt_tokens":9}}', '"error":{"message":"x"}', '[DONE]', 'usage', '"usage"']
  const { bits, observer } = observe(texts.map((content) => chunkOf({ content })))
  t.ok(bits.every((found) => found === FRAME_CONTENT))
  t.equal(observer.usage, null)
  t.equal(observer.error, null)
  t.end()
})

test('the chunk that holds nothing but usage is taken out only when asked', (t) => {
  const frame = Buffer.from('{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}')
  t.strictSame(observe([frame], true).bits, [FRAME_STRIP])
  t.strictSame(observe([frame], false).bits, [FRAME_OTHER])
  const withFinish = chunkOf({}, 'stop', { usage: { prompt_tokens: 1, completion_tokens: 2 } })
  const { bits, observer } = observe([withFinish], true)
  t.strictSame(bits, [FRAME_OTHER])
  t.match(observer.usage, { inputTokens: 1, outputTokens: 2 })
  t.end()
})

test('content beside usage stays content, and a leading chunk without choices passes', (t) => {
  const both = chunkOf({ content: 'a' }, null, { usage: { prompt_tokens: 1 }, x: { usage: null } })
  t.strictSame(observe([both], true).bits, [FRAME_CONTENT])
  const second = chunkOf({}, 'stop', { usage: null, x_groq: { usage: { prompt_tokens: 4 } } })
  t.match(observe([second]).observer.usage, { inputTokens: 4 })
  t.strictSame(observe([readStream('azure')[0] ?? DONE], true).bits, [FRAME_OTHER])
  t.end()
})

test('the end marker ends; what follows it or an error never reaches the client', (t) => {
  t.strictSame(observe([chunkOf({ content: 'a' }), DONE, DONE, chunkOf({ content: 'b' })]).bits, [
    FRAME_CONTENT,
    FRAME_END,
    FRAME_STRIP,
    FRAME_STRIP,
  ])
  const failed = observe([Buffer.from('{"error":{"message":"no","type":"server_error"}}'), DONE])
  t.strictSame(failed.bits, [FRAME_ERROR, FRAME_STRIP])
  t.equal(failed.observer.isComplete(), false)
  t.end()
})

test('errors are found as text, in the old form and not where they are null', (t) => {
  t.strictSame(observe([Buffer.from('{"error":"out of memory"}')]).bits, [FRAME_ERROR])
  t.strictSame(observe([Buffer.from('{"object":"error","message":"m"}')]).bits, [FRAME_ERROR])
  t.strictSame(observe([chunkOf({ content: 'a' }, null, { error: null })]).bits, [FRAME_CONTENT])
  t.strictSame(observe([chunkOf({}, 'error'), chunkOf({}, null, { error: {}, choices: [] })]).bits, [0, FRAME_ERROR])
  t.end()
})

test('of several answers the one that ends first says why', (t) => {
  const other = Buffer.from('{"id":"c","choices":[{"index":1,"delta":{},"finish_reason":"length"}]}')
  t.equal(observe([chunkOf({ content: 'a' }), chunkOf({}, 'stop'), other]).observer.finish, 'stop')
  t.equal(observe([chunkOf({ content: 'a' }), other, chunkOf({}, 'stop')]).observer.finish, 'length')
  t.end()
})

test('a vendor without an end marker is complete at the finish reason', (t) => {
  const frames = [chunkOf({ content: 'a' })]
  const end = chunkOf({}, 'stop')
  t.equal(observe([...frames, end], false, { doneMarker: false }).observer.isComplete(), true)
  t.equal(observe(frames, false, { doneMarker: false }).observer.isComplete(), false)
  t.equal(observe([...frames, end]).observer.isComplete(), false)
  t.end()
})

test('frames that are not JSON objects are broken, blank ones pass', (t) => {
  const frames = ['nope', '{"usage":{', '[1]', '', ' '].map((text) => Buffer.from(text))
  t.strictSame(observe(frames).bits, [FRAME_BROKEN, FRAME_BROKEN, FRAME_BROKEN, 0, 0])
  t.end()
})
