// The table of endpoints.
import { test } from 'tap'
import { openaiEndpoints } from '../../../src/protocols/openai-endpoints/endpoints.js'

const BY_ID = new Map(openaiEndpoints.map((surface) => [surface.endpoint?.id, surface]))

test('each endpoint is a surface with a label and a path of its own', (t) => {
  t.equal(BY_ID.size, openaiEndpoints.length)
  t.equal(new Set(openaiEndpoints.map(({ id }) => id)).size, openaiEndpoints.length)
  for (const { id, routes, endpoint } of openaiEndpoints) {
    t.same(routes, [{ method: 'POST', path: `/v1/${endpoint?.id}` }], id)
    t.equal(endpoint?.createObserver(false).isComplete(), false)
  }
  t.end()
})

test('tokens as input are a need, and completions reserve what they may generate', (t) => {
  const facts = (id: string, body: object) => BY_ID.get(id as never)?.readFacts({ model: 'm', ...body })
  t.same(facts('embeddings', { input: 'a' })?.endpoint?.needs, [])
  t.same(facts('embeddings', { input: [1] })?.endpoint?.needs, ['tokens'])
  t.match(facts('completions', { max_tokens: 9, best_of: 3 }), { maxOutputTokens: 9, answers: 3 })
  t.match(facts('completions', {}), { maxOutputTokens: 16 })
  t.equal(facts('completions', { stream: true })?.endpoint?.asksStream, true)
  t.equal(facts('images/generations', {})?.endpoint?.asksStream, false)
  t.equal(facts('audio/speech', {})?.endpoint?.asksStream, true, 'audio is bytes')
  t.end()
})
