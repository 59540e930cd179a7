// Which key a verified token uses, and what is remembered of it.
import { createHash } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { test } from 'tap'
import { keysIn, type PublicKey } from '../../../src/accounts/jwt/jwks.js'
import { type JwtBearer, JwtBearers, type JwtSigner, type JwtSource } from '../../../src/accounts/jwt/jwt-bearers.js'
import { GatewayError } from '../../../src/errors.js'
import { type JsonObject } from '../../../src/model/json.js'

const ISSUER = 'https://id.example.com'
const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
const KEYS = keysIn({ keys: [(await exportJWK(publicKey)) as JsonObject] })

async function setUp(claims: Partial<JwtSource['claims']> = {}) {
  const clock = { nowMs: Date.now() }
  const keys = { found: KEYS as readonly PublicKey[] | 'later' }
  const source: JwtSource = {
    ...{ issuer: ISSUER, audience: 'sluice', algorithms: ['ES256'] },
    claims: { key: null, team: 'groups', models: 'models', user: 'sub', ...claims },
    keys: { find: () => keys.found },
  }
  const bearers = new JwtBearers([source], () => clock.nowMs)
  const sign = (members: object, sec = 300) =>
    new SignJWT({ ...members })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(ISSUER)
      .setAudience('sluice')
      .setExpirationTime(Math.floor(clock.nowMs / 1000) + sec)
      .sign(privateKey)
  const find = (text: string) => bearers.find(text, createHash('sha256').update(text).digest('hex'))
  const isTrusted = ({ signer }: { readonly signer: JwtSigner }) => bearers.isTrusted(signer)
  return { clock, keys, sign, find, isTrusted }
}

function causeOf(run: () => unknown): string {
  try {
    run()
  } catch (thrown) {
    if (thrown instanceof GatewayError)
      return `${thrown.data.code}: ${(thrown.cause as Error | undefined)?.message ?? ''}`
    throw thrown
  }
  return 'let in'
}

test('the claims that are configured name keys, models and the end user', async (t) => {
  const { sign, find, clock } = await setUp({ key: 'app' })
  const bearer = find(await sign({ app: 'one', groups: ['blue', 'red'], models: ['fast', 'gpt-*'], sub: 'anna' }))
  t.match(bearer, {
    keys: [
      { name: 'one', team: null },
      { name: 'blue.jwt', team: 'blue' },
      { name: 'red.jwt', team: 'red' },
    ],
    ...{ models: ['fast', 'gpt-*'], user: 'anna' },
  })
  t.ok(Math.abs((bearer?.expiresAtMs ?? 0) - clock.nowMs - 360_000) < 2000)
  t.match(find(await sign({ groups: 'blue', models: 'fast slow' })), { models: ['fast', 'slow'], user: null })
  t.match(find(await sign({ groups: 'blue' })), { models: null })
  t.match(find(await sign({ groups: 'blue', models: 7 })), { models: [] }, 'what is no list permits nothing')
  const other = causeOf(() => find('eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.AAAA'))
  t.match(other, /unauthenticated: .*unknown issuer/)
  const nameless = await sign({ sub: 'anna' })
  t.match(
    causeOf(() => find(nameless)),
    /names no key and no team/,
  )
  t.equal(find('sk-sluice-key'), null)
})

test('a token is verified once, and again once it has expired', async (t) => {
  const { sign, find, clock } = await setUp()
  const token = await sign({ groups: 'blue' })
  const first = find(token)
  t.ok(first)
  t.equal(find(token), first)
  clock.nowMs += 360_000
  t.match(
    causeOf(() => find(token)),
    /^unauthenticated: $/,
  )
})

test('a token holds as long as its provider has the key that signed it, also where it was verified before', async (t) => {
  const { sign, find, keys, isTrusted } = await setUp()
  const token = await sign({ groups: 'blue' })
  const bearer = find(token) as JwtBearer
  const [{ kid, alg, key }] = KEYS as [PublicKey]
  const [other] = keysIn({ keys: [(await exportJWK((await generateKeyPair('ES256')).publicKey)) as JsonObject] })
  keys.found = [other as PublicKey, { kid, alg, key }]
  t.equal(find(token), bearer, 'fetched again')
  t.ok(isTrusted(bearer))
  keys.found = [other as PublicKey]
  t.notOk(isTrusted(bearer))
  for (let i = 0; i < 2; i++) {
    t.match(
      causeOf(() => find(token)),
      /no known key has signed it/,
    )
  }
  keys.found = 'later'
  t.match(
    causeOf(() => isTrusted(bearer)),
    /^overloaded/,
  )
  keys.found = KEYS
  for (const differing of [{ issuer: 'https://id.example.org' }, { audience: 'another' }]) {
    t.notOk(isTrusted({ signer: { ...bearer.signer, ...differing } }), 'the configuration has changed')
  }
})

test('whatever number of tokens there is, those of the last ones are remembered', async (t) => {
  const { sign, find } = await setUp()
  const tokens = await Promise.all(Array.from({ length: 5000 }, (_, n) => sign({ groups: 'blue', n })))
  const bearers = tokens.map(find)
  t.same(new Set(tokens.slice(-2000).map((token, i) => find(token) === bearers[i + 3000])), new Set([true]))
  t.not(find(tokens[0] ?? ''), bearers[0])
})

test('while keys are being fetched a client is told to come again', async (t) => {
  const { sign, find, keys } = await setUp()
  const token = await sign({ groups: 'blue' })
  keys.found = 'later'
  t.match(
    causeOf(() => find(token)),
    /^overloaded/,
  )
  keys.found = []
  t.match(
    causeOf(() => find(token)),
    /no known key has signed it/,
  )
  keys.found = KEYS
  t.ok(find(token))
})
