// Signatures against the cases of the published AWS test suite (aws-sig-v4-test-suite), and against a verifier that recomputes them.
import { test } from 'tap'
import { sign } from '../../../src/upstream/credentials/signature.js'
import { faultOfSignature } from '../../helpers/signature-verifier.js'

const KEYS = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: null,
}
const NOW_MS = Date.UTC(2015, 7, 30, 12, 36)
const FORM = 'application/x-www-form-urlencoded'
const SESSION =
  'AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=='

type Case = {
  readonly name: string
  readonly method: string
  readonly target: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly session?: string
  readonly signed: string
  readonly signature: string
}

const PLAIN = 'host;x-amz-date'
const CASES: readonly Case[] = [
  {
    name: 'get-vanilla',
    method: 'GET',
    target: '/',
    signed: PLAIN,
    signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  },
  {
    name: 'get-vanilla-empty-query-key',
    method: 'GET',
    target: '/?Param1=value1',
    signed: PLAIN,
    signature: 'a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb',
  },
  {
    name: 'get-vanilla-query-order-key-case',
    method: 'GET',
    target: '/?Param2=value2&Param1=value1',
    signed: PLAIN,
    signature: 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  },
  {
    name: 'get-vanilla-query-order-key',
    method: 'GET',
    target: '/?Param1=value2&Param1=Value1',
    signed: PLAIN,
    signature: 'eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1',
  },
  {
    name: 'get-vanilla-query-order-value',
    method: 'GET',
    target: '/?Param1=value2&Param1=value1',
    signed: PLAIN,
    signature: '5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694',
  },
  {
    name: 'get-vanilla-query-order-encoded',
    method: 'GET',
    target: '/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1',
    signed: PLAIN,
    signature: '371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac',
  },
  {
    name: 'get-unreserved',
    method: 'GET',
    target: '/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
    signed: PLAIN,
    signature: '07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f',
  },
  {
    name: 'get-relative-relative',
    method: 'GET',
    target: '/example1/example2/../..',
    signed: PLAIN,
    signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  },
  {
    name: 'get-slash-pointless-dot',
    method: 'GET',
    target: '/./example',
    signed: PLAIN,
    signature: 'ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5',
  },
  {
    name: 'get-header-value-trim',
    method: 'GET',
    target: '/',
    headers: { 'my-header1': ' value1', 'my-header2': ' "a   b   c"' },
    signed: 'host;my-header1;my-header2;x-amz-date',
    signature: 'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
  },
  {
    name: 'post-vanilla',
    method: 'POST',
    target: '/',
    signed: PLAIN,
    signature: '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  },
  {
    name: 'post-vanilla-query',
    method: 'POST',
    target: '/?Param1=value1',
    signed: PLAIN,
    signature: '28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11',
  },
  {
    name: 'post-header-key-sort',
    method: 'POST',
    target: '/',
    headers: { 'my-header1': 'value1' },
    signed: 'host;my-header1;x-amz-date',
    signature: 'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c',
  },
  {
    name: 'post-header-value-case',
    method: 'POST',
    target: '/',
    headers: { 'my-header1': 'VALUE1' },
    signed: 'host;my-header1;x-amz-date',
    signature: 'cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d',
  },
  {
    name: 'post-x-www-form-urlencoded',
    method: 'POST',
    target: '/',
    headers: { 'content-type': FORM },
    body: 'Param1=value1',
    signed: 'content-type;host;x-amz-date',
    signature: 'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
  },
  {
    name: 'post-x-www-form-urlencoded-parameters',
    method: 'POST',
    target: '/',
    headers: { 'content-type': `${FORM}; charset=utf8` },
    body: 'Param1=value1',
    signed: 'content-type;host;x-amz-date',
    signature: '1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe',
  },
  {
    name: 'post-sts-header-before',
    method: 'POST',
    target: '/',
    session: SESSION,
    signed: 'host;x-amz-date;x-amz-security-token',
    signature: '85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead',
  },
]

function toMap(flat: readonly string[]): Map<string, string> {
  return new Map(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? ''] as const] : [])))
}

for (const { name, method, target, headers = {}, body = '', session, signed, signature } of CASES) {
  test(`the published case ${name}`, async (t) => {
    const request = { method, url: `https://example.amazonaws.com${target}`, headers, body: Buffer.from(body) }
    const keys = { ...KEYS, sessionToken: session ?? null }
    const scope = { region: 'us-east-1', service: 'service', nowMs: NOW_MS, cache: new Map() }
    const added = toMap(await sign(request, keys, scope))
    const credential = 'Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request'
    t.equal(
      added.get('authorization'),
      `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${signed}, Signature=${signature}`,
    )
    t.equal(added.get('x-amz-date'), '20150830T123600Z')
    t.equal(added.get('x-amz-security-token'), session)
    t.notOk(added.has('host'), 'the connection sets it')
    t.notOk(added.has('content-type'), 'it is there already')
  })
}

const MODEL_PATHS = [
  '/model/vendor.model-v1:0/invoke',
  '/model/vendor.model-v1%3A0/invoke',
  "/a(b)*'!/~c",
  '/v1/chat/completions',
]

for (const path of MODEL_PATHS) {
  test(`the path ${path} is encoded once more than it is sent`, async (t) => {
    const headers = { 'content-type': 'application/json' }
    const body = Buffer.from('{"é":1}')
    const request = { method: 'POST', url: `https://h.example:8443${path}`, headers, body }
    const scope = { region: 'eu-1', service: 'bedrock', nowMs: NOW_MS, cache: new Map() }
    const added = toMap(await sign(request, KEYS, scope))
    const arrived = { ...headers, ...Object.fromEntries(added), host: 'h.example:8443' }
    const keys = new Map([['AKIDEXAMPLE', { secret: KEYS.secretAccessKey, token: null }]])
    const expected = { region: 'eu-1', service: 'bedrock', keys, nowMs: NOW_MS }
    const fault = (changed: object = {}) =>
      faultOfSignature({ method: 'POST', target: path, headers: arrived, body, ...changed }, expected)
    t.equal(fault(), null)
    t.equal(fault({ body: Buffer.from('{"é":2}') }), 'signature', 'the verifier sees a changed body')
    t.equal(fault({ target: `${path}x` }), 'signature')
    t.equal(fault({ headers: { ...arrived, host: 'other.example' } }), 'signature')
  })
}

test('derived keys are kept, and the same for a day', async (t) => {
  const cache = new Map<string, ArrayBuffer>()
  const request = { method: 'POST', url: 'https://h.example/', headers: {}, body: Buffer.alloc(0) }
  for (const nowMs of [NOW_MS, NOW_MS + 60_000]) await sign(request, KEYS, { region: 'r', service: 's', nowMs, cache })
  t.equal(cache.size, 1)
})
