// The lookup of gateway keys by their hash.
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'tap'
import { BrowserTokens, type TokenClaims } from '../../../src/accounts/browser-tokens.js'
import { type JwtBearer } from '../../../src/accounts/jwt/jwt-bearers.js'
import { type KeyConfig } from '../../../src/config/types.js'
import { GatewayError } from '../../../src/errors.js'
import { type KeyIdentity } from '../../../src/pipeline/client.js'
import { createAuthenticate, createRenew, type KeySources, NO_KEY } from '../../../src/pipeline/stages/authenticate.js'
import { AccountRig } from '../../helpers/account-rig.js'
import { refusalOf } from '../../helpers/limiter-setup.js'

const LIMITS = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }

function keyOf(name: string, key: string): KeyConfig {
  return { name, keySha256: createHash('sha256').update(key).digest('hex'), models: ['*'], limits: LIMITS }
}

function sources(keys: readonly KeyConfig[], store: 'off' | 'sqlite' = 'off'): KeySources {
  return { keys, accounts: { store } }
}

const A = keyOf('a', 'sk-aaaa')
const B = keyOf('b', 'sk-bbbb')
const authenticate = createAuthenticate(sources([A, B]))

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
    const lookup = createAuthenticate(sources([keyOf('one', `${start}1`), keyOf('two', `${start}2`)]))
    t.equal(lookup({ authorization: '', apiKey: `${start}2` }).name, 'two')
    t.equal(refusalOf(() => lookup({ authorization: '', apiKey: start }))?.code, 'unauthenticated')
  }
})

test('without keys every request is admitted anonymously', async (t) => {
  t.equal(createAuthenticate(sources([]))({ authorization: 'Bearer anything', apiKey: '' }), NO_KEY)
})

test('with a database of accounts no request is, also while there is no key', async (t) => {
  const find = createAuthenticate(sources([], 'sqlite'))
  for (const authorization of ['', 'Bearer anything']) {
    t.equal(refusalOf(() => find({ authorization, apiKey: '' }))?.code, 'unauthenticated')
  }
  t.equal(refusalOf(() => createRenew(sources([], 'sqlite'))(NO_KEY))?.code, 'unauthenticated')
})

test('under another configuration a key is known by its owner, whatever its name and place; a removed one is not', async (t) => {
  const known = authenticate({ authorization: '', apiKey: 'sk-aaaa' })
  t.same(createRenew(sources([B, { ...A, name: 'renamed' }]))(known), { index: 1, name: 'renamed', owner: A.keySha256 })
  t.equal(refusalOf(() => createRenew(sources([B]))(known))?.code, 'unauthenticated')
  t.equal(
    refusalOf(() => createRenew(sources([keyOf('a', 'sk-other')]))(known))?.code,
    'unauthenticated',
    'a name is no key',
  )
  t.equal(refusalOf(() => createRenew(sources([A]))(NO_KEY))?.code, 'unauthenticated', 'the gateway has keys now')
  t.equal(createRenew(sources([]))(known), NO_KEY)
})

test('a key in the header of a vendor’s own client library is accepted like any other', (t) => {
  const authenticate = createAuthenticate(sources([A, B]))
  const other = { authorization: '', apiKey: '' }
  t.match(authenticate({ ...other, vendorKey: 'sk-bbbb' }), { name: 'b' })
  t.match(authenticate({ authorization: '', apiKey: 'sk-own-of-a-vendor', vendorKey: 'sk-aaaa' }), { name: 'a' })
  t.throws(() => authenticate({ ...other, vendorKey: 'sk-cccc' }), /API key/)
  t.end()
})

function bearer(key: string) {
  return { authorization: `Bearer ${key}`, apiKey: '' }
}

/** The reason for the log of a refusal that looks like any other. */
function causeOf(act: () => unknown): string | null {
  try {
    act()
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown
    const { code, message } = thrown.data
    const unknown = refusalOf(() => authenticate(bearer('sk-unknown')))
    if (code !== unknown?.code || message !== unknown.message) return `another refusal: ${message}`
    return thrown.cause instanceof Error ? thrown.cause.message : ''
  }
  return 'let in'
}

test('a key that the database has not confirmed for too long is 503, also on an open socket; other keys are as before', (t) => {
  const rig = new AccountRig()
  rig.put('app', { 'sk-app': null })
  const find = createAuthenticate(sources([A], 'sqlite'), { accounts: rig.source })
  const known = find(bearer('sk-app'))
  rig.source.isStale = true
  const used = rig.used.length
  for (const act of [
    () => find(bearer('sk-app')),
    () => createRenew(sources([A], 'sqlite'), { accounts: rig.source })(known),
  ]) {
    t.match(refusalOf(act), { code: 'overloaded', retryAfterMs: 1000 })
  }
  t.equal(rig.used.length, used)
  t.match(find(bearer('sk-aaaa')), { name: 'a' })
  t.equal(refusalOf(() => find(bearer('sk-unknown')))?.code, 'unauthenticated')
  t.end()
})

