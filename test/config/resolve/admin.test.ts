// Keys of the admin API: hashed, unique, not those of clients; and a listener that nobody reaches in plain text.
import { createHash } from 'node:crypto'
import { test } from 'tap'
import { loadConfig } from '../../../src/config/load.js'
import { Authority } from '../../helpers/certificates.js'
import { load, refusalOf, sources } from '../sources.js'

const KEY = 'a-long-enough-secret'
const OTHER = 'another-long-secret'
const hash = (key: string): string => createHash('sha256').update(key).digest('hex')

test('only hashes of the keys are kept; admin.key is one of role write, others read unless they say otherwise', (t) => {
  const { config } = load(
    `admin: { key: ${KEY}, keys: [ { name: a, key: ${OTHER} }, { name: b, keySha256: ${'AB'.repeat(32)}, role: write } ] }`,
  )
  t.same(config.admin.keys, [
    { name: 'admin', keySha256: hash(KEY), role: 'write' },
    { name: 'a', keySha256: hash(OTHER), role: 'read' },
    { name: 'b', keySha256: 'ab'.repeat(32), role: 'write' },
  ])
  t.notMatch(JSON.stringify(config), /long-/)
  t.same(config.warnings, [])
  t.end()
})

test('a key that can be guessed is refused, and is not in the message', (t) => {
  const message = refusalOf(() => load('admin: { key: short-secret }'))
  t.equal(message, 'admin.key: must be a secret of 16 to 4096 characters or null, not that string (line 1)')
  t.match(load('admin: { key: your-admin-key-goes-here }').config.warnings, [/placeholder/])
  t.end()
})

test('names and keys are not doubled, and no client has a key of the admin API', (t) => {
  t.match(
    refusalOf(() => load(`admin: { key: ${KEY}, keys: [ { name: admin, key: ${OTHER} } ] }`)),
    /^admin\.keys\.0\.name: duplicates the name of another admin key/,
  )
  t.match(
    refusalOf(() => load(`admin: { key: ${KEY}, keys: [ { name: a, keySha256: ${hash(KEY)} } ] }`)),
    /^admin\.keys\.0: duplicates another admin key/,
  )
  t.match(
    refusalOf(() => load(`admin: { key: ${KEY} }\nkeys: [ { name: a, key: ${KEY} } ]`)),
    /^admin\.key: is a gateway key as well/,
  )
  t.match(
    refusalOf(() => load('admin: { keys: [ { name: a } ] }')),
    /^admin\.keys\.0: needs either key or keySha256/,
  )
  t.end()
})

test('beyond loopback it needs TLS; where it is off, its host does not matter', (t) => {
  t.match(
    refusalOf(() => load(`admin: { host: 0.0.0.0, key: ${KEY} }`)),
    /^admin\.host: must be a loopback address unless admin\.tls is set/,
  )
  t.equal(load('admin: { host: 0.0.0.0 }').config.admin.host, '0.0.0.0')
  const { cert, key } = new Authority(t).issue('first')
  const text = `admin: { host: 0.0.0.0, key: ${KEY}, tls: { certFile: c.pem, keyFile: k.pem } }`
  const read = (file: string) =>
    loadConfig(sources({ files: { '/w/sluice.yaml': text, '/w/c.pem': file, '/w/k.pem': key } }))
  t.match(read(cert).config.admin.tls, { certFile: '/w/c.pem', keyFile: '/w/k.pem', fingerprint: /^[0-9a-f]{64}$/ })
  t.match(
    refusalOf(() => read('no PEM')),
    /^admin\.tls\.certFile: contains no PEM certificate/,
  )
  t.end()
})
