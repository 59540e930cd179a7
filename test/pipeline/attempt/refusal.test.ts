// An upstream's refusal becomes one error.
import { test } from 'tap'
import { Refusal } from '../../../src/pipeline/attempt/refusal.js'
import { PROTOCOLS } from '../../../src/protocols/index.js'
import { type Secretive } from '../../../src/upstream/conceal.js'
import { refusalOf } from '../../helpers/limiter-setup.js'
import { OPENAI, type Wire } from '../../helpers/pipeline-wires.js'

function dialectOf(wire: Wire) {
  const dialect = PROTOCOLS.find(({ id }) => id === wire)?.dialect
  if (dialect === null || dialect === undefined) throw new Error(wire)
  return dialect
}

test('status, words and the time to wait are kept', async (t) => {
  const refusal = new Refusal(429, { 'retry-after': '7' }, 0)
  refusal.push(Buffer.from('{"error":{"message":"Slow'))
  refusal.push(Buffer.from(' down","type":"requests"}}'))
  t.match(refusal.decode(dialectOf(OPENAI)), { upstreamStatus: 429, message: 'Slow down', retryAfterMs: 7000 })
})

test('a time to wait that is a date counts from the given clock', async (t) => {
  const unixMs = Date.UTC(2026, 0, 1, 12, 0, 0)
  const refusal = new Refusal(503, { 'retry-after': 'Thu, 01 Jan 2026 12:00:30 GMT' }, unixMs)
  t.equal(refusal.decode(dialectOf(OPENAI)).retryAfterMs, 30_000)
})

const OPERATORS: Secretive = { apiKey: 'operator-key-1', headers: {}, callerKey: null }
const CALLERS: Secretive = { apiKey: 'operator-key-1', headers: {}, callerKey: 'caller-key-1' }

function shown(status: number, body: string, secrets = OPERATORS): string | null {
  const refusal = new Refusal(status, {}, 0)
  refusal.push(Buffer.from(body))
  refusal.decode(dialectOf(OPENAI))
  return refusal.show(secrets)?.toString() ?? null
}

test('its body is shown as it is, without keys', async (t) => {
  const body = '{"error":{"message":"No","n":12345678901234567890},"x":[1]}'
  t.equal(shown(400, body), body)
  t.equal(shown(529, '[1]'), '[1]')
  t.equal(shown(400, '{"a":"Bearer operator-key-1 sk-abcdefgh"}'), '{"a":"Bearer *** ***"}')
  t.equal(shown(401, '{"a":"caller-key-1 operator-key-1"}', CALLERS), '{"a":"*** ***"}')
})

test('a page, a redirect, and words on the key of the operator are not shown', async (t) => {
  for (const body of ['<html>', '', '"text"', '7', 'null', '{"a":']) t.equal(shown(500, body), null, body)
  t.equal(shown(302, '{"a":1}'), null)
  for (const status of [401, 403]) {
    t.equal(shown(status, '{"a":1}'), null)
    t.equal(shown(status, '{"a":1}', CALLERS), '{"a":1}')
    t.equal(shown(status, '{"a":1}', { ...OPERATORS, apiKey: null }), '{"a":1}')
  }
})

test('a body without end is not read to its end', async (t) => {
  const refusal = new Refusal(500, {}, 0)
  refusal.push(Buffer.alloc(65_536))
  t.equal(refusalOf(() => refusal.push(Buffer.alloc(1)))?.code, 'upstream_malformed')
})
