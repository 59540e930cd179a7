// Files of a TLS configuration: found below the working directory, and a problem where they cannot be read.
import { test } from 'tap'
import { isCertificate, readTlsFile } from '../../../src/config/resolve/tls-files.js'
import { ProblemList } from '../../../src/config/validate/problem.js'
import { Authority } from '../../helpers/certificates.js'

function read(file: string) {
  const problems = new ProblemList(() => ({ line: null, origin: null }))
  const readFile = (name: string): string | null => {
    if (name === '/w/closed.pem') throw new Error('EACCES')
    return name === '/w/a.pem' ? 'text' : null
  }
  return { text: readTlsFile(['tls', 'caFile'], file, { files: { cwd: '/w', readFile }, problems }), problems }
}

test('a file is found below the working directory', (t) => {
  for (const name of ['a.pem', '/w/a.pem']) t.match(read(name), { text: 'text', problems: { length: 0 } }, name)
  t.end()
})

test('a file that is missing and one that cannot be read are the same problem', (t) => {
  for (const name of ['none.pem', 'closed.pem']) {
    const { text, problems } = read(name)
    t.equal(text, null)
    t.throws(() => problems.throwIfAny(), { message: 'tls.caFile: names a file that cannot be read' }, name)
  }
  t.end()
})

test('a certificate is told from a key and from any other text', (t) => {
  const { cert, key } = new Authority(t).issue('one')
  t.equal(isCertificate(cert), true)
  for (const text of [key, 'text', '']) t.equal(isCertificate(text), false)
  t.end()
})
