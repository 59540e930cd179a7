// Pairs of certificate and key, whole and broken, as OpenSSL makes them.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { findTlsFault } from '../../../src/config/resolve/server-tls.js'

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
  const faultOf = (cert: string, key: string, passphrase: string | null = null) => {
    const fault = findTlsFault({ cert, key, passphrase })
    return fault === null ? null : `${fault.member} ${fault.reason}`
  }
  t.equal(faultOf(one.cert, one.key), null)
  t.equal(faultOf(one.cert, sealed, 'right'), null)
  t.equal(faultOf(one.cert, two.key), 'keyFile holds a key that does not belong to certFile')
  t.equal(faultOf('text', one.key), 'certFile holds no certificate in PEM')
  t.equal(faultOf(one.key, one.key), 'certFile holds no certificate in PEM')
  t.equal(faultOf(one.cert, 'text'), 'keyFile holds no private key in PEM that can be read')
  t.equal(faultOf(one.cert, sealed), 'passphrase is needed to open keyFile')
  t.equal(faultOf(one.cert, sealed, 'wrong'), 'passphrase does not open keyFile')
  t.end()
})
