// The two halves of nothing but a surface: bodies of another one, answers of its own.
import { test } from 'tap'
import { PROTOCOLS } from '../../../src/protocols/index.js'
import { UPSTREAM_FRAMES } from '../../../src/protocols/upstream-frames.js'

const protocol = PROTOCOLS.find(({ id }) => id === 'provider-chat')
const chat = PROTOCOLS[0]?.surface

test('only clients speak it, on a path with the provider in it, in any frames', async (t) => {
  t.equal(protocol?.dialect, null)
  t.same(protocol?.surface?.routes, [{ method: 'POST', path: '/v1/chat/{provider}' }])
  t.equal(protocol?.surface?.upstreamFrames, UPSTREAM_FRAMES)
})

test('its bodies are chat bodies', async (t) => {
  const body = {
    model: 'm',
    max_tokens: 7,
    messages: [
      { role: 'system', content: 's' },
      { role: 'user', content: 'u' },
    ],
  }
  t.same(protocol?.surface?.readFacts(body), chat?.readFacts(body))
  t.match(protocol?.surface?.decodeRequest(body), { system: [{ text: 's' }], sampling: { maxOutputTokens: 7 } })
})
