// The two halves are joined under one id.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { FRAME_OTHER } from '../../../src/protocols/contract/protocol.js'
import { PROTOCOLS } from '../../../src/protocols/index.js'
import { openaiResponses } from '../../../src/protocols/openai-responses/index.js'
import { META, payloadsOf, TARGET } from './streams.js'

const { surface, dialect } = openaiResponses

test('is registered with its route, framing and keepalive', async (t) => {
  t.ok(PROTOCOLS.includes(openaiResponses))
  t.same(surface?.routes, [
    { method: 'POST', path: '/v1/responses', isTriedByWebSocket: true },
    { method: 'POST', path: '/v1/responses/input_tokens', counts: true },
  ])
  t.same(surface?.encodeCount?.(7), { object: 'response.input_tokens', input_tokens: 7 })
  t.same(
    [surface?.framing, dialect?.framing, surface?.id, dialect?.id],
    ['sse', 'sse', 'openai-responses', 'openai-responses'],
  )
  t.equal(surface?.keepaliveFrame, ': ping\n', 'a comment of one line, which is no event to any client')
})

test('encoder and observer are made for one stream each', async (t) => {
  const frames: string[] = []
  const encoder = surface?.createEncoder((frame) => frames.push(frame), { includeUsage: true })
  encoder?.push({ type: 'start', meta: META })
  t.equal(payloadsOf(frames.join('')).length, 2)
  const observer = dialect?.createObserver({ stripUsage: true, target: TARGET })
  t.equal(observer?.observe(Buffer.from('{}')), FRAME_OTHER)
})

test('an error before any event stands for itself: both forms, then a failed response', async (t) => {
  const frame = surface?.encodeErrorFrame(errorData('upstream_timeout'), 'req-1') ?? ''
  t.match(payloadsOf(frame), [
    { type: 'error', sequence_number: 0, code: 'upstream_timeout', error: { code: 'upstream_timeout' } },
    { type: 'response.failed', sequence_number: 1, response: { id: 'resp_req-1', status: 'failed', output: [] } },
  ])
})
