// The stream as one JSON array, as events and as payloads that pass.
import { test } from 'tap'
import { type StreamEvent } from '../../../src/model/event.js'
import { ArrayEncoder, encodeArrayError } from '../../../src/protocols/google-gemini/array-encoder.js'

const META = { id: 'r1', model: 'fast', createdSec: 1, usage: null }

function write(events: readonly StreamEvent[]): string {
  let text = ''
  const encoder = new ArrayEncoder((piece) => {
    text += piece
  })
  for (const event of events) encoder.push(event)
  return text
}

const START: readonly StreamEvent[] = [
  { type: 'start', meta: META },
  { type: 'block-start', index: 0, block: { kind: 'text' } },
  { type: 'block-delta', index: 0, delta: 'a' },
]

test('a whole stream is one array of its chunks, and a cut one ends with its error', async (t) => {
  const whole = JSON.parse(
    write([
      ...START,
      { type: 'block-end', index: 0, signature: null },
      { type: 'finish', reason: 'stop', usage: null, stopSequence: null },
    ]),
  )
  t.match(whole, [
    { candidates: [{ content: { parts: [{ text: 'a' }] } }] },
    { candidates: [{ finishReason: 'STOP' }] },
  ])
  t.equal(whole.length, 2)
  t.match(JSON.parse(write(START) + encodeArrayError('{"error":{}}', true)), [{ candidates: [{}] }, { error: {} }])
  t.same(JSON.parse(encodeArrayError('{"error":{}}', false)), [{ error: {} }])
  t.equal(write([START[0] as StreamEvent]), '', 'nothing before the first chunk: an early failure is a whole array')
})
