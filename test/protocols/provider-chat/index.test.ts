// The two halves of nothing but a surface: bodies of another one, answers and errors of its own.
import { test } from 'tap'
import { ERROR_CATALOGUE, errorData } from '../../../src/errors.js'
import { type ErrorCode } from '../../../src/model/error.js'
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

test('every code has its status, the text and its word', async (t) => {
  for (const code of Object.keys(ERROR_CATALOGUE) as ErrorCode[]) {
    const { status, message } = ERROR_CATALOGUE[code]
    const error = { message, type: code, param: null, code }
    t.same(protocol?.surface?.encodeError(errorData(code), 'id'), { status, body: { detail: message, error } })
  }
})

test("an upstream's own words go before ours", async (t) => {
  const error = errorData('upstream_rejected', { status: 404, upstreamType: 'gone', upstreamCode: 'x', param: 'model' })
  t.match(protocol?.surface?.encodeError(error, 'id'), {
    status: 404,
    body: { error: { type: 'gone', code: 'x', param: 'model' } },
  })
})
