// The error catalogue, the one error that is thrown, and law 8: every code has its place in every surface.
import { test } from 'tap'
import { ERROR_CATALOGUE, errorData, GatewayError, toGatewayError } from '../src/errors.js'
import { type ErrorCode } from '../src/model/error.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../src/model/json.js'
import { type Surface } from '../src/protocols/contract/protocol.js'
import { CLIENT_SURFACES, SURFACES } from './helpers/protocol-fixtures.js'

const CODES = Object.keys(ERROR_CATALOGUE) as ErrorCode[]

test('every code has an HTTP error status and a sentence', async (t) => {
  for (const [code, entry] of Object.entries(ERROR_CATALOGUE)) {
    t.ok(entry.status >= 400 && entry.status < 600, code)
    t.match(entry.message, /^[A-Z].*\.$/, code)
  }
})

test('makes plain data of the catalogue, with what is special laid over it', async (t) => {
  const plain = errorData('rate_limited')
  t.same(plain, {
    code: 'rate_limited',
    message: 'Rate limit exceeded.',
    retryable: true,
    status: 429,
    upstreamStatus: null,
    param: null,
    upstreamType: null,
    upstreamCode: null,
    retryAfterMs: null,
  })
  const special = {
    message: 'm',
    retryable: false,
    status: 402,
    upstreamStatus: 402,
    param: 'p',
    upstreamType: 't',
    upstreamCode: 'c',
    retryAfterMs: 5,
  }
  t.same(errorData('upstream_rejected', special), { code: 'upstream_rejected', ...special })
  t.same(structuredClone(plain), plain, 'it survives a crossing of threads')
})

test('carries the data and keeps the cause', async (t) => {
  const cause = new Error('below')
  const error = new GatewayError('internal', { cause })
  t.equal(error.cause, cause)
  t.equal(error.message, 'Internal error.')
  t.notOk('cause' in new GatewayError('internal'))
  const data = errorData('upstream_cut', { param: 'x', upstreamStatus: 200 })
  t.same(GatewayError.of(data).data, data)
})

test('makes internal of anything else that is thrown, its text only as the cause', async (t) => {
  const own = new GatewayError('not_found')
  t.equal(toGatewayError(own), own)
  for (const thrown of [new TypeError('secret'), 'secret', undefined]) {
    const error = toGatewayError(thrown)
    t.equal(error.data.code, 'internal')
    t.notMatch(JSON.stringify(error.data), 'secret')
    t.equal(error.cause, thrown)
  }
})

/** What another try may cure, here or at another target: a limit that refills, an upstream or a gateway that is ill for now. */
const RETRYABLE = [
  ...['rate_limited', 'upstream_unreachable', 'upstream_timeout', 'upstream_overloaded', 'upstream_malformed'],
  ...['upstream_cut', 'overloaded', 'storage_full', 'draining', 'maintenance'],
]

test('says which failures another try may cure', async (t) => {
  t.same(
    CODES.filter((code) => ERROR_CATALOGUE[code].retryable),
    RETRYABLE,
  )
})

const CHAT_CLIENT_FAULT = 'invalid_request_error'

/** Code -> the `type` and `code` of an envelope. One without a code has null there. */
type Envelopes = Readonly<Record<ErrorCode, readonly [type: string, code: string | null]>>

/** Both of this vendor's APIs have one envelope. */
const OF_OPENAI: Envelopes = {
  invalid_request: [CHAT_CLIENT_FAULT, null],
  unauthenticated: [CHAT_CLIENT_FAULT, 'invalid_api_key'],
  forbidden: [CHAT_CLIENT_FAULT, 'forbidden'],
  not_found: [CHAT_CLIENT_FAULT, 'unknown_url'],
  model_not_found: [CHAT_CLIENT_FAULT, 'model_not_found'],
  method_not_allowed: [CHAT_CLIENT_FAULT, 'method_not_allowed'],
  conflict: [CHAT_CLIENT_FAULT, 'conflict'],
  misdirected: [CHAT_CLIENT_FAULT, 'misdirected'],
  stream_gone: [CHAT_CLIENT_FAULT, 'stream_gone'],
  precondition_failed: [CHAT_CLIENT_FAULT, 'precondition_failed'],
  unsupported_media_type: [CHAT_CLIENT_FAULT, 'unsupported_media_type'],
  payload_too_large: [CHAT_CLIENT_FAULT, 'payload_too_large'],
  context_length_exceeded: [CHAT_CLIENT_FAULT, 'context_length_exceeded'],
  rate_limited: ['rate_limit_exceeded', 'rate_limit_exceeded'],
  budget_exceeded: ['insufficient_quota', 'insufficient_quota'],
  client_gone: ['server_error', 'client_gone'],
  slow_reader: ['server_error', 'slow_reader'],
  upstream_unreachable: ['server_error', 'upstream_unreachable'],
  upstream_timeout: ['server_error', 'upstream_timeout'],
  upstream_rejected: ['server_error', 'upstream_rejected'],
  upstream_auth: ['server_error', 'upstream_auth'],
  upstream_overloaded: ['server_error', 'upstream_overloaded'],
  upstream_malformed: ['server_error', 'upstream_malformed'],
  upstream_cut: ['server_error', 'upstream_cut'],
  overloaded: ['server_error', 'overloaded'],
  storage_full: ['server_error', 'storage_full'],
  storage_unavailable: ['server_error', 'storage_unavailable'],
  draining: ['server_error', 'draining'],
  maintenance: ['server_error', 'maintenance'],
  misconfigured: ['server_error', 'misconfigured'],
  internal: ['server_error', 'internal'],
}

