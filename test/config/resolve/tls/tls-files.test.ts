// Files of a TLS configuration: found below the working directory, and a problem where they cannot be read.
import { X509Certificate } from 'node:crypto'
import { test } from 'tap'
import { isCertificate, readTlsFile, warnOfDates } from '../../../../src/config/resolve/tls/tls-files.js'
import { ProblemList } from '../../../../src/config/validate/problem.js'
import { Authority } from '../../../helpers/certificates.js'

function read(file: string) {
  const problems = new ProblemList(() => ({ line: null, origin: null }))
  const readFile = (name: string): string | null => {
    if (name === '/w/closed.pem') throw new Error('EACCES')
    return name === '/w/a.pem' ? 'text' : null
  }
  const files = { cwd: '/w', nowMs: 0, readFile }
  return { text: readTlsFile(['tls', 'caFile'], file, { files, problems, warnings: [] }), problems }
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

test('distinguishes a certificate from a key and from other text', (t) => {
  const { cert, key } = new Authority(t).issue('one')
  t.equal(isCertificate(cert), true)
  for (const text of [key, 'text', '']) t.equal(isCertificate(text), false)
  t.end()
})

const DAY_MS = 86_400_000

test('a certificate that is valid no more, soon no more or not yet is warned of', (t) => {
  const authority = new Authority(t)
  const problems = new ProblemList(() => ({ line: null, origin: null }))
  // Days that it is valid, and how many before its end a warning begins: a quarter of its time, 14 at most.
  for (const [days, noticeDays] of [
    [365, 14],
    [90, 14],
    [40, 10],
    [6, 1.5],
  ] as const) {
    const { cert } = authority.issue(`of-${days}`, { days })
    const endMs = Date.parse(new X509Certificate(cert).validTo)
    const end = new Date(endMs).toISOString().replace('.000Z', 'Z')
    const start = new Date(endMs - days * DAY_MS).toISOString().replace('.000Z', 'Z')
    const warnedAt = (nowMs: number): string[] => {
      const warnings: string[] = []
      const files = { cwd: '/w', nowMs, readFile: () => null }
      warnOfDates(['server', 'tls', 'certFile'], cert, { files, problems, warnings })
      return warnings
    }
    const noticeMs = endMs - noticeDays * DAY_MS
    t.same(warnedAt(endMs - days * DAY_MS), [], `${days} days, new`)
    t.same(warnedAt(noticeMs), [], `${days} days, ${noticeDays} left`)
    const expires = [`server.tls.certFile: the certificate expires at ${end}`]
    t.same(warnedAt(noticeMs + 1), expires)
    t.same(warnedAt(endMs), expires)
    t.same(warnedAt(endMs + 1), [`server.tls.certFile: the certificate expired at ${end}`])
    t.same(warnedAt(endMs - days * DAY_MS - 1), [`server.tls.certFile: the certificate is not valid before ${start}`])
  }
  t.end()
})
