// Whole answers, and the law that a stream and a whole answer of the same content decode to the same.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { googleGemini } from '../../../src/protocols/google-gemini/index.js'
import {
  aggregate,
  cases,
  decode,
  dialectOf,
  FALLBACK,
  json,
  payloads,
  target,
  thrownBy,
  tooDeep,
} from '../../helpers/dialect.js'

const dialect = dialectOf(googleGemini)

test('aggregate(decode(stream)) = decodeResponse(json) for every pair of recordings', (t) => {
  for (const name of cases('google-gemini/responses')) {
    const events = decode(dialect, payloads(`google-gemini/streams/${name}.sse`), target('google-gemini'))
    t.strictSame(
      dialect.decodeResponse(json(`google-gemini/responses/${name}.json`), FALLBACK),
      aggregate(events),
      name,
    )
  }
  t.end()
})

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
