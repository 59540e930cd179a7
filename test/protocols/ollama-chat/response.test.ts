// Whole answers: what stands in for what is missing, and what cannot be read. That streams decode to the same is law 5.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { ollamaChat } from '../../../src/protocols/ollama-chat/index.js'
import { dialectOf, FALLBACK, tooDeep } from '../../helpers/dialect.js'
import { thrownBy } from '../../helpers/thrown.js'

const dialect = dialectOf(ollamaChat)

test('a body without an answer is malformed, one with an error throws that error', (t) => {
  const thrown = (body: JsonObject) => thrownBy(() => dialect.decodeResponse(body, FALLBACK))
  t.match(thrown({ model: 'm' }), { code: 'upstream_malformed' })
  t.match(thrown({ error: 'out of memory' }), { code: 'upstream_rejected', message: 'out of memory' })
  const calls = [{ function: { name: 'f', arguments: tooDeep() } }]
  t.match(thrown({ message: { tool_calls: calls } }), { code: 'upstream_malformed' })
  t.end()
})
