import { test } from 'tap'
import { json, queryParameter, refusal, UNAUTHENTICATED } from '../../../src/server/openapi/operation-parts.js'

test('parts of operations show what they say, with the headers of every answer', (t) => {
  t.same(queryParameter('limit', { type: 'integer' }), { name: 'limit', in: 'query', schema: { type: 'integer' } })
  t.match(json('An answer', { a: 1 }), {
    description: 'An answer',
    headers: { 'x-request-id': { $ref: '#/components/headers/x-request-id' } },
    content: { 'application/json': { examples: { answer: { value: { a: 1 } } } } },
  })
  const value = { error: { message: 'No.', type: 'x', param: 'p', code: 'x' } }
  t.match(refusal('No.', 'x', 'p'), { content: { 'application/json': { examples: { answer: { value } } } } })
  t.match(UNAUTHENTICATED, { description: 'Missing or unknown API key.' })
  t.end()
})
