// A certificate authority of a test's own, made with openssl in a folder of its own: what it issues, only its own file vouches for.

import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Teardown } from './gateway.js'

export type Issued = {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}

export type IssueOptions = { readonly names?: string; readonly days?: number }

export class Authority {
  readonly folder: string
  readonly caFile: string

  constructor(t: Teardown, name = 'Test CA') {
    this.folder = mkdtempSync(join(tmpdir(), 'sluice-ca-'))
    t.teardown(() => rmSync(this.folder, { recursive: true, force: true }))
    this.caFile = join(this.folder, 'ca.crt')
    this.#openssl(
      ...['req', '-x509', ...NEW_KEY, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2', '-subj', `/CN=${name}`],
    )
  }

  get ca(): string {
    return readFileSync(this.caFile, 'utf8')
  }

  /** `names`: subject alternative names, `DNS:a.test,IP:127.0.0.1`. */
  issue(name: string, { names = 'IP:127.0.0.1', days = 2 }: IssueOptions = {}): Issued {
    const [certFile, keyFile] = [join(this.folder, `${name}.crt`), join(this.folder, `${name}.key`)]
    writeFileSync(join(this.folder, 'names.cnf'), `subjectAltName=${names}\n`)
    this.#openssl('req', ...NEW_KEY, '-keyout', keyFile, '-out', 'request.csr', '-subj', `/CN=${name}`)
    const signing = [
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      `${days}`,
      '-extfile',
      'names.cnf',
    ]
    this.#openssl('x509', '-req', '-in', 'request.csr', '-out', certFile, ...signing)
    return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
  }

  /** One that has expired. Newer versions of openssl refuse negative days; one of none has expired after the second that it was made in. */
  async issueExpired(name: string): Promise<Issued> {
    const issued = this.issue(name, { days: 0 })
    const endMs = Date.parse(new X509Certificate(issued.cert).validTo)
    while (Date.now() <= endMs + 1000) await new Promise((resolve) => setTimeout(resolve, 50))
    return issued
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.folder, stdio: 'ignore' })
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
