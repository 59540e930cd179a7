// The two halves are joined under one id.
import { test } from 'tap'
import { type StreamEvent } from '../../../src/model/event.js'
import { FRAME_END } from '../../../src/protocols/contract/protocol.js'
import { PROTOCOLS } from '../../../src/protocols/index.js'
import { openaiChat } from '../../../src/protocols/openai-chat/index.js'
import { DONE, FALLBACK, readStream, targetWith } from './recordings.js'

test('is registered with its route, framing and keepalive', (t) => {
  t.ok(PROTOCOLS.includes(openaiChat))
  const { surface, dialect } = openaiChat
  t.strictSame(surface?.routes, [
    { method: 'POST', path: '/v1/chat/completions' },
    { method: 'POST', path: '/v1/chat/stream', streams: true },
  ])
  t.strictSame([surface?.framing, surface?.keepaliveFrame, dialect?.framing], ['sse', ': ping\n', 'sse'])
  t.strictSame([surface?.id, dialect?.id], ['openai-chat', 'openai-chat'])
  t.end()
})

test('decoder, encoder and observer are made for one stream each', (t) => {
  const { surface, dialect } = openaiChat
  const frames: string[] = []
  const encoder = surface?.createEncoder((frame) => frames.push(frame), { includeUsage: false })
  const decoder = dialect?.createDecoder((event: StreamEvent) => encoder?.push(event), {
    fallback: FALLBACK,
    target: targetWith(),
  })
  for (const frame of readStream('text')) decoder?.push(frame)
  t.equal(frames.at(-1), 'data: [DONE]\n\n')
  t.equal(dialect?.createObserver({ stripUsage: false, target: targetWith() }).observe(DONE), FRAME_END)
  t.end()
})
