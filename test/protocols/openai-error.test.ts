// Failures, both ways: whose fault, may it be retried, and no key in any text.
import { test } from 'tap'
import { ERROR_CATALOGUE, errorData } from '../../src/errors.js'
import { type ErrorCode } from '../../src/model/error.js'
import {
  decodeError,
  decodeStreamError,
  ERROR_TABLE,
  encodeError,
  encodeErrorFrame,
  refusesThinking,
} from '../../src/protocols/openai-error.js'
import { readBytes } from './openai-chat/recordings.js'

const decode = (file: string) => decodeError(Number(file.slice(0, 3)), readBytes(`errors/${file}`))

test('classifies recorded error answers as the vendors define them', (t) => {
  const expected = {
    '400-context-length.json': {
      code: 'context_length_exceeded',
      status: 400,
      retryable: false,
      upstreamCode: 'context_length_exceeded',
      param: 'messages',
    },
    '400-vllm.json': { code: 'upstream_rejected', status: 400, upstreamType: 'BadRequestError', upstreamCode: null },
    '400-gemini-list.json': { code: 'upstream_rejected', status: 400, message: 'API key not valid: *** was refused.' },
    '402-deepseek.json': { code: 'upstream_rejected', status: 402, retryable: false, message: 'Insufficient Balance' },
    '403-region.json': { code: 'upstream_rejected', status: 403, upstreamCode: 'unsupported_country_region_territory' },
    '404-model.json': { code: 'upstream_rejected', status: 404, upstreamCode: 'model_not_found' },
    '422-mistral.json': { code: 'upstream_rejected', status: 422, message: /Extra inputs are not permitted/ },
    '429-rate-limit.json': { code: 'rate_limited', status: 429, retryable: true, upstreamCode: 'rate_limit_exceeded' },
    '429-quota.json': { code: 'rate_limited', status: 429, retryable: false, upstreamType: 'insufficient_quota' },
    '429-openrouter.json': { code: 'rate_limited', status: 429, retryable: true, message: 'Provider returned error' },
    '500-server.json': { code: 'upstream_rejected', status: 500, retryable: true, upstreamType: 'server_error' },
    '502-proxy.html': {
      code: 'upstream_rejected',
      status: 502,
      retryable: true,
      message: '502 Bad Gateway 502 Bad Gateway nginx',
    },
    '503-overloaded.json': { code: 'upstream_overloaded', status: 503, retryable: true },
  }
  for (const [file, error] of Object.entries(expected)) {
    t.match(decode(file), { ...error, upstreamStatus: Number(file.slice(0, 3)) }, file)
  }
  t.end()
})

test('a refused provider key keeps its status, but none of its words', (t) => {
  const error = decode('401-invalid-key.json')
  t.match(error, {
    code: 'upstream_rejected',
    status: 401,
    upstreamStatus: 401,
    upstreamType: null,
    upstreamCode: null,
  })
  t.notMatch(JSON.stringify(encodeError(error)), /api key|sk-|invalid_api_key/i)
  t.end()
})

test('keys in upstream texts are masked, words around them are not', (t) => {
  const messageOf = (message: string) => decodeStreamError({ message }).message
  for (const key of [
    'sk-proj-abc123DEF',
    'sk-or-v1-0123456789',
    'gsk_abcdefgh',
    'xai-abcdefgh',
    'hf_abcdefgh',
    'AIzaSyA-1234567',
  ]) {
    t.equal(messageOf(`key ${key} is bad`), 'key *** is bad', key)
  }
  t.equal(messageOf('Authorization: Bearer abc.def-123'), 'Authorization: Bearer ***')
  t.equal(messageOf('eyJhbGciOiJIUzI1NiJ9.e30.x'), '***')
  t.equal(messageOf('a task-related risk_assessment'), 'a task-related risk_assessment')
  t.match(decodeStreamError({ message: 'm', type: 'sk-canary-123456' }), { upstreamType: '***' })
  t.end()
})

test('long texts are cut, empty and odd ones fall back to ours', (t) => {
  t.equal(decodeStreamError({ message: 'x'.repeat(5000) }).message.length, 1000)
  t.equal(decodeError(500, Buffer.from('y'.repeat(5000))).message.length, 200)
  t.equal(decodeError(500, Buffer.alloc(0)).message, ERROR_CATALOGUE.upstream_rejected.message)
  t.equal(decodeError(500, Buffer.from('[]')).message, ERROR_CATALOGUE.upstream_rejected.message)
  t.equal(decodeError(422, Buffer.from('{"detail":"nope"}')).message, 'nope')
  t.equal(decodeError(500, Buffer.from('{"error":"boom"}')).message, 'boom')
  t.equal(decodeStreamError({ message: 'm', type: 't'.repeat(101) }).upstreamType, null)
  t.end()
})

test('timeouts and overload have their own codes', (t) => {
  const codeOf = (status: number) => decodeError(status, Buffer.from('{}')).code
  t.strictSame([408, 504, 503, 529].map(codeOf), [
    'upstream_timeout',
    'upstream_timeout',
    'upstream_overloaded',
    'upstream_overloaded',
  ])
  t.end()
})

