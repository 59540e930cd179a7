// What is read of a request that nobody translates.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { readFacts } from '../../../src/protocols/raw-passthrough/request.js'
import { thrownBy } from '../../helpers/thrown.js'

const PLAIN = { provider: 'p', path: '/x', body: {} }

test('where it goes, and what of its body counts', async (t) => {
  t.strictSame(readFacts(PLAIN), {
    model: '',
    stream: false,
    includeUsage: true,
    maxOutputTokens: null,
    provider: 'p',
    prompt: null,
    raw: { path: '/x', model: null, asksStream: false },
  })
  const body = { model: 'inner', stream: true, max_tokens: 7 }
  t.match(readFacts({ model: 'outer', path: '/x', body }), {
    model: 'outer',
    provider: null,
    maxOutputTokens: 7,
    raw: { model: 'inner', asksStream: true },
  })
  t.equal(readFacts({ ...PLAIN, body }).model, 'inner')
  t.equal(readFacts({ ...PLAIN, path: '/models/m:streamGenerateContent' }).raw?.asksStream, true)
  t.equal(readFacts({ ...PLAIN, body: [] }).raw?.model, null)
  const config = { candidateCount: 8, maxOutputTokens: 500 }
  t.match(readFacts({ ...PLAIN, body: { generationConfig: config } }), { answers: 8, maxOutputTokens: 500 })
  t.match(readFacts({ ...PLAIN, body: { options: { num_predict: 40 } } }), { answers: undefined, maxOutputTokens: 40 })
  t.equal(readFacts({ ...PLAIN, body: { n: 2, best_of: 3 } }).answers, 3)
  t.equal(readFacts({ ...PLAIN, body: { max_tokens: 1e300, max_output_tokens: 3 } }).maxOutputTokens, 3)
})

const WRONG: readonly (readonly [param: string, body: JsonObject])[] = [
  ['provider', { path: '/x', body: {} }],
  ['provider', { ...PLAIN, provider: 7 }],
  ['provider', { ...PLAIN, provider: '' }],
  ['model', { ...PLAIN, model: {} }],
  ['model', { ...PLAIN, model: 'm'.repeat(257) }],
  ['path', { provider: 'p', body: {} }],
  ['path', { ...PLAIN, path: ['/x'] }],
  ['path', { ...PLAIN, path: '/../x' }],
  ['body', { provider: 'p', path: '/x' }],
  ['body', { ...PLAIN, body: 'text' }],
  ['body', { ...PLAIN, body: null }],
  ['body.model', { ...PLAIN, body: { model: 7 } }],
  ['body.Model', { ...PLAIN, body: { model: 'm', Model: 'n' } }],
  ['url', { ...PLAIN, url: 'http://evil' }],
  ['headers', { ...PLAIN, headers: { authorization: 'x' } }],
  ['method', { ...PLAIN, method: 'GET' }],
]

test('anything else is refused by its name', async (t) => {
  for (const [param, body] of WRONG) {
    t.match(
      thrownBy(() => readFacts(body)),
      { code: 'invalid_request', param },
      param,
    )
  }
})
