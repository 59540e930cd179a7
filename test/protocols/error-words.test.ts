// Failures in the words of the API below the prefix.
import { test } from 'tap'
import { errorData } from '../../src/errors.js'
import { encodeErrorWords } from '../../src/protocols/error-words.js'

test('the documented words are for bad requests and for whatever fails behind the gateway', async (t) => {
  const told = (status: number) => encodeErrorWords(errorData('upstream_rejected', { status, message: 'Why.' }))
  for (const [status, error] of [
    [400, 'bad_request'],
    [402, 'bad_request'],
    [422, 'bad_request'],
    [499, 'bad_request'],
    [401, 'unauthorized'],
    [403, 'forbidden'],
    [404, 'not_found'],
    [405, 'method_not_allowed'],
    [413, 'payload_too_large'],
    [415, 'unsupported_media_type'],
    [429, 'rate_limited'],
    [500, 'internal_error'],
    [502, 'internal_error'],
    [503, 'internal_error'],
    [504, 'internal_error'],
  ] as const) {
    t.strictSame(told(status), { status, body: { error, details: 'Why.' } })
  }
})
