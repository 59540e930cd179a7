// The TLS options of one provider: a private CA, a client certificate, a server name other than the host. The files are read
// with the configuration, so that a reload picks up renewed files and rejects invalid ones without changing anything.
import { createSecureContext } from 'node:tls'
import { type ProviderEntry } from '../../schema/provider.js'
import { type ProviderTls } from '../../types.js'
import { type Path } from '../../validate/problem.js'
import { isCertificate, readTlsFile, type TlsSources, warnOfDates } from './tls-files.js'

/** Null if no option is set. */
export function resolveProviderTls(
  { tls }: Pick<ProviderEntry, 'tls'>,
  at: Path,
  sources: TlsSources,
): ProviderTls | null {
  const { problems } = sources
  const { caFile, certFile, keyFile, serverName } = tls
  if (caFile === undefined && certFile === undefined && keyFile === undefined && serverName === undefined) return null
  const path = [...at, 'tls']
  if ((certFile === undefined) !== (keyFile === undefined)) {
    problems.add(
      [...path, certFile === undefined ? 'certFile' : 'keyFile'],
      'is required: certFile and keyFile must be set together',
    )
  }
  const ca = read([...path, 'caFile'], caFile)
  const cert = read([...path, 'certFile'], certFile)
  const key = read([...path, 'keyFile'], keyFile)
  if (ca !== null && !isCertificate(ca))
    problems.add([...path, 'caFile'], 'names a file that contains no PEM certificate')
  if (cert !== null && key !== null) {
    if (isPair(cert, key)) warnOfDates([...path, 'certFile'], cert, sources)
    else problems.add([...path, 'keyFile'], 'names a file that does not contain the PEM private key of certFile')
  }
  return { ca, cert, key, serverName: serverName ?? null }

  function read(of: Path, file: string | undefined): string | null {
    return file === undefined ? null : readTlsFile(of, file, sources)
  }
}

/** A certificate, perhaps with its chain, and its private key. */
function isPair(cert: string, key: string): boolean {
  try {
    createSecureContext({ cert, key })
    return true
  } catch {
    return false
  }
}