test('in-band errors are placed by their numeric code, else by their words, else by the upstream', (t) => {
  t.match(decodeStreamError({ code: 429 }), { code: 'rate_limited', upstreamStatus: 429 })
  t.match(decodeStreamError({ code: '503' }), { code: 'upstream_overloaded', upstreamStatus: 503 })
  t.match(decodeStreamError({ code: 'rate_limit_exceeded' }), {
    code: 'rate_limited',
    retryable: true,
    upstreamStatus: null,
  })
  t.match(decodeStreamError({ type: 'insufficient_quota' }), { code: 'rate_limited', retryable: false })
  t.match(decodeStreamError({ type: 'invalid_request_error' }), {
    code: 'upstream_rejected',
    status: 400,
    retryable: false,
  })
  t.match(decodeStreamError('boom'), { code: 'upstream_rejected', status: 500, retryable: true, message: 'boom' })
  t.end()
})

test('every code has its envelope', (t) => {
  t.match(encodeError(errorData('upstream_rejected', { status: 400 })), {
    body: { error: { type: 'invalid_request_error' } },
  })
  for (const code of Object.keys(ERROR_CATALOGUE) as ErrorCode[]) {
    const { status, body } = encodeError(errorData(code, { param: 'messages' }))
    t.equal(status, ERROR_CATALOGUE[code].status)
    t.strictSame(body, {
      error: {
        message: ERROR_CATALOGUE[code].message,
        type: ERROR_TABLE[code].type,
        param: 'messages',
        code: ERROR_TABLE[code].code,
      },
    })
  }
  t.end()
})

test("an upstream's own words go before ours", (t) => {
  t.match(encodeError(decode('429-quota.json')), {
    status: 429,
    body: { error: { type: 'insufficient_quota', code: 'insufficient_quota', param: null } },
  })
  t.end()
})

test('the in-band frame is one data line without an end marker', (t) => {
  const frame = encodeErrorFrame(errorData('upstream_cut', { message: 'a\n\ndata: [DONE]\n\n' }))
  t.match(frame, /^data: \{"error":\{[^\n]*\}\}\n\n$/)
  t.match(JSON.parse(frame.slice('data: '.length)), { error: { code: 'upstream_cut', type: 'server_error' } })
  t.end()
})

test('a request that is too long is known by whatever words the server has for it', async (t) => {
  const read = (status: number, error: object) => decodeError(status, Buffer.from(JSON.stringify({ error })))
  const errors = [
    { message: "This model's maximum context length is 2048 tokens. However, you requested 3000.", code: 400 },
    { message: 'the request exceeds the available context size', type: 'exceed_context_size_error', code: 400 },
    { message: 'too large for model with 32768 maximum context length', type: 'invalid_request_error' },
    { message: "This model's maximum prompt length is 131072 but the request contains 140000 tokens." },
    { message: 'Please reduce the length.', code: 'context_length_exceeded' },
    { message: 'Please reduce the length.', type: 'exceed_context_size_error', code: 'too_long' },
  ]
  for (const error of errors) {
    const data = read(400, error)
    t.match(
      data,
      { code: 'context_length_exceeded', status: 400, retryable: false, upstreamStatus: 400 },
      error.message,
    )
    t.match(encodeError(data).body, { error: { code: 'context_length_exceeded' } }, 'clients look for this word')
  }
  t.equal(read(500, { message: 'lost the context window' }).code, 'upstream_rejected', 'not with any status')
  t.equal(read(400, { message: 'max_tokens must be at least 1' }).code, 'upstream_rejected')
  t.equal(decodeStreamError({ message: 'x', code: 'context_length_exceeded' }).code, 'context_length_exceeded')
})

test('distinguishes a refusal of reasoning as such from one of a value and from others', async (t) => {
  const of = (error: object, status = 400) =>
    refusesThinking(decodeError(status, Buffer.from(JSON.stringify({ error }))))
  for (const [message, param] of [
    ["Unsupported parameter: 'reasoning_effort' is not supported with this model.", 'reasoning_effort'],
    ['Unrecognized request argument supplied: reasoning_effort', null],
    ['`reasoning_effort` is not supported with this model', null],
    ['[{"type":"extra_forbidden","loc":["body","reasoning_effort"],"msg":"Extra inputs are not permitted"}]', null],
    ["Unsupported parameter: 'reasoning.effort' is not supported with this model.", 'reasoning.effort'],
  ] as const) {
    t.ok(of({ message, param }), message)
    t.notOk(of({ message, param }, 500))
  }
  for (const message of [
    "Unsupported value: 'reasoning_effort' does not support 'xhigh' with this model. Supported values are: 'low'.",
    "Unsupported value: 'xhigh' is not supported for 'reasoning_effort' with this model.",
    "Unsupported parameter: 'temperature' is not supported with this model.",
    'reasoning_content must be a string',
    'No reasoning today.',
  ])
    t.notOk(of({ message }), message)
})
