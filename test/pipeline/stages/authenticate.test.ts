// The lookup of gateway keys by their hash.
import { createHash } from 'node:crypto'
import { test } from 'tap'
import { type KeyConfig } from '../../../src/config/types.js'
import { createAuthenticate, createRenew, NO_KEY } from '../../../src/pipeline/stages/authenticate.js'
import { refusalOf } from '../../helpers/limiter-setup.js'

const LIMITS = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }

function keyOf(name: string, key: string): KeyConfig {
  return { name, keySha256: createHash('sha256').update(key).digest('hex'), models: ['*'], limits: LIMITS }
}

const A = keyOf('a', 'sk-aaaa')
const B = keyOf('b', 'sk-bbbb')
const authenticate = createAuthenticate([A, B])

test('a key is known by either header, with its place in the configuration', async (t) => {
  t.same(authenticate({ authorization: 'Bearer sk-bbbb', apiKey: '' }), { index: 1, name: 'b', owner: B.keySha256 })
  t.same(authenticate({ authorization: 'bearer   sk-aaaa ', apiKey: '' }), { index: 0, name: 'a', owner: A.keySha256 })
  t.same(authenticate({ authorization: '', apiKey: 'sk-aaaa' }), { index: 0, name: 'a', owner: A.keySha256 })
  t.same(authenticate({ authorization: 'Bearer nobody', apiKey: 'sk-aaaa' }), {
    index: 0,
    name: 'a',
    owner: A.keySha256,
  })
})

test('every wrong key gets the same error, whatever is wrong with it', async (t) => {
  const wrong = [
    '',
    'Bearer',
    'Bearer ',
    'Bearer sk-aaa',
    'Bearer sk-aaaaa',
    'Bearer SK-AAAA',
    'Basic sk-aaaa',
    'sk-aaaa',
    'Bearer sk-aaaa sk-aaaa',
    "Bearer ' OR 1=1 --",
    'Bearer sk-aaaa\0',
    `Bearer ${'x'.repeat(65_536)}`,
  ]
  const first = refusalOf(() => authenticate({ authorization: '', apiKey: '' }))
  t.equal(first?.code, 'unauthenticated')
  for (const authorization of wrong) {
    t.same(
      refusalOf(() => authenticate({ authorization, apiKey: '' })),
      first,
      authorization.slice(0, 30),
    )
  }
  t.same(
    refusalOf(() => authenticate({ authorization: '', apiKey: 'x'.repeat(8193) })),
    first,
  )
})

test('keys that agree in their first characters are different keys', async (t) => {
  for (const same of [20, 64, 200]) {
    const start = 'k'.repeat(same)
    const lookup = createAuthenticate([keyOf('one', `${start}1`), keyOf('two', `${start}2`)])
    t.equal(lookup({ authorization: '', apiKey: `${start}2` }).name, 'two')
    t.equal(refusalOf(() => lookup({ authorization: '', apiKey: start }))?.code, 'unauthenticated')
  }
})

test('without keys every request is admitted anonymously', async (t) => {
  t.equal(createAuthenticate([])({ authorization: 'Bearer anything', apiKey: '' }), NO_KEY)
})

test('under another configuration a key is known by its owner, whatever its name and place; a removed one is not', async (t) => {
  const known = authenticate({ authorization: '', apiKey: 'sk-aaaa' })
  t.same(createRenew([B, { ...A, name: 'renamed' }])(known), { index: 1, name: 'renamed', owner: A.keySha256 })
  t.equal(refusalOf(() => createRenew([B])(known))?.code, 'unauthenticated')
  t.equal(refusalOf(() => createRenew([keyOf('a', 'sk-other')])(known))?.code, 'unauthenticated', 'a name is no key')
  t.equal(refusalOf(() => createRenew([A])(NO_KEY))?.code, 'unauthenticated', 'the gateway has keys now')
  t.equal(createRenew([])(known), NO_KEY)
})

test('a key in the header of a vendor’s own client library is accepted like any other', (t) => {
  const authenticate = createAuthenticate([A, B])
  const other = { authorization: '', apiKey: '' }
  t.match(authenticate({ ...other, vendorKey: 'sk-bbbb' }), { name: 'b' })
  t.match(authenticate({ authorization: '', apiKey: 'sk-own-of-a-vendor', vendorKey: 'sk-aaaa' }), { name: 'a' })
  t.throws(() => authenticate({ ...other, vendorKey: 'sk-cccc' }), /API key/)
  t.end()
})
