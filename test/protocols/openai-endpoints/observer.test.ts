// The frames of an endpoint's stream.
import { test } from 'tap'
import {
  FRAME_BROKEN,
  FRAME_CONTENT,
  FRAME_END,
  FRAME_ERROR,
  FRAME_OTHER,
} from '../../../src/protocols/contract/protocol.js'
import { EndpointObserver } from '../../../src/protocols/openai-endpoints/observer.js'

const observerOf = (needsMarker: boolean, isDelimited: boolean) => new EndpointObserver({ needsMarker, isDelimited })

function observe(observer: EndpointObserver, ...frames: (object | string)[]): number[] {
  return frames.map((frame) => observer.observe(Buffer.from(typeof frame === 'string' ? frame : JSON.stringify(frame))))
}

test('text is counted, and usage wherever it comes', (t) => {
  const observer = observerOf(true, true)
  const usage = { prompt_tokens: 1, completion_tokens: 2 }
  const bits = observe(observer, { choices: [{ text: 'abc' }, { text: 'd' }, {}] }, { choices: [], usage }, '[DONE]')
  t.same(bits, [FRAME_CONTENT, FRAME_CONTENT, FRAME_END])
  t.equal(observer.contentBytes, 4)
  t.match(observer.usage, { inputTokens: 1, outputTokens: 2 })
  t.ok(observer.isComplete())
  const transcript = observerOf(false, true)
  observe(transcript, { type: 'transcript.text.delta', delta: 'hello' })
  t.equal(transcript.contentBytes, 5)
  t.end()
})

test('a stream that needs its marker is not complete without it; one of events may end by HTTP, if HTTP marks its end', (t) => {
  const frame = { type: 'image_generation.partial_image' }
  for (const [needsMarker, isDelimited, isComplete] of [
    [true, true, false],
    [true, false, false],
    [false, true, true],
    [false, false, false],
  ] as const) {
    const observer = observerOf(needsMarker, isDelimited)
    observe(observer, frame, '', ' ')
    t.equal(observer.isComplete(), isComplete, `${needsMarker} ${isDelimited}`)
  }
  for (const type of [
    'image_generation.completed',
    'image_edit.completed',
    'transcript.text.done',
    'speech.audio.done',
  ]) {
    const observer = observerOf(false, false)
    t.same(observe(observer, frame, { type }), [FRAME_CONTENT, FRAME_END])
    t.ok(observer.isComplete(), type)
  }
  const segments = observerOf(false, false)
  observe(segments, { type: 'transcript.text.segment.done' })
  t.notOk(segments.isComplete())
  t.end()
})

test('an error ends the stream, in each of the forms that servers have, and so does a frame that is no object', (t) => {
  const forms = [
    { error: { message: 'no', code: 'rate_limit_exceeded' } },
    { type: 'error', message: 'no', code: 'rate_limit_exceeded' },
    { object: 'error', message: 'no', code: 'rate_limit_exceeded' },
  ]
  for (const form of forms) {
    const observer = observerOf(false, true)
    t.same(observe(observer, form), [FRAME_ERROR], JSON.stringify(form))
    t.match(observer.error, { code: 'rate_limited', message: 'no' })
    t.notOk(observer.isComplete())
  }
  t.same(observe(observerOf(false, true), '{"a":', '', 'x'), [FRAME_BROKEN, FRAME_OTHER, FRAME_BROKEN])
  t.end()
})
