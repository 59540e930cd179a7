// Errors, both ways; no key gets through.
import { test } from 'tap'
import { ERROR_CATALOGUE, errorData } from '../../../src/errors.js'
import { type ErrorCode } from '../../../src/model/error.js'
import {
  decodeError,
  decodeErrorObject,
  encodeError,
  encodeErrorFrame,
  refusesThinking,
} from '../../../src/protocols/anthropic-messages/error.js'
import { bytesOf, filesOf, jsonOf, splitFrames } from './fixtures.js'

const decode = (file: string) => decodeError(Number(file.slice(0, 3)), bytesOf(`errors/${file}`))

test('decodes each recorded error as the vendor means it', async (t) => {
  const expected: Record<string, [ErrorCode, boolean, number]> = {
    '400-invalid-request.json': ['upstream_rejected', false, 400],
    '401-authentication.json': ['upstream_rejected', false, 401],
    '403-permission.json': ['upstream_rejected', false, 403],
    '404-not-found.json': ['upstream_rejected', false, 404],
    '413-too-large.json': ['upstream_rejected', false, 413],
    '429-rate-limit.json': ['rate_limited', true, 429],
    '429-spend-limit.json': ['rate_limited', false, 429],
    '500-api-error.json': ['upstream_rejected', true, 500],
    '502-html.html': ['upstream_rejected', true, 502],
    '504-timeout.json': ['upstream_timeout', true, 504],
    '529-overloaded.json': ['upstream_overloaded', true, 503],
  }
  t.strictSame(filesOf('errors'), Object.keys(expected))
  for (const [file, [code, retryable, status]] of Object.entries(expected)) {
    const error = decode(file)
    t.match(error, { code, retryable, status, upstreamStatus: Number(file.slice(0, 3)) }, file)
  }
})

test('keeps the upstream’s type, code and words', async (t) => {
  t.match(decode('429-spend-limit.json'), {
    upstreamType: 'rate_limit_error',
    upstreamCode: 'contract_spend_limit_reached',
    message: /spend limit/,
  })
  t.equal(decode('404-not-found.json').upstreamCode, 'model_not_found')
  t.equal(decodeErrorObject({ type: 'not_found_error', message: 'Not Found' }).upstreamCode, null)
  t.equal(decode('502-html.html').message, '502 Bad Gateway 502 Bad Gateway')
  t.equal(decodeError(500, new Uint8Array()).message, ERROR_CATALOGUE.upstream_rejected.message)
  t.equal(decodeError(500, Buffer.from('x'.repeat(999))).message.length, 200)
  t.match(decodeError(408, Buffer.from('{}')), { code: 'upstream_timeout', upstreamType: null })
})

test('masks keys in the upstream’s words', async (t) => {
  t.equal(decodeErrorObject({ message: 'bad key: sk-ant-api03-AbCd_EfGh-9' }).message, 'bad key: ***')
  t.equal(decodeError(502, Buffer.from('<p>sk-ant-api03-AbCd</p>')).message, '***')
  for (const key of ['sk-ant-api03-AbCdEfGh', 'sk-proj-12345678', 'AIzaSyA1234567890', 'Bearer abcdefghijkl']) {
    t.equal(decodeErrorObject({ message: `bad ${key}!` }).message.includes(key.slice(-8)), false, key)
  }
})

test('a refused gateway key keeps its status, but none of its words', async (t) => {
  const error = decode('401-authentication.json')
  t.match(error, { message: "The provider rejected the gateway's credentials.", upstreamType: null })
  t.match(encodeError(error, 'r'), { status: 401, body: { error: { type: 'authentication_error' } } })
})

test('cuts what is too long', async (t) => {
  t.equal(decodeErrorObject({ message: 'x '.repeat(999) }).message.length, 1000)
  t.equal(decodeError(500, Buffer.from('<'.repeat(1_000_000))).message.length, 200)
})

test('an error in a stream means the status of its type, though none came', async (t) => {
  const of = (type: string) => decodeErrorObject({ type, message: 'm' })
  t.match(of('rate_limit_error'), { code: 'rate_limited', upstreamStatus: null })
  t.match(of('invalid_request_error'), { code: 'upstream_rejected', status: 400, retryable: false })
  t.match(of('api_error'), { code: 'upstream_rejected', status: 500, retryable: true })
  t.match(of('novel_error'), { code: 'upstream_rejected', status: 500 })
  t.match(of('overloaded_error'), { code: 'upstream_overloaded', upstreamStatus: null })
  t.match(decodeErrorObject({}), { upstreamType: null, message: ERROR_CATALOGUE.upstream_rejected.message })
})

