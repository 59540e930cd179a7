// What a provider says of its own key never reaches a client, in whatever form it says it.
import { test } from 'tap'
import { type errorData, GatewayError } from '../../src/errors.js'
import { AnswerSecrets, byteConceal, concealSecrets, concealText } from '../../src/upstream/conceal.js'
import { testProvider } from '../helpers/targets.js'

const KEY = 'canary.Provider/"key"+0001'
const PROVIDER = {
  ...testProvider('http://127.0.0.1:9'),
  apiKey: KEY,
  headers: { 'x-tenant': 'canary-tenant-7', x: 'dull' },
}

function concealed(options: Partial<ReturnType<typeof errorData>>) {
  return concealSecrets(PROVIDER, new GatewayError('upstream_rejected', options))
}

test('the key and configured header values are masked in every form a message may quote them', (t) => {
  const forms = [KEY, JSON.stringify(KEY).slice(1, -1), encodeURIComponent(KEY), KEY.toLowerCase(), 'canary-tenant-7']
  for (const form of forms) {
    t.equal(concealed({ message: `Bad key ${form}, and ${form}.` }).data.message, 'Bad key ***, and ***.', form)
  }
  t.equal(concealed({ message: `cut: ${KEY.slice(0, 12)}` }).data.message, 'cut: ***', 'a message cut through the key')
  t.end()
})

test('a word that holds the key is dropped', (t) => {
  const { data } = concealed({ upstreamType: KEY, upstreamCode: `x-${KEY}`, param: KEY })
  t.match(data, { upstreamType: null, upstreamCode: null, param: null })
  t.end()
})

test('an error without a secret is the same object, cause and all; with one it keeps code, status and cause', (t) => {
  const clean = new GatewayError('upstream_rejected', { message: 'dull', upstreamCode: 'dull', cause: new Error('x') })
  t.equal(concealSecrets(PROVIDER, clean), clean)
  const cause = new Error('y')
  const found = concealSecrets(PROVIDER, new GatewayError('rate_limited', { message: KEY, retryAfterMs: 7, cause }))
  t.match(found.data, { code: 'rate_limited', status: 429, retryAfterMs: 7, message: '***' })
  t.equal(found.cause, cause)
  t.equal(concealSecrets({ ...PROVIDER, apiKey: 'ollama', headers: {} }, clean), clean, 'a placeholder is a word')
  t.end()
})

test("a caller's key is masked like the provider's, and in the cause too, which the log does not know it in", (t) => {
  const secrets = { ...PROVIDER, callerKey: 'canary.caller-key' }
  const cause = new TypeError('coding: canary.caller-key', { cause: new Error('canary.caller-key') })
  const found = concealSecrets(secrets, new GatewayError('upstream_malformed', { message: 'm', cause }))
  t.equal(String(found.cause), 'Error: TypeError: coding: ***')
  t.equal((found.cause as Error).cause, undefined)
  const spoken = concealSecrets(secrets, new GatewayError('upstream_rejected', { message: `${KEY} canary.caller-key` }))
  t.equal(spoken.data.message, '*** ***')
  t.notOk('cause' in spoken)
  t.end()
})

test('in bytes that pass as they are, key and long header values are masked, and nothing else is touched', (t) => {
  const conceal = byteConceal({ ...PROVIDER, headers: { 'x-tenant': 'canary-tenant-0000007', version: '2023-06-01' } })
  const noText = Buffer.from([0xff, 0x00, 0x80, 0x2d])
  t.equal(conceal(noText), noText, 'the same object')
  const dated = Buffer.from('{"created":"2023-06-01"}')
  t.equal(conceal(dated), dated)
  const quoted = Buffer.concat([noText, Buffer.from(`<${KEY}> canary-tenant-0000007`), noText])
  t.same(conceal(quoted), Buffer.concat([noText, Buffer.from('<***> ***'), noText]))
  const plain = Buffer.from(KEY)
  t.equal(byteConceal({ apiKey: null, headers: {} })(plain), plain)
  t.end()
})

test('in whole answers keys and header values of 16 characters and more are masked, whatever their form', (t) => {
  const key = 'canary/provider+key=0001'
  const provider = testProvider('http://x', {
    apiKey: key,
    headers: { 'x-tenant': 'canary-tenant-0000007', 'x-short': 'canary-short' },
  })
  const secrets = new AnswerSecrets(() => [])
  const conceal = secrets.of(provider)
  t.equal(secrets.of(provider), conceal, 'made once')
  const shown = (text: string) => Buffer.from(conceal(Buffer.from(text))).toString()
  t.equal(shown(`{"a":"x ${key} canary-tenant-0000007"}`), '{"a":"x *** ***"}')
  t.equal(shown(`{"a":"${encodeURIComponent(key)}"}`), '{"a":"***"}')
  t.equal(shown('é canary-short é'), 'é canary-short é', 'a short one may be a word')
  const clean = Buffer.from('{"a":"canary"}')
  t.equal(conceal(clean), clean, 'the same object')
  const digits = secrets.of(testProvider('http://x', { apiKey: '1234567890123456' }))
  t.equal(Buffer.from(digits(Buffer.from('{"n":1234567890123456}'))).toString(), '{"n":1234567890123456}')
  t.end()
})

test('credentials that a provider has at present are masked like its key, wherever they appear', (t) => {
  let tokens: readonly string[] = []
  const source = { from: 'metadata', url: 'http://127.0.0.1:1/', headers: {} } as const
  const provider = testProvider('http://x', { credentials: { kind: 'bearer', source, proxy: null } })
  const conceal = new AnswerSecrets(() => tokens).of(provider)
  const answer = Buffer.from('{"a":"first-token-1 second-token-2"}')
  t.equal(conceal(answer), answer, 'there are none yet')
  for (const [held, shown] of [
    [['first-token-1'], '{"a":"*** second-token-2"}'],
    [['second-token-2', 'other'], '{"a":"first-token-1 ***"}'],
  ] as const) {
    tokens = held
    t.equal(Buffer.from(conceal(answer)).toString(), shown)
  }
  const secretive = { apiKey: null, headers: {}, tokens: ['first-token-1'] }
  t.equal(concealText(secretive, 'Bad token first-token-1.'), 'Bad token ***.')
  t.equal(byteConceal(secretive)(answer).toString(), '{"a":"*** second-token-2"}')
  t.end()
})