test('a key of the database is known by its id, behind those of the configuration, and is noted as used', (t) => {
  const rig = new AccountRig()
  const authenticate = createAuthenticate(sources([A], 'sqlite'), { accounts: rig.source })
  const account = rig.put('app', { 'sk-app': null, 'sk-aaaa': null })
  const known = authenticate(bearer('sk-app'))
  t.match(known, { name: 'app', owner: 'key_app', account })
  t.ok(known.index > 1_000_000)
  t.match(authenticate({ authorization: '', apiKey: 'sk-app' }), { owner: 'key_app' })
  t.match(authenticate(bearer('sk-aaaa')), { owner: A.keySha256 }, 'the file comes first')
  t.same(rig.used, ['key_app', 'key_app'])
  t.equal(
    causeOf(() => authenticate(bearer('key_app'))),
    '',
    'an id is no secret',
  )
  t.end()
})

test('with a database a key is always needed, even if there is none', (t) => {
  const rig = new AccountRig()
  const authenticate = createAuthenticate(sources([], 'sqlite'), { accounts: rig.source })
  t.equal(
    causeOf(() => authenticate(bearer(''))),
    '',
  )
  t.equal(
    causeOf(() => authenticate(bearer('anything'))),
    '',
  )
  t.equal(
    refusalOf(() => createRenew(sources([], 'sqlite'), { accounts: rig.source })(NO_KEY))?.code,
    'unauthenticated',
  )
  t.end()
})

test('a key that is disabled or expired, of a secret that ended or deleted, is refused like an unknown one; the log knows why', (t) => {
  const rig = new AccountRig()
  const [authenticate, renew] = [
    createAuthenticate(sources([], 'sqlite'), { accounts: rig.source }),
    createRenew(sources([A], 'sqlite'), { accounts: rig.source }),
  ]
  rig.put('app', { old: 2000, new: null }, { expiresAtMs: 3000 })
  const known = authenticate(bearer('old'))
  t.match(authenticate(bearer('new')), { index: known.index, owner: known.owner }, 'of one identity')
  rig.nowMs = 2000
  t.equal(
    causeOf(() => authenticate(bearer('old'))),
    '',
    'a secret after its rotation',
  )
  t.match(renew(known), { owner: 'key_app' }, 'an open socket goes on')
  rig.nowMs = 3000
  t.equal(
    causeOf(() => authenticate(bearer('new'))),
    'key app is expired',
  )
  t.equal(
    causeOf(() => renew(known)),
    'key app is expired',
  )
  rig.put('app', { new: null }, { disabled: true })
  t.equal(
    causeOf(() => authenticate(bearer('new'))),
    'key app is disabled',
  )
  t.equal(
    causeOf(() => renew(known)),
    'key app is disabled',
  )
  rig.put('app', { new: null }, { models: ['a'] })
  t.match(renew(known).account, { models: ['a'] }, 'as it is now')
  rig.writer.remove('key_app')
  t.equal(
    causeOf(() => authenticate(bearer('new'))),
    '',
  )
  t.equal(
    causeOf(() => renew(known)),
    'key app is deleted',
  )
  rig.put('app', { new: null }, { id: 'key_other' })
  t.equal(
    causeOf(() => renew(known)),
    'key app is deleted',
    'made anew under its name',
  )
  t.equal(
    causeOf(() => createRenew(sources([A], 'sqlite'))(known)),
    'key app is deleted',
    'without the database',
  )
  t.end()
})

/** Of a gateway whose clock is the rig's. */
function tokensOf(rig: AccountRig): BrowserTokens {
  return new BrowserTokens({ secrets: () => ['a secret of tests'], nowMs: () => rig.nowMs, random: randomBytes })
}

const NO_CLAIMS = { models: null, maxOutputTokens: null, origin: null, user: null }

