// Errors in the vendor's form. Every code of the catalogue is in test/errors.test.ts.
import { test } from 'tap'
import { errorData } from '../../../../src/errors.js'
import { decodeError } from '../../../../src/protocols/google-gemini/error.js'
import { encodeError } from '../../../../src/protocols/google-gemini/surface/encode-error.js'
import { readFixtures } from '../../../helpers/protocol-fixtures.js'

const INFO = 'type.googleapis.com/google.rpc.ErrorInfo'

test('the details say which key, which field and how long to wait', async (t) => {
  t.match(encodeError(errorData('unauthenticated')), {
    status: 401,
    body: { error: { code: 401, details: [{ '@type': INFO, reason: 'API_KEY_INVALID' }] } },
  })
  t.match(encodeError(errorData('invalid_request', { param: 'contents.0', message: 'No.' })).body, {
    error: { details: [{ fieldViolations: [{ field: 'contents.0', description: 'No.' }] }] },
  })
  t.match(encodeError(errorData('rate_limited', { retryAfterMs: 1200 })).body, {
    error: { code: 429, status: 'RESOURCE_EXHAUSTED', details: [{ retryDelay: '2s' }] },
  })
  t.notMatch(encodeError(errorData('internal')).body, { error: { details: [] } })
})

test('the name of a status that the upstream gave follows from it', async (t) => {
  for (const [status, name] of [
    [400, 'INVALID_ARGUMENT'],
    [402, 'INVALID_ARGUMENT'],
    [404, 'NOT_FOUND'],
    [503, 'UNAVAILABLE'],
    [529, 'INTERNAL'],
  ] as const) {
    t.match(encodeError(errorData('upstream_rejected', { status })).body, { error: { code: status, status: name } })
  }
})

test('an error of the vendor comes out with its status, its wait and its reason', async (t) => {
  for (const { name, bytes } of readFixtures('google-gemini', 'errors')) {
    const error = decodeError(Number(name.slice(0, 3)), bytes)
    const { status, body } = encodeError(error)
    const reread = decodeError(status, Buffer.from(JSON.stringify(body)))
    t.equal(reread.status, error.status, name)
    t.equal(Math.ceil((error.retryAfterMs ?? 0) / 1000), (reread.retryAfterMs ?? 0) / 1000, name)
    t.equal(reread.upstreamCode, error.upstreamCode, name)
  }
})
