// Whole answers, and the law that a stream and a whole answer of the same content decode to the same.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { ollamaChat } from '../../../src/protocols/ollama-chat/index.js'
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

const dialect = dialectOf(ollamaChat)

test('aggregate(decode(stream)) = decodeResponse(json) for every pair of recordings', (t) => {
  for (const name of cases('ollama-chat/responses')) {
    const events = decode(dialect, payloads(`ollama-chat/streams/${name}.ndjson`), target('ollama-chat'))
    t.strictSame(dialect.decodeResponse(json(`ollama-chat/responses/${name}.json`), FALLBACK), aggregate(events), name)
  }
  t.end()
})

test('a body without an answer is malformed, one with an error throws that error', (t) => {
  const thrown = (body: JsonObject) => thrownBy(() => dialect.decodeResponse(body, FALLBACK))
  t.match(thrown({ model: 'm' }), { code: 'upstream_malformed' })
  t.match(thrown({ error: 'out of memory' }), { code: 'upstream_rejected', message: 'out of memory' })
  const calls = [{ function: { name: 'f', arguments: tooDeep() } }]
  t.match(thrown({ message: { tool_calls: calls } }), { code: 'upstream_malformed' })
  t.end()
})
