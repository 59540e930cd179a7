// Gateway keys: hashed, unique, either key or hash, weak ones named but never shown.
import { createHash } from 'node:crypto'
import { test } from 'tap'
import { renderConfig } from '../../../src/config/check.js'
import { hasTryPage, needsKeys, resolveIdentityProviders } from '../../../src/config/resolve/gateway-keys.js'
import { type JwtEntry } from '../../../src/config/schema/limits.js'
import { ProblemList } from '../../../src/config/validate/problem.js'
import { load, refusalOf } from '../sources.js'

const HASH = createHash('sha256').update('long-enough-secret').digest('hex')

test('only the hash of a key is kept', (t) => {
  const { config } = load(
    'keys: [ { name: a, key: long-enough-secret, models: [ "gpt*" ], limits: { tokensPerMinute: 5 } } ]',
  )
  t.same(config.keys, [
    {
      name: 'a',
      keySha256: HASH,
      models: ['gpt*'],
      limits: { requestsPerMinute: null, tokensPerMinute: 5, requestWindowSeconds: 60, concurrency: null },
    },
  ])
  t.notMatch(JSON.stringify(config), /long-enough-secret/)
  t.same(config.warnings, [])
  t.end()
})

test('a hash is taken in either case', (t) => {
  t.match(load(`keys: [ { name: a, keySha256: ${HASH.toUpperCase()} } ]`).config.keys, [{ keySha256: HASH }])
  t.match(
    refusalOf(() => load('keys: [ { name: a, keySha256: abc } ]')),
    /^keys\.0\.keySha256: must be 64 hex digits/,
  )
  t.end()
})

test('a key needs either text or hash', (t) => {
  t.equal(
    refusalOf(() => load('keys: [ { name: a } ]')),
    'keys.0: needs either key or keySha256 (line 1)',
  )
  t.match(
    refusalOf(() => load(`keys: [ { name: a, key: x, keySha256: ${HASH} } ]`)),
    /needs either/,
  )
  t.end()
})

test('double names and double keys are refused, also as text and hash', (t) => {
  t.equal(
    refusalOf(() => load('keys:\n- { name: a, key: x }\n- { name: a, key: y }')),
    'keys.1.name: duplicates the name of another key (line 3)',
  )
  t.match(
    refusalOf(() => load('keys: [ { name: a, key: x }, { name: b, key: x } ]')),
    /^keys\.1: duplicates another key/,
  )
  t.match(
    refusalOf(() => load(`keys: [ { name: a, keySha256: ${HASH} }, { name: b, key: long-enough-secret } ]`)),
    /duplicates another key/,
  )
  t.end()
})

test('a weak key is taken with a warning that does not show it', (t) => {
  const { config } = load('keys: [ { name: a, key: hunter2 } ]')
  t.same(config.warnings, ['gateway key a is shorter than 16 characters and can be guessed'])
  t.match(load('', { API_KEY: 'your-proxy-api-key-here' }).config.warnings, [/api-key looks like a placeholder/])
  t.end()
})

test('a key that no header can carry is refused', (t) => {
  t.match(
    refusalOf(() => load('keys: [ { name: a, key: "a b" } ]')),
    /^keys\.0\.key: must be printable ASCII/,
  )
  t.match(
    refusalOf(() => load('keys: [ { name: a, key: "ключ" } ]')),
    /^keys\.0\.key: must be printable ASCII/,
  )
  t.end()
})

test('with a store of accounts every request needs a key, also while there is none', async (t) => {
  t.equal(needsKeys(load('').config), false)
  t.equal(needsKeys(load('keys: [{ name: a, key: "key-of-a-0123456789" }]').config), true)
  t.equal(needsKeys(load('accounts: { store: sqlite }').config), true)
})

test('so it may listen on any address, and share answers', async (t) => {
  t.match(
    refusalOf(() => load('server: { host: 0.0.0.0 }')),
    /set keys, accounts\.store, API_KEYS/,
  )
  const text =
    'server: { host: 0.0.0.0 }\naccounts: { store: sqlite }\nmodels: { m: { targets: [sim/echo], coalesce: true } }'
  t.match(load(`${text}\nproviders: { sim: {} }`).config, { server: { host: '0.0.0.0' } })
})

