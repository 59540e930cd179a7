// Whole answers: what stands in for what is missing, and what cannot be read. That streams decode to the same is law 5.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { googleGemini } from '../../../src/protocols/google-gemini/index.js'
import { dialectOf, FALLBACK, tooDeep } from '../../helpers/dialect.js'
import { thrownBy } from '../../helpers/thrown.js'

const dialect = dialectOf(googleGemini)

test('the fallback serves where the vendor names neither id nor model', (t) => {
  const answer = dialect.decodeResponse({ candidates: [{ content: { parts: [{ text: 'x' }] } }] }, FALLBACK)
  t.strictSame(answer.meta, FALLBACK)
  t.equal(answer.finishReason, 'stop')
  t.end()
})

test('a body without an answer is malformed, one with an error throws that error', (t) => {
  const thrown = (body: JsonObject) => thrownBy(() => dialect.decodeResponse(body, FALLBACK))
  t.match(thrown({ candidates: [] }), { code: 'upstream_malformed' })
  const limited = { error: { code: 429, message: 'slow', status: 'RESOURCE_EXHAUSTED' } }
  t.match(thrown(limited), { code: 'rate_limited', status: 429 })
  const parts = [{ functionCall: { name: 'f', args: tooDeep() } }]
  t.match(thrown({ candidates: [{ content: { parts } }] }), { code: 'upstream_malformed' })
  t.end()
})
