// Tokens as `jose`, an implementation of its own, makes them, and as nobody should.
import { createHmac } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { test } from 'tap'
import { keysIn } from '../../../src/accounts/jwt/jwks.js'
import {
  EXPIRED,
  expiryOf,
  type JwtAlgorithm,
  type JwtRules,
  readJwt,
  verifyJwt,
} from '../../../src/accounts/jwt/verify-jwt.js'
import { type JsonObject } from '../../../src/model/json.js'

const NOW_SEC = 1_800_000_000
const ALGORITHMS: readonly JwtAlgorithm[] = [
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'EdDSA'] as const),
]
const RULES: JwtRules = { issuer: 'https://id.example.com', audience: 'sluice', algorithms: ALGORITHMS }
const CLAIMS = { iss: RULES.issuer, aud: 'sluice', exp: NOW_SEC + 300, sub: 'anna' }

async function pairOf(alg: JwtAlgorithm) {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid: alg } as JsonObject
  const sign = (claims: object = CLAIMS, header: object = {}) =>
    new SignJWT({ ...claims }).setProtectedHeader({ alg, kid: alg, ...header }).sign(privateKey)
  return { jwk, sign }
}

function fault(text: string, jwks: readonly JsonObject[], rules: JwtRules = RULES, nowSec = NOW_SEC): string | null {
  const jwt = readJwt(text)
  if (jwt === null) return 'no token'
  const verified = verifyJwt(jwt, rules, keysIn({ keys: [...jwks] }), nowSec * 1000)
  return typeof verified === 'string' ? verified : null
}

test('a token of each algorithm is accepted with the key of its signer, and with no other', async (t) => {
  for (const alg of ALGORITHMS) {
    const [mine, other] = [await pairOf(alg), await pairOf(alg)]
    const token = await mine.sign()
    t.equal(fault(token, [other.jwk, mine.jwk]), null, alg)
    t.match(fault(token, [other.jwk]), /no known key/, alg)
    t.match(fault(token, [{ ...mine.jwk, alg: 'ES512' }]), /no known key/, 'a key is for its own algorithm alone')
    const at = token.lastIndexOf('.') + 10
    t.match(
      fault(token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1), [mine.jwk]),
      /no known key/,
    )
    const [head, , mac] = token.split('.')
    const widened = Buffer.from(JSON.stringify({ ...CLAIMS, sub: 'ben' })).toString('base64url')
    t.match(fault(`${head}.${widened}.${mac}`, [mine.jwk]), /no known key/)
  }
})

test('what is unsigned, or signed with a public key as a secret, is refused whatever the keys', async (t) => {
  const { jwk, sign } = await pairOf('RS256')
  t.equal(fault(new UnsecuredJWT({ ...CLAIMS }).encode(), [jwk]), 'no token')
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const unsigned = (alg: string): string => `${part({ alg, kid: 'RS256' })}.${part(CLAIMS)}`
  for (const alg of ['none', 'None', 'HS256', 'HS512', '']) {
    for (const secret of [JSON.stringify(jwk), String(jwk.n)]) {
      const mac = createHmac('sha256', secret).update(unsigned(alg)).digest('base64url')
      t.match(fault(`${unsigned(alg)}.${mac}`, [jwk]), /is not accepted/, alg)
    }
  }
  t.match(fault(await sign(), [jwk], { ...RULES, algorithms: ['ES256'] }), /RS256 is not accepted/)
  t.equal(fault(`${part({ alg: 'RS256', crit: ['b64'], b64: false })}.${part(CLAIMS)}.AAAA`, [jwk]), 'no token')
  for (const text of [
    '',
    'eyJ',
    'eyJhIjoxfQ.eyJhIjoxfQ',
    'eyJhIjoxfQ.eyJhIjoxfQ.',
    'eyJhIjoxfQ.eyJhIjox.AAAA',
    'sk-a.b.c',
  ]) {
    t.equal(readJwt(text), null, text)
  }
})

test('a token is for this gateway, and holds for its time; clocks may differ by a minute', async (t) => {
  const { jwk, sign } = await pairOf('ES256')
  const faults: readonly (readonly [object, string | RegExp | null])[] = [
    [{ ...CLAIMS, aud: ['other', 'sluice'] }, null],
    [{ ...CLAIMS, aud: 'other' }, /another audience/],
    [{ ...CLAIMS, aud: undefined }, /another audience/],
    [{ ...CLAIMS, iss: 'https://id.example.com/' }, /another issuer/],
    [{ ...CLAIMS, exp: undefined }, /no expiry/],
    [{ ...CLAIMS, exp: NOW_SEC - 59 }, null],
    [{ ...CLAIMS, exp: NOW_SEC - 60 }, EXPIRED],
    [{ ...CLAIMS, nbf: NOW_SEC + 60 }, null],
    [{ ...CLAIMS, nbf: NOW_SEC + 61 }, /not valid yet/],
  ]
  for (const [claims, wanted] of faults) {
    const found = fault(await sign(claims), [jwk])
    if (wanted === null) t.equal(found, null)
    else t.match(found, wanted)
  }
  const jwt = readJwt(await sign())
  t.equal(jwt && expiryOf(jwt), (NOW_SEC + 360) * 1000)
})
