// Path and registry of the protocol.
import { test } from 'tap'
import { googleGemini } from '../../../src/protocols/google-gemini/index.js'
import { PROTOCOLS } from '../../../src/protocols/index.js'
import { dialectOf, target } from '../../helpers/dialect.js'

const dialect = dialectOf(googleGemini)
const path = (model: string, stream = false) => dialect.path(target('google-gemini', { model }), stream)

test('the path names the model and the method', (t) => {
  t.equal(path('gemini-2.5-flash'), '/models/gemini-2.5-flash:generateContent')
  t.equal(path('gemini-2.5-flash', true), '/models/gemini-2.5-flash:streamGenerateContent?alt=sse')
  t.equal(path('models/gemini-2.5-flash'), '/models/gemini-2.5-flash:generateContent')
  t.end()
})

test('no model name leaves its path segment', (t) => {
  t.equal(path('../../v1/files?x#y'), '/models/..%2F..%2Fv1%2Ffiles%3Fx%23y:generateContent')
  t.equal(path('..'), '/models/..:generateContent')
  t.equal(path('%2e%2e/ü\r\n'), '/models/%252e%252e%2F%C3%BC%0D%0A:generateContent')
  t.equal(path('a\ud800b'), '/models/a%EF%BF%BDb:generateContent')
  t.end()
})

test('is registered, speaks SSE and edits nothing', (t) => {
  t.ok(PROTOCOLS.includes(googleGemini))
  t.equal(dialect.framing, 'sse')
  const facts = { model: 'x', stream: true, includeUsage: false, maxOutputTokens: null, provider: null, prompt: null }
  t.equal(dialect.editRequest(facts, {}, target('google-gemini')).edits.size, 0)
  t.end()
})
