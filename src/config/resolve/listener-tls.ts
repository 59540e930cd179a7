// The certificate of the listener: looked at when the configuration is read, so that a pair that cannot work stops the start or
// the reload. The engine reads the files itself; what is kept here is by what a renewed one is known.
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { type ConfigFile } from '../schema.js'
import { type ServerConfig } from '../types.js'
import { type ProblemList } from '../validate/problem.js'
import { type TlsFiles } from './provider-tls.js'
import { findTlsFault } from './server-tls.js'

/** Null listens in clear. */
export function resolveListenerTls(
  tls: ConfigFile['server']['tls'],
  { files, problems }: { readonly files: TlsFiles; readonly problems: ProblemList },
): ServerConfig['tls'] {
  if (tls === null) return null
  const { passphrase } = tls
  const certFile = resolve(files.cwd, tls.certFile)
  const keyFile = resolve(files.cwd, tls.keyFile)
  const cert = read('certFile', certFile)
  const key = read('keyFile', keyFile)
  if (cert === null || key === null) return { certFile, keyFile, passphrase }
  const fault = findTlsFault({ cert, key, passphrase })
  if (fault !== null) problems.add(['server', 'tls', fault.member], fault.reason)
  return { certFile, keyFile, passphrase, fingerprint: createHash('sha256').update(cert).digest('hex') }

  function read(member: 'certFile' | 'keyFile', file: string): string | null {
    try {
      const text = files.readFile(file)
      if (text !== null) return text
    } catch {
      // The same to who has to look for it.
    }
    problems.add(['server', 'tls', member], 'names a file that cannot be read')
    return null
  }
}
