// Keys and tokens by their look: none gets through, and ordinary words do.

import { test } from 'tap'
import { maskKeys } from '../../src/wire/mask-keys.js'
import { cpuMsOf } from '../helpers/own-time.js'

test('masks keys by the prefixes of the vendors', async (t) => {
  const keys = [
    ...['sk-proj-AbC_123456789xyz', 'sk-ant-api03-AbCd_EfGh-9', 'sk-or-v1-0123456789', 'pk-0123456', 'rk_live_0123456'],
    ...['gsk_0123456789abcdef', 'xai-0123456789', 'hf_abcdefgh12345678', 'r8_abcdefgh', 'pplx-0123456789'],
    ...['nvapi-0123456789', 'whsec_0123456789', 'ghp_0123456789', 'AIzaSyA-0123456789_abcdefg', 'ya29.A0ARrdaM'],
    ...['AKIAIOSFODNN7EXAMPLE', 'ASIAIOSFODNN7EXAMPLE'],
    ...['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln', 'eyJhbGciOiJI'],
  ]
  for (const key of keys) {
    t.equal(maskKeys(`Key ${key}, twice: "${key}"`), 'Key ***, twice: "***"', key)
    t.equal(maskKeys(`Incorrect API key provided: ${key}.`).replace('***.', '***'), 'Incorrect API key provided: ***')
    t.equal(maskKeys(key), '***', 'alone')
    t.match(maskKeys(`north-large.${key}`), /\*\*\*$/, 'within an id')
  }
  t.equal(
    maskKeys('Incorrect API key: sk-ab**********wxyz.'),
    'Incorrect API key: ***.',
    'masked in part by the vendor',
  )
  t.equal(maskKeys("Consumer 'api_key:AIzaSyD-EXAMPLE' is off"), "Consumer 'api_key:***' is off")
})

test('masks what stands behind the name of an auth scheme, a query member or a field, and keeps the name', async (t) => {
  const cases: [string, string][] = [
    ['sent Bearer abc.def-ghi== twice', 'sent Bearer *** twice'],
    ['authorization: basic dXNlcjpwYXNz', 'authorization: basic ***'],
    ['POST /v1?key=0123&alt=sse', 'POST /v1?key=***&alt=sse'],
    ['https://host/x?a=1&api_key=secret1 refused', 'https://host/x?a=1&api_key=*** refused'],
    ['https://user:pass@host/path', 'https://***@host/path'],
    ['{"api_key":"abcdefghij"}', '{"api_key":"***"}'],
    ['{"secret": "abcdefghij"}', '{"secret": "***"}'],
    ['x-api-key: abcdefghij, next', 'x-api-key: ***, next'],
    ['with key=abcdefghij;', 'with key=***;'],
    ['x-amz-security-token: IQoJb3JpZ2luX2VjEA==', 'x-amz-security-token: ***'],
    ['{"SecretAccessKey":"abcdefghij/+"}', '{"SecretAccessKey":"***"}'],
    ['client_secret=abcdefghij&x', 'client_secret=***&x'],
    ['SignedHeaders=host, Signature=0123456789abcdef', 'SignedHeaders=host, Signature=***'],
    ['-----BEGIN PRIVATE KEY-----\nabc/+==\n-----END PRIVATE KEY-----.', '***.'],
  ]
  for (const [text, masked] of cases) t.equal(maskKeys(text), masked)
})

test('takes another mask', async (t) => {
  t.equal(maskKeys('a sk-0123456789 b Bearer 0123456789', '[gone]'), 'a [gone] b Bearer [gone]')
})

test('leaves ordinary names, words and addresses alone', async (t) => {
  for (const text of [
    ...['gpt-4o-mini', 'a/b-8x7B-instruct:free', 'sk-small', 'basic info', 'the task-force is key', 'ümlaut €'],
    ...['http://127.0.0.1:8000/v1', 'The task sk-1 asked for a risk-free desk.', "The key 'messages' is missing."],
    ...['Unknown key: messages_and_more', 'max_tokens: 4096 tokens', 'eyJ', 'me@example.com'],
  ]) {
    t.equal(maskKeys(text), text)
  }
})

test('takes its time in proportion to the text', async (t) => {
  const parts = ['secret ', 'key=', 'sk-', 'bearer ', 'eyJaaaaaa.', 'a:', '://a', '?key=', ' ', 'api_key" : "']
  for (const part of parts) {
    const text = part.repeat(Math.ceil(100_000 / part.length))
    t.ok(cpuMsOf(() => maskKeys(text)) < 2000, JSON.stringify(part))
  }
})
