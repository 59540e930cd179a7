// What is special about the TLS to one provider: a CA of its own, a client's certificate, another name than the address has. The
// files are read with the configuration, so that a reload takes renewed ones and refuses broken ones, with nothing changed.
import { X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { type ProviderEntry } from '../schema.js'
import { type ProviderTls } from '../types.js'
import { type Path, type ProblemList } from '../validate/problem.js'

export type TlsFiles = {
  /** Working directory that relative names stand in. */
  readonly cwd: string
  /** Null if there is none. Throws if it is there but cannot be read. */
  readFile(file: string): string | null
}

/** Null where nothing is special. */
export function resolveProviderTls(
  { tls }: Pick<ProviderEntry, 'tls'>,
  at: Path,
  { files, problems }: { readonly files: TlsFiles; readonly problems: ProblemList },
): ProviderTls | null {
  const { caFile, certFile, keyFile, serverName } = tls
  if (caFile === undefined && certFile === undefined && keyFile === undefined && serverName === undefined) return null
  const path = [...at, 'tls']
  if ((certFile === undefined) !== (keyFile === undefined)) {
    problems.add([...path, certFile === undefined ? 'certFile' : 'keyFile'], 'is needed with the other of the pair')
  }
  const ca = read([...path, 'caFile'], caFile)
  const cert = read([...path, 'certFile'], certFile)
  const key = read([...path, 'keyFile'], keyFile)
  if (ca !== null && !isCertificate(ca)) problems.add([...path, 'caFile'], 'names a file without a certificate in PEM')
  if (cert !== null && key !== null && !isPair(cert, key)) {
    problems.add([...path, 'keyFile'], 'names a file without the private key in PEM that belongs to certFile')
  }
  return { ca, cert, key, serverName: serverName ?? null }

  function read(of: Path, file: string | undefined): string | null {
    if (file === undefined) return null
    try {
      const text = files.readFile(resolve(files.cwd, file))
      if (text !== null) return text
    } catch {
      // The same to who has to look for it.
    }
    problems.add(of, 'names a file that cannot be read')
    return null
  }
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== null
  } catch {
    return false
  }
}

/** A certificate, perhaps with its chain, and its private key. */
export function isPair(cert: string, key: string, passphrase: string | null = null): boolean {
  try {
    createSecureContext({ cert, key, ...(passphrase === null ? {} : { passphrase }) })
    return true
  } catch {
    return false
  }
}