test('the file is found from the working directory, and off is a word', async (t) => {
  t.match(load('accounts: { store: off }').config.accounts, {
    store: 'off',
    path: /^\/.*\/data\/accounts\.db$/,
    maxKeys: 100_000,
  })
})

test('PostgreSQL needs its address, which is shown without its password', async (t) => {
  t.match(
    refusalOf(() => load('accounts: { store: postgres }')),
    /accounts\.url: is required where accounts\.store is postgres/,
  )
  t.match(
    refusalOf(() => load('accounts: { store: postgres, url: "mysql://h" }')),
    /accounts\.url: must be a postgres:\/\/ address/,
  )
  const { config } = load('accounts: { store: postgres, url: "postgres://u:canary@h:5432/d" }')
  t.match(renderConfig(config), 'postgres://u:********@h:5432/d')
  t.notMatch(renderConfig(config), 'canary')
})

test('the try-it page is there without keys on loopback alone', (t) => {
  const { config } = load('')
  t.equal(hasTryPage(config), true)
  t.equal(hasTryPage({ ...config, server: { ...config.server, host: '0.0.0.0' } }), false)
  t.equal(hasTryPage(load('server: { trustedProxies: [ 127.0.0.1 ] }').config), false, 'it is behind a proxy')
  t.equal(hasTryPage({ ...config, accounts: { store: 'sqlite' } }), false)
  t.equal(hasTryPage(load('keys: [ { name: a, key: long-enough-secret } ]').config), false)
  t.end()
})

const CLAIMS = { key: 'app' }

const URL_OF_KEYS = { jwksUrl: 'https://id.example.com/jwks' }

/** `place`: of its public keys. */
function entry(over: Partial<JwtEntry> = {}, place: Pick<JwtEntry, 'jwksUrl' | 'jwksFile'> = URL_OF_KEYS): JwtEntry {
  const common = { issuer: 'https://id.example.com', audience: 'sluice', claims: CLAIMS }
  return { ...common, algorithms: ['RS256'], ...place, ...over }
}

function problemsOf(entries: readonly JwtEntry[], hasKeys = true): string {
  const problems = new ProblemList(() => ({ line: null, origin: null }))
  resolveIdentityProviders(entries, { problems, cwd: '/etc/sluice', hasKeys })
  return problems.all.map(({ path, reason }) => `${path.join('.')}: ${reason}`).join('\n')
}

test('a provider has one place of keys, which nobody can change on the way, and says what its tokens may use', (t) => {
  t.equal(problemsOf([entry(), entry({ issuer: 'other' }, { jwksFile: 'keys.json' })]), '')
  t.equal(problemsOf([entry({ jwksUrl: 'http://127.0.0.1:8080/jwks' })]), '')
  t.match(problemsOf([entry({ jwksUrl: 'http://id.example.com/jwks' })]), /jwksUrl.*must be an https/)
  t.match(problemsOf([entry({}, {})]), /either jwksUrl or jwksFile/)
  t.match(problemsOf([entry({ jwksFile: 'a' })]), /either jwksUrl or jwksFile/)
  t.match(problemsOf([entry({ claims: { user: 'sub' } })]), /claims.*needs key or team/)
  t.match(problemsOf([entry(), entry()]), /issuer.*is there twice/)
  t.match(problemsOf([entry()], false), /requires gateway keys/)
  t.equal(problemsOf([], false), '')
  t.end()
})

test('a file is found from where the gateway runs', (t) => {
  const ground = { problems: new ProblemList(() => ({ line: null, origin: null })), cwd: '/etc/sluice', hasKeys: true }
  const entries = ['keys.json', '/keys.json'].map((jwksFile) => entry({}, { jwksFile }))
  const { jwt } = resolveIdentityProviders(entries, ground)
  t.same(
    jwt.map(({ jwksFile }) => jwksFile),
    ['/etc/sluice/keys.json', '/keys.json'],
  )
  t.end()
})
