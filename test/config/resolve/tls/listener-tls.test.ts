// The listener's certificate: files that are there and belong together, and a mark by which a renewed one is known.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { loadConfig } from '../../../../src/config/load.js'
import { GatewayError } from '../../../../src/errors.js'
import { Authority } from '../../../helpers/certificates.js'
import { load, refusalOf, sources } from '../../sources.js'

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
    /^server\.tls\.keyFile: contains a key that does not match certFile/,
  )
  t.match(
    refusalOf(() => tlsOf('no PEM', first.key)),
    /^server\.tls\.certFile: contains no PEM certificate/,
  )
  t.end()
})

test('a certificate that has expired is a warning, and one of a broken pair no second complaint', (t) => {
  const authority = new Authority(t)
  const [one, other] = [authority.issue('one'), authority.issue('other')]
  const loadLater = (key: string) => {
    const files = { '/w/sluice.yaml': TEXT, '/w/cert.pem': one.cert, '/k/key.pem': key }
    return loadConfig(sources({ files, nowMs: Date.now() + 3 * 86_400_000 })).config
  }
  t.match(loadLater(one.key).warnings, [/^server\.tls\.certFile: the certificate expired at \d{4}-/])
  t.notMatch(
    refusalOf(() => loadLater(other.key)),
    'expired',
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

function makePair(folder: string, name: string, days = '1') {
  const [keyFile, certFile] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)]
  const subject = ['-subj', '/CN=localhost', '-days', days]
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, '-keyout', keyFile, '-out', certFile],
    { stdio: 'ignore' },
  )
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), keyFile }
}

test('says of a pair which file is at fault, and why', (t) => {
  const folder = t.testdir()
  const one = makePair(folder, 'one')
  const two = makePair(folder, 'two')
  const locked = join(folder, 'locked.key')
  execFileSync('openssl', ['rsa', '-aes256', '-passout', 'pass:right', '-in', one.keyFile, '-out', locked], {
    stdio: 'ignore',
  })
  const sealed = readFileSync(locked, 'utf8')
  const faultOf = (cert: string, key: string, passphrase: string | null = null): string | null => {
    const tls = { certFile: 'cert.pem', keyFile: 'key.pem', ...(passphrase === null ? {} : { passphrase }) }
    const files = { '/w/sluice.yaml': JSON.stringify({ server: { tls } }), '/w/cert.pem': cert, '/w/key.pem': key }
    try {
      loadConfig(sources({ files }))
      return null
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      return error.message.replace(/^server\.tls\.(\w+): (.*?)(?: \(line \d+\))?$/, '$1 $2')
    }
  }
  t.equal(faultOf(one.cert, one.key), null)
  t.equal(faultOf(one.cert, sealed, 'right'), null)
  t.equal(faultOf(one.cert, two.key), 'keyFile contains a key that does not match certFile')
  t.equal(faultOf('text', one.key), 'certFile contains no PEM certificate')
  t.equal(faultOf(one.key, one.key), 'certFile contains no PEM certificate')
  t.equal(faultOf(one.cert, 'text'), 'keyFile contains no readable PEM private key')
  t.equal(faultOf(one.cert, sealed), 'passphrase is required to decrypt keyFile')
  t.equal(faultOf(one.cert, sealed, 'wrong'), 'passphrase does not decrypt keyFile')
  t.end()
})