/** By surface. */
const ENVELOPES: Readonly<Record<string, Envelopes>> = {
  'openai-chat': OF_OPENAI,
  'openai-responses': OF_OPENAI,
  'google-gemini': {
    invalid_request: ['INVALID_ARGUMENT', null],
    unauthenticated: ['UNAUTHENTICATED', null],
    forbidden: ['PERMISSION_DENIED', null],
    not_found: ['NOT_FOUND', null],
    model_not_found: ['NOT_FOUND', null],
    method_not_allowed: ['INVALID_ARGUMENT', null],
    conflict: ['FAILED_PRECONDITION', null],
    misdirected: ['INVALID_ARGUMENT', null],
    stream_gone: ['NOT_FOUND', null],
    precondition_failed: ['FAILED_PRECONDITION', null],
    unsupported_media_type: ['INVALID_ARGUMENT', null],
    payload_too_large: ['INVALID_ARGUMENT', null],
    context_length_exceeded: ['INVALID_ARGUMENT', null],
    rate_limited: ['RESOURCE_EXHAUSTED', null],
    budget_exceeded: ['RESOURCE_EXHAUSTED', null],
    client_gone: ['CANCELLED', null],
    slow_reader: ['CANCELLED', null],
    upstream_unreachable: ['UNAVAILABLE', null],
    upstream_timeout: ['DEADLINE_EXCEEDED', null],
    upstream_rejected: ['INTERNAL', null],
    upstream_auth: ['INTERNAL', null],
    upstream_overloaded: ['UNAVAILABLE', null],
    upstream_malformed: ['INTERNAL', null],
    upstream_cut: ['UNAVAILABLE', null],
    overloaded: ['UNAVAILABLE', null],
    storage_full: ['RESOURCE_EXHAUSTED', null],
    storage_unavailable: ['UNAVAILABLE', null],
    draining: ['UNAVAILABLE', null],
    maintenance: ['UNAVAILABLE', null],
    misconfigured: ['INTERNAL', null],
    internal: ['INTERNAL', null],
  },
  'anthropic-messages': {
    invalid_request: ['invalid_request_error', null],
    unauthenticated: ['authentication_error', null],
    forbidden: ['permission_error', null],
    not_found: ['not_found_error', null],
    model_not_found: ['not_found_error', null],
    method_not_allowed: ['invalid_request_error', null],
    conflict: ['invalid_request_error', null],
    misdirected: ['invalid_request_error', null],
    stream_gone: ['not_found_error', null],
    precondition_failed: ['invalid_request_error', null],
    unsupported_media_type: ['invalid_request_error', null],
    payload_too_large: ['request_too_large', null],
    context_length_exceeded: ['invalid_request_error', null],
    rate_limited: ['rate_limit_error', null],
    budget_exceeded: ['rate_limit_error', null],
    client_gone: ['invalid_request_error', null],
    slow_reader: ['timeout_error', null],
    upstream_unreachable: ['api_error', null],
    upstream_timeout: ['timeout_error', null],
    upstream_rejected: ['api_error', null],
    upstream_auth: ['api_error', null],
    upstream_overloaded: ['overloaded_error', null],
    upstream_malformed: ['api_error', null],
    upstream_cut: ['api_error', null],
    overloaded: ['overloaded_error', null],
    storage_full: ['api_error', null],
    storage_unavailable: ['api_error', null],
    draining: ['overloaded_error', null],
    maintenance: ['overloaded_error', null],
    misconfigured: ['api_error', null],
    internal: ['api_error', null],
  },
}

