// Which key a verified token uses, and what is remembered of it.
import { createHash } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { test } from 'tap'
import { keysIn, type PublicKey } from '../../../src/accounts/jwt/jwks.js'
import { JwtBearers, type JwtSource } from '../../../src/accounts/jwt/jwt-bearers.js'
import { GatewayError } from '../../../src/errors.js'
import { type JsonObject } from '../../../src/model/json.js'

const ISSUER = 'https://id.example.com'
const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
const KEYS = keysIn({ keys: [(await exportJWK(publicKey)) as JsonObject] })

async function setUp(claims: Partial<JwtSource['claims']> = {}) {
  const clock = { nowMs: Date.now() }
  const keys = { asked: 0, found: KEYS as readonly PublicKey[] | 'later', generation: 1 }
  const source: JwtSource = {
    ...{ issuer: ISSUER, audience: 'sluice', algorithms: ['ES256'] },
    claims: { key: null, team: 'groups', models: 'models', user: 'sub', ...claims },
    keys: {
      find() {
        keys.asked += 1
        return keys.found
      },
      generation: () => keys.generation,
    },
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
  return { clock, keys, sign, find }
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
  const { sign, find, keys, clock } = await setUp()
  const token = await sign({ groups: 'blue' })
  const first = find(token)
  t.equal(find(token), first)
  t.equal(keys.asked, 1)
  clock.nowMs += 360_000
  t.match(
    causeOf(() => find(token)),
    /^unauthenticated: $/,
  )
  t.equal(keys.asked, 2)
})

test('a token is verified again when the keys of its provider have changed, and refused once its own was withdrawn', async (t) => {
  const { sign, find, keys } = await setUp()
  const token = await sign({ groups: 'blue' })
  t.ok(find(token))
  keys.generation = 2
  t.ok(find(token), 'its key is still there')
  t.ok(find(token))
  t.equal(keys.asked, 2, 'once for each set of keys')
  keys.generation = 3
  keys.found = []
  for (let i = 0; i < 2; i++) {
    t.match(
      causeOf(() => find(token)),
      /no known key has signed it/,
    )
  }
})

test('whatever number of tokens there is, those of the last ones are remembered', async (t) => {
  const { sign, find, keys } = await setUp()
  const tokens = await Promise.all(Array.from({ length: 5000 }, (_, n) => sign({ groups: 'blue', n })))
  for (const token of tokens) find(token)
  t.equal(keys.asked, 5000)
  for (const token of tokens.slice(-2000)) find(token)
  t.equal(keys.asked, 5000)
  find(tokens[0] ?? '')
  t.equal(keys.asked, 5001)
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
