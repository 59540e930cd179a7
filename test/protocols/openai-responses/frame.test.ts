// How an event ends a stream.
import { test } from 'tap'
import { completedResponse, failureIn, responseOf } from '../../../src/protocols/openai-responses/frame.js'

test('a stream ends well with a complete or an incomplete response', async (t) => {
  const response = { status: 'completed' }
  t.equal(completedResponse({ type: 'response.completed', response }), response)
  t.equal(completedResponse({ type: 'response.incomplete', response }), response)
  t.equal(completedResponse({ type: 'response.created', response }), null)
  t.equal(completedResponse({ type: 'response.completed', response: { status: 'failed' } }), null)
  t.same(responseOf({}), {})
})

test('an error is found in every form: flat, nested, in the response, and in an envelope without a type', async (t) => {
  t.same(failureIn({ type: 'error', code: 'c', message: 'm', param: 'p' }), { code: 'c', message: 'm', param: 'p' })
  t.match(failureIn({ type: 'error', error: { code: 'c', message: 'm' } }), { code: 'c', message: 'm' })
  t.match(failureIn({ type: 'response.failed', response: { error: { code: 'c' } } }), { code: 'c' })
  t.match(failureIn({ type: 'response.failed' }), { code: 'server_error' })
  t.match(failureIn({ type: 'response.completed', response: { status: 'failed' } }), { code: 'server_error' })
  t.match(failureIn({ error: { message: 'm' } }), { message: 'm' })
  t.equal(failureIn({ error: 'words' }), 'words')
  for (const event of [{}, { type: 'response.completed' }, { error: null }, { error: '' }, { type: 'keepalive' }]) {
    t.equal(failureIn(event), null)
  }
})
