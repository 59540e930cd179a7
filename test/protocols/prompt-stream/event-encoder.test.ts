// Typed events of the same answers.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { type StreamEvent } from '../../../src/model/event.js'
import { NO_USAGE } from '../../../src/model/usage.js'
import { EventEncoder, encodeErrorEvent } from '../../../src/protocols/prompt-stream/event-encoder.js'
import { FALLBACK } from '../../helpers/protocol-fixtures.js'

function encode(events: readonly StreamEvent[]): string {
  let written = ''
  const encoder = new EventEncoder((frame) => {
    written += frame
  })
  encoder.push({ type: 'start', meta: FALLBACK })
  for (const event of events) encoder.push(event)
  return written
}

const TEXT: readonly StreamEvent[] = [
  { type: 'block-start', index: 0, block: { kind: 'reasoning', redacted: null } },
  { type: 'block-delta', index: 0, delta: 'hm' },
  { type: 'block-end', index: 0, signature: null },
  { type: 'block-start', index: 1, block: { kind: 'text' } },
  { type: 'block-delta', index: 1, delta: '"a"\n\n' },
  { type: 'block-delta', index: 1, delta: '' },
  { type: 'block-end', index: 1, signature: null },
]

test('text is sent as deltas, the end has the usage; reasoning is left out', async (t) => {
  const usage = { ...NO_USAGE, inputTokens: 9, outputTokens: 3 }
  t.equal(
    encode([...TEXT, { type: 'finish', reason: 'stop', usage, stopSequence: null }]),
    'data: {"type":"delta","text":"\\"a\\"\\n\\n"}\n\ndata: {"type":"done","usage":{"input":9,"output":3}}\n\n',
  )
})

test('usage is null if the provider reports none', async (t) => {
  const written = encode([{ type: 'finish', reason: 'stop', usage: null, stopSequence: null }])
  t.equal(written, 'data: {"type":"done","usage":null}\n\n')
})

test('what broke off ends with an error and no done', async (t) => {
  const error = errorData('upstream_cut', { message: 'a\nb' })
  const written = encode([...TEXT, { type: 'error', error }]) + encodeErrorEvent(error)
  t.notMatch(written, /done/)
  t.ok(written.endsWith('data: {"type":"error","error":"a\\nb"}\n\n'))
})