test('every code has an envelope of the vendor’s form', async (t) => {
  for (const code of Object.keys(ERROR_CATALOGUE) as ErrorCode[]) {
    const { status, body } = encodeError(errorData(code), 'req-9')
    t.equal(status, ERROR_CATALOGUE[code].status, code)
    t.match(body, { type: 'error', error: { type: /^[a-z_]+$/, message: String }, request_id: 'req-9' }, code)
  }
  t.match(encodeError(errorData('upstream_cut'), 'r').body, { error: { type: 'api_error' } })
  t.match(encodeError(errorData('draining'), 'r').body, { error: { type: 'overloaded_error' } })
})

test('the vendor’s errors come back out with status and type', async (t) => {
  for (const file of filesOf('errors').filter((name) => !/^401|html$/.test(name))) {
    const { status, body } = encodeError(decode(file), 'req-9')
    const theirs = jsonOf(`errors/${file}`)
    t.equal(status, Number(file.slice(0, 3)), file)
    t.match(body, { error: { type: (theirs.error as { type: string }).type } }, file)
  }
})

test('a refusal of another protocol gets the type of its status', async (t) => {
  const typeOf = (status: number, upstreamType: string | null = null) =>
    encodeError(errorData('upstream_rejected', { status, upstreamType }), 'r').body.error
  t.match(typeOf(403), { type: 'permission_error' })
  t.match(typeOf(400, 'insufficient_quota'), { type: 'invalid_request_error' })
  t.match(typeOf(404, 'invalid_request_error'), { type: 'not_found_error' })
  t.match(typeOf(422), { type: 'invalid_request_error' })
  t.match(typeOf(599), { type: 'api_error' })
})

test('an overloaded upstream’s own status is kept only where it says so', async (t) => {
  const statusOf = (upstreamStatus: number | null) =>
    encodeError(errorData('upstream_overloaded', { upstreamStatus }), 'r').status
  t.strictSame([429, 503, 529, 500, null].map(statusOf), [429, 503, 529, 503, 503])
})

test('the message opens with the field’s path, once', async (t) => {
  const messageOf = (message: string) =>
    encodeError(errorData('invalid_request', { message, param: 'top_k' }), 'r').body.error
  t.match(messageOf('is odd'), { message: 'top_k: is odd' })
  t.match(messageOf('top_k: is odd'), { message: 'top_k: is odd' })
})

test('the in-band frame is one error event', async (t) => {
  const frames = splitFrames(encodeErrorFrame(errorData('upstream_cut'), 'req-9'))
  t.equal(frames.length, 1)
  t.equal(frames[0]?.event, 'error')
  t.strictSame(JSON.parse(frames[0]?.data ?? ''), encodeError(errorData('upstream_cut'), 'req-9').body)
})

test('distinguishes a request that is too long from other invalid ones', async (t) => {
  const read = (message: string) => decodeErrorObject({ type: 'invalid_request_error', message }, 400)
  for (const message of [
    'prompt is too long: 208310 tokens > 200000 maximum',
    'input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000',
  ]) {
    t.match(read(message), { code: 'context_length_exceeded', status: 400, retryable: false, message })
  }
  t.equal(read('the prompt is too long to be true: no').code, 'upstream_rejected')
})

test('distinguishes a refusal of thinking as such from one of its form and from others', async (t) => {
  const of = (message: string) => refusesThinking(decodeErrorObject({ type: 'invalid_request_error', message }, 400))
  t.ok(of("'claude-3-5-haiku-20241022' does not support thinking."))
  t.ok(of('thinking is not supported on this model'))
  t.ok(of('thinking: Extra inputs are not permitted'))
  t.notOk(of('adaptive thinking is not supported on this model'))
  t.notOk(of('This model does not support the effort parameter.'))
  t.notOk(of('`max_tokens` must be greater than `thinking.budget_tokens`.'))
  t.notOk(of('messages.1.content.0: a `thinking` block is not supported here'))
  t.notOk(of('tools.0.custom.name: Field required'))
})