test('a browser token is its key as it is now, narrowed, until the secret that issued it ends', (t) => {
  const rig = new AccountRig()
  const tokens = tokensOf(rig)
  const known = { accounts: rig.source, tokens }
  const authenticate = createAuthenticate(sources([A], 'sqlite'), known)
  const renew = createRenew(sources([A], 'sqlite'), known)
  rig.put('app', { old: 2000, new: null })
  const issue = (key: KeyIdentity, expiresAtMs: number, claims: Partial<TokenClaims> = {}) =>
    tokens.issue(Buffer.from(key.digest ?? key.owner ?? '', 'hex'), { ...NO_CLAIMS, ...claims, expiresAtMs }) ?? ''
  const key = authenticate(bearer('new'))
  const token = issue(key, 9000, { models: ['fast'] })
  for (const credentials of [
    bearer(token),
    { authorization: '', apiKey: token },
    { authorization: '', apiKey: '', vendorKey: token },
  ]) {
    t.match(authenticate(credentials), { index: key.index, owner: 'key_app', token: { models: ['fast'] } })
  }
  const socket = authenticate(bearer(token))
  t.match(
    authenticate(bearer(issue(authenticate(bearer('sk-aaaa')), 9000))),
    { index: 0, owner: A.keySha256 },
    'of the file',
  )
  const ofOld = issue(authenticate(bearer('old')), 9000)
  t.match(authenticate(bearer(ofOld)), { owner: 'key_app' })
  rig.nowMs = 2000
  t.equal(
    causeOf(() => authenticate(bearer(ofOld))),
    '',
    'rotated away',
  )
  t.match(renew(socket), { owner: 'key_app', token: { models: ['fast'] } })
  rig.put('app', { new: null }, { disabled: true })
  t.equal(
    causeOf(() => authenticate(bearer(token))),
    'key app is disabled',
  )
  t.equal(
    causeOf(() => renew(socket)),
    'key app is disabled',
  )
  rig.put('app', { newer: null })
  t.equal(
    causeOf(() => renew(socket)),
    '',
    'an open socket does not outlive the secret',
  )
  rig.put('app', { new: null })
  rig.nowMs = 9000
  for (const act of [() => authenticate(bearer(token)), () => renew(socket)]) {
    t.match(refusalOf(act), { code: 'unauthenticated', message: 'This token has expired.' })
  }
  t.end()
})

test('what only looks like a browser token is an unknown key, also where there are none', (t) => {
  const rig = new AccountRig()
  const token = tokensOf(rig).issue(Buffer.from(A.keySha256, 'hex'), { ...NO_CLAIMS, expiresAtMs: 9000 }) ?? ''
  const other = new BrowserTokens({ secrets: () => ['another secret'], nowMs: () => 0, random: randomBytes })
  for (const known of [{}, { tokens: other }, { tokens: tokensOf(rig) }]) {
    const authenticate = createAuthenticate(sources([A]), known)
    for (const text of [
      `${token}x`,
      'sk-sluice-token-',
      ...('tokens' in known && known.tokens !== other ? [] : [token]),
    ]) {
      t.equal(
        causeOf(() => authenticate(bearer(text))),
        '',
      )
    }
  }
  t.end()
})

test('a token of an identity provider is the first key that it names, as that key is now, until it expires', (t) => {
  const rig = new AccountRig()
  const said = {
    keys: [{ name: 'none', team: null }] as JwtBearer['keys'],
    expiresAtMs: 9000,
    models: ['fast'],
    user: 'anna',
    signer: {} as JwtBearer['signer'],
  }
  const trusted = new Set([said.signer])
  const jwt = {
    find: (text: string) => (text === 'eyJ.a.b' ? said : null),
    isTrusted: (signer: JwtBearer['signer']) => trusted.has(signer),
  }
  const known = { accounts: rig.source, jwt }
  const [authenticate, renew] = [
    createAuthenticate(sources([A], 'sqlite'), known),
    createRenew(sources([A], 'sqlite'), known),
  ]
  const refused = () => causeOf(() => authenticate(bearer('eyJ.a.b')))
  t.equal(refused(), 'the token is of no key: none')
  said.keys = [...said.keys, { name: A.name, team: null }]
  t.match(authenticate(bearer('eyJ.a.b')), { index: 0, owner: A.keySha256, token: { models: ['fast'], user: 'anna' } })
  said.keys = [{ name: 'blue.jwt', team: 'blue' }]
  rig.put('blue.jwt', {})
  t.equal(refused(), 'the token is of no key: blue.jwt', 'a key of no team')
  rig.put('blue.jwt', {}, { team: { id: 'team_1', name: 'blue', models: ['*'], limits: LIMITS } })
  const socket = authenticate(bearer('eyJ.a.b'))
  t.match(socket, { owner: 'key_blue.jwt', token: { digest: null, expiresAtMs: 9000 } })
  t.equal(
    causeOf(() => authenticate({ authorization: '', apiKey: 'eyJ.a.b' })),
    '',
    'only as a bearer',
  )
  t.match(renew(socket), { owner: 'key_blue.jwt', token: { user: 'anna' } })
  trusted.clear()
  t.equal(
    causeOf(() => renew(socket)),
    'the signer of the token is trusted no more',
  )
  t.equal(
    causeOf(() => createRenew(sources([A], 'sqlite'), { accounts: rig.source })(socket)),
    'the signer of the token is trusted no more',
    'the configuration trusts no provider now',
  )
  rig.put('blue.jwt', {}, { disabled: true, team: { id: 'team_1', name: 'blue', models: ['*'], limits: LIMITS } })
  t.equal(refused(), 'key blue.jwt is disabled')
  rig.writer.remove('key_blue.jwt')
  t.equal(refused(), 'the token is of no key: blue.jwt')
  rig.nowMs = 9000
  t.match(
    refusalOf(() => renew(socket)),
    { message: 'This token has expired.' },
  )
  t.end()
})
