// The keys of an identity provider: fetched once for many, kept while it is away, and asked for no more often than is needed.
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'tap'
import { isSameKey, Jwks, keysIn, type PublicKey } from '../../../src/accounts/jwt/jwks.js'
import { type JsonObject } from '../../../src/model/json.js'

function jwkOf(kid: string, over: JsonObject = {}): JsonObject {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...(publicKey.export({ format: 'jwk' }) as JsonObject), kid, ...over }
}

/** A provider with these keys, which may be away. */
function setUp(...kids: readonly string[]) {
  const provider = { keys: kids.map((kid) => jwkOf(kid)), isAway: false, asked: 0, nowMs: 0 }
  const failures: string[] = []
  const load = async (): Promise<JsonObject> => {
    provider.asked += 1
    if (provider.isAway) throw new Error('it is away')
    return { keys: provider.keys }
  }
  const jwks = new Jwks({ load, nowMs: () => provider.nowMs, onFailure: (reason) => failures.push(reason) })
  const kidsOf = (kid: string | null) => {
    const found = jwks.find(kid)
    return found === 'later' ? found : found.map((key) => key.kid)
  }
  return { provider, failures, jwks, kidsOf }
}

test('the first look-up says to come again, and many at once ask the provider once', async (t) => {
  const { provider, jwks, kidsOf } = setUp('a', 'b')
  t.equal(kidsOf('a'), 'later')
  t.equal(kidsOf('b'), 'later')
  await jwks.refresh()
  t.same([kidsOf('a'), kidsOf('b'), kidsOf(null), provider.asked], [['a'], ['b'], ['a', 'b'], 1])
})

test('an unknown key is asked for once, and then no more often than twice a minute', async (t) => {
  const { provider, jwks, kidsOf } = setUp('a')
  await jwks.refresh()
  t.same(kidsOf('new'), [], 'it was asked just now')
  provider.nowMs = 29_999
  t.same([kidsOf('new'), provider.asked], [[], 1])
  provider.nowMs = 30_000
  provider.keys = [jwkOf('new')]
  t.equal(kidsOf('new'), 'later')
  await jwks.refresh()
  t.same([kidsOf('new'), kidsOf('a'), provider.asked], [['new'], [], 2])
})

test('keys known so far go on while the provider is away, and are looked at again every five minutes', async (t) => {
  const { provider, failures, jwks, kidsOf } = setUp('a')
  await jwks.refresh()
  provider.isAway = true
  provider.nowMs = 299_999
  t.same([kidsOf('a'), provider.asked], [['a'], 1])
  provider.nowMs = 300_000
  t.same(kidsOf('a'), ['a'], 'nobody waits for it')
  await jwks.refresh()
  t.same([kidsOf('a'), failures, provider.asked], [['a'], ['it is away'], 2])
  provider.isAway = false
  provider.keys = []
  await jwks.refresh()
  t.same(kidsOf('a'), ['a'], 'a set without keys is a mistake')
  t.equal(failures.length, 2)
})

test('a key that was fetched again is the same, and another one if anything of it differs', async (t) => {
  const { provider, jwks } = setUp('a', 'b')
  await jwks.refresh()
  const first = jwks.find('a')[0] as PublicKey
  const [a, b] = provider.keys as [JsonObject, JsonObject]
  const fetchedAs = async (jwk: JsonObject) => {
    provider.keys = [jwk]
    await jwks.refresh()
    return jwks.find(null)[0] as PublicKey
  }
  t.ok(isSameKey(first, first))
  t.ok(isSameKey(first, await fetchedAs({ ...a })))
  for (const other of [
    { ...a, alg: 'ES256' },
    { ...a, kid: 'c' },
    { ...b, kid: 'a' },
  ]) {
    t.notOk(isSameKey(first, await fetchedAs(other)), JSON.stringify(other))
  }
})

test('only public keys for signatures are used', (t) => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const weak = { ...(publicKey.export({ format: 'jwk' }) as JsonObject), kid: 'weak' }
  const secret = { kty: 'oct', k: 'c2VjcmV0', kid: 'secret' }
  const others = [
    jwkOf('enc', { use: 'enc' }),
    weak,
    secret,
    { kty: 'EC', kid: 'broken' },
    { kid: 'none' },
    'text',
    null,
  ]
  t.same(
    keysIn({ keys: [...others, jwkOf('sig', { use: 'sig', alg: 'ES256' })] as JsonObject[] }).map(({ kid, alg }) => [
      kid,
      alg,
    ]),
    [['sig', 'ES256']],
  )
  t.same(keysIn({ keys: 'none' }), [])
  t.same(keysIn({}), [])
  t.end()
})
