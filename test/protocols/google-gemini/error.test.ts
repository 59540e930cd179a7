// The vendor's error answers, by status.
import { test } from 'tap'
import { decodeError, refusesThinking } from '../../../src/protocols/google-gemini/error.js'
import { googleGemini } from '../../../src/protocols/google-gemini/index.js'
import { dialectOf, fixture } from '../../helpers/dialect.js'

const dialect = dialectOf(googleGemini)
const read = (status: number, name: string) => dialect.decodeError(status, fixture(`google-gemini/errors/${name}`))

test('an exhausted quota may be tried again, when the vendor says', (t) => {
  t.match(read(429, '429-resource-exhausted.json'), {
    code: 'rate_limited',
    status: 429,
    upstreamStatus: 429,
    retryable: true,
    upstreamType: 'RESOURCE_EXHAUSTED',
    retryAfterMs: 34_000,
  })
  const told = (retryDelay: string) =>
    dialect.decodeError(429, Buffer.from(JSON.stringify({ error: { details: [null, { retryDelay }] } }))).retryAfterMs
  t.equal(told('0.0745s'), 75)
  t.equal(told('1m'), null)
  t.end()
})

test('refusals keep their status and are final', (t) => {
  for (const [status, name, type, code] of [
    [400, '400-invalid-argument.json', 'INVALID_ARGUMENT', null],
    [403, '403-permission-denied.json', 'PERMISSION_DENIED', 'CONSUMER_SUSPENDED'],
    [404, '404-not-found.json', 'NOT_FOUND', 'model_not_found'],
  ] as const) {
    const error = read(status, name)
    t.match(error, { code: 'upstream_rejected', status, retryable: false, upstreamType: type }, name)
    t.equal(error.upstreamCode, code, name)
  }
  t.end()
})

test("a refused key is the gateway's: it has the status of one, and none of its words", (t) => {
  for (const [status, name] of [
    [400, '400-api-key-invalid.json'],
    [401, '401-unauthenticated.json'],
  ] as const) {
    t.match(read(status, name), {
      code: 'upstream_rejected',
      status: 401,
      upstreamStatus: status,
      upstreamType: null,
      upstreamCode: null,
      retryable: false,
      message: "The provider rejected the gateway's credentials.",
    })
  }
  t.end()
})

test('failures of the vendor may be tried again', (t) => {
  t.match(read(500, '500-internal.json'), { code: 'upstream_rejected', status: 500, retryable: true })
  t.match(read(503, '503-unavailable-array.json'), {
    code: 'upstream_overloaded',
    status: 503,
    upstreamType: 'UNAVAILABLE',
  })
  t.match(read(504, '504-deadline.json'), { code: 'upstream_timeout', status: 504, retryable: true })
  t.end()
})

test('keys never appear in a message', (t) => {
  const { message } = read(403, '403-permission-denied.json')
  t.match(message, /suspended/)
  t.notMatch(message, /AIza/)
  t.end()
})

test('a body that is not JSON gives its first words, an empty one the catalogue its message', (t) => {
  t.match(read(502, '502-page.html'), {
    code: 'upstream_rejected',
    status: 502,
    message: 'Error 502 (Server Error)!!1',
  })
  t.equal(dialect.decodeError(500, Buffer.alloc(0)).message, 'The provider rejected the request.')
  t.equal(dialect.decodeError(500, Buffer.from('{"error":"x"}')).message, '{"error":"x"}')
  t.equal(dialect.decodeError(500, Buffer.from('{"error":{}}')).message, 'The provider rejected the request.')
  t.end()
})

test('distinguishes a request that is too long from other invalid ones', (t) => {
  const message = 'The input token count (1196265) exceeds the maximum number of tokens allowed (1048576).'
  const body = Buffer.from(JSON.stringify({ error: { code: 400, message, status: 'INVALID_ARGUMENT' } }))
  t.match(dialect.decodeError(400, body), { code: 'context_length_exceeded', status: 400, retryable: false, message })
  t.equal(dialect.decodeError(429, body).code, 'rate_limited')
  t.end()
})

test('distinguishes a refusal of thinking as such from one of a budget and from others', async (t) => {
  const of = (message: string) => {
    return refusesThinking(
      decodeError(400, Buffer.from(JSON.stringify({ error: { code: 400, message, status: 'INVALID_ARGUMENT' } }))),
    )
  }
  t.ok(of('Thinking is not enabled for models/gemini-2.0-flash'))
  t.ok(of('Unable to submit request because thinking is not supported by this model.'))
  t.ok(of('Invalid JSON payload received. Unknown name "thinkingConfig" at \'generation_config\': Cannot find field.'))
  t.notOk(of('The thinking budget 99999 is invalid. Please choose a value between 0 and 24576.'))
  t.notOk(of('Budget 0 is invalid. This model only works in thinking mode.'))
  t.notOk(of('Please use a valid role: user, model.'))
})
