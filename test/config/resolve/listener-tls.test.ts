// The listener's certificate: files that are there and belong together, and a mark by which a renewed one is known.
import { test } from 'tap'
import { loadConfig } from '../../../src/config/load.js'
import { Authority } from '../../helpers/certificates.js'
import { load, refusalOf, sources } from '../sources.js'

const TEXT = 'server: { tls: { certFile: cert.pem, keyFile: /k/key.pem, passphrase: p } }'

function tlsOf(cert: string, key: string) {
  const files = { '/w/sluice.yaml': TEXT, '/w/cert.pem': cert, '/k/key.pem': key }
  return loadConfig(sources({ files })).config.server.tls
}

test('files are found below the working directory, and each certificate has a mark of its own', (t) => {
  const authority = new Authority(t)
  const [first, second] = [authority.issue('first'), authority.issue('second')]
  const tls = tlsOf(first.cert, first.key)
  t.match(tls, { certFile: '/w/cert.pem', keyFile: '/k/key.pem', passphrase: 'p', fingerprint: /^[0-9a-f]{64}$/ })
  t.same(tlsOf(first.cert, first.key), tls)
  t.not(tlsOf(second.cert, second.key)?.fingerprint, tls?.fingerprint)
  t.match(
    refusalOf(() => tlsOf(first.cert, second.key)),
    /^server\.tls\.keyFile: holds a key that does not belong to certFile/,
  )
  t.match(
    refusalOf(() => tlsOf('no PEM', first.key)),
    /^server\.tls\.certFile: holds no certificate in PEM/,
  )
  t.end()
})

test('files that are not there are named', (t) => {
  t.same(refusalOf(() => load(TEXT)).split('\n'), [
    'server.tls.certFile: names a file that cannot be read (line 1)',
    'server.tls.keyFile: names a file that cannot be read (line 1)',
  ])
  t.match(
    refusalOf(() => load('server: { tls: { certFile: a } }')),
    /^server\.tls\.keyFile: is required/,
  )
  t.end()
})
