// The files of a provider's TLS: read with the configuration, so that what is wrong with them stops the start or the reload.
import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { renderConfig } from '../../../../src/config/check.js'
import { loadConfig } from '../../../../src/config/load.js'
import { Authority } from '../../../helpers/certificates.js'
import { refusalOf, sources } from '../../sources.js'

test('files are read as PEM, and none of it is shown', (t) => {
  const authority = new Authority(t)
  const { cert, key } = authority.issue('client')
  const load = (tls: object, files: Record<string, string> = {}) => {
    const entry = { protocol: 'openai-chat', baseUrl: 'https://api.test', tls }
    const all = { '/w/sluice.yaml': JSON.stringify({ providers: { up: entry } }), '/w/ca.pem': authority.ca, ...files }
    return loadConfig(sources({ files: all })).config
  }
  const pair = { '/w/c.pem': cert, '/abs/k.pem': key }
  const full = { caFile: 'ca.pem', certFile: 'c.pem', keyFile: '/abs/k.pem', serverName: 'provider.test' }
  const config = load(full, pair)
  t.same(config.providers[0]?.tls, { ca: authority.ca, cert, key, serverName: 'provider.test' })
  t.notMatch(renderConfig(config), /BEGIN/)
  t.match(renderConfig(config), /serverName: provider\.test/)
  t.equal(load({}).providers[0]?.tls, null)
  t.same(load({ serverName: 'a.test' }).providers[0]?.tls, { ca: null, cert: null, key: null, serverName: 'a.test' })

  const at = 'providers.up.tls'
  t.match(
    refusalOf(() => load({ caFile: 'gone.pem' })),
    `${at}.caFile: names a file that cannot be read`,
  )
  t.match(
    refusalOf(() => load({ caFile: 'k.pem' }, { '/w/k.pem': key })),
    `${at}.caFile: names a file that contains no PEM certificate`,
  )
  t.match(
    refusalOf(() => load({ certFile: 'c.pem' }, pair)),
    `${at}.keyFile: is required`,
  )
  t.match(
    refusalOf(() => load({ keyFile: '/abs/k.pem' }, pair)),
    `${at}.certFile: is required`,
  )
  const foreign = new Authority(t, 'Other').issue('x').key
  t.match(
    refusalOf(() => load(full, { ...pair, '/abs/k.pem': foreign })),
    `${at}.keyFile: names a file that does not contain the PEM private key`,
  )
  t.match(
    refusalOf(() => load({ serverName: 'no name' })),
    `${at}.serverName`,
  )
  const yaml = JSON.stringify({
    providers: { up: { protocol: 'openai-chat', baseUrl: 'https://api.test', tls: full } },
  })
  const files = { '/w/sluice.yaml': yaml, '/w/ca.pem': authority.ca, ...pair }
  t.match(loadConfig(sources({ files, nowMs: Date.now() + 3 * 86_400_000 })).config.warnings, [
    /^providers\.up\.tls\.certFile: the certificate expired at /,
  ])
  t.same(config.warnings, [])
  t.equal(readFileSync(authority.caFile, 'utf8'), authority.ca)
  t.end()
})