/** Type and code of an envelope. One vendor's has the status as its code, and the name of it for a type. */
function namesOf({ type, code = null, status }: JsonObject, answered: number): [JsonValue | undefined, JsonValue] {
  return code === answered ? [status, null] : [type, code]
}

function envelopeOf(body: JsonObject): JsonObject {
  return isJsonObject(body.error) ? body.error : {}
}

/** The others have words of their own for people, in bodies that differ: their own tests have them. */
const VENDOR_SURFACES = SURFACES.filter((surface) => !CLIENT_SURFACES.includes(surface) && !hasOnlyWords(surface))

/** One vendor's error is its message alone. */
function hasOnlyWords(surface: Surface): boolean {
  return typeof surface.encodeError(errorData('internal'), 'req-1').body.error === 'string'
}

test('8. every surface of a vendor’s wire has its row in the table above', async (t) => {
  t.same(VENDOR_SURFACES.map(({ id }) => id).sort(), Object.keys(ENVELOPES).sort())
})

for (const surface of SURFACES.filter((one) => !VENDOR_SURFACES.includes(one))) {
  test(`8. ${surface.id}: every code has its status and texts, and one last frame in mid-stream`, async (t) => {
    for (const code of CODES) {
      const error = errorData(code, { message: 'two\nlines "quoted"' })
      const { status, body } = surface.encodeError(error, 'req-1')
      t.equal(status, ERROR_CATALOGUE[code].status, code)
      for (const text of Object.values(body)) t.type(wordsOf(text), 'string', code)
      const frame = surface.encodeErrorFrame(error, 'req-1')
      const told = JSON.parse(surface.framing === 'sse' ? payloadOf(surface, frame) : frame)
      // A stream that is one document may be a list, which then has the error alone.
      const [only, ...others] = Array.isArray(told) ? told : [told]
      t.same([wordsOf(only.error), others], [error.message, []], code)
    }
  })
}

/** Frames of an error, where they are more than one. */
const ERROR_FRAMES: Readonly<Record<string, number>> = { 'openai-responses': 2 }

/** An error is its message, or an object that has it. */
function wordsOf(error: JsonValue | undefined): JsonValue | undefined {
  return isJsonObject(error) ? error.message : error
}

for (const surface of VENDOR_SURFACES) {
  test(`8. ${surface.id}: every code has its status and its envelope`, async (t) => {
    for (const code of CODES) {
      const error = errorData(code)
      const { status, body } = surface.encodeError(error, 'req-1')
      t.equal(status, ERROR_CATALOGUE[code].status, code)
      const envelope = envelopeOf(body)
      t.same(namesOf(envelope, status), ENVELOPES[surface.id]?.[code], code)
      // One vendor's clients know it by its first words: protocols/context-overflow.test.ts.
      const isOwnWords = code === 'context_length_exceeded' && surface.id === 'anthropic-messages'
      if (!isOwnWords) t.equal(envelope.message, error.message, code)
    }
  })

  test(`8. ${surface.id}: the same envelope goes into a stream as one frame, never with an end marker`, async (t) => {
    for (const code of CODES) {
      const error = errorData(code, { message: 'two\nlines', param: 'a.b' })
      const told = JSON.parse(payloadOf(surface, surface.encodeErrorFrame(error, 'req-1')))
      const { body } = surface.encodeError(error, 'req-1')
      // A frame may say more, for clients that read it otherwise.
      t.same(Object.fromEntries(Object.keys(body).map((member) => [member, told[member]])), body)
    }
  })

  test(`8. ${surface.id}: a status that the upstream gave goes before the catalogue's`, async (t) => {
    for (const status of [400, 402, 404, 422, 500, 529]) {
      const error = errorData('upstream_rejected', { status, upstreamStatus: status })
      t.equal(surface.encodeError(error, 'req-1').status, status)
    }
  })
}

/** The data of a frame that stands alone: one frame, one data line. */
function payloadOf(surface: Surface, frame: string): string {
  const isSse = surface.framing === 'sse'
  const pattern = isSse ? /^(?:event: [\w.]+\n)?data: ([^\n]*)\n\n$/ : /^([^\n]*)\n$/
  const frames = isSse ? frame.split(/(?<=\n\n)/) : [frame]
  const payloads = frames.map((one) => pattern.exec(one)?.[1])
  const [payload] = payloads
  if (payload === undefined || payloads.includes(undefined)) throw new Error(`not whole frames: ${frame}`)
  if (frames.length !== (ERROR_FRAMES[surface.id] ?? 1)) throw new Error(`${frames.length} frames: ${frame}`)
  return payload
}
