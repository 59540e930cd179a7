// The files of a TLS configuration, of the listener's and of a provider's: read with the configuration, a missing one a problem.
import { X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import { type Path, type ProblemList } from '../validate/problem.js'

export type TlsFiles = {
  /** Working directory that relative names stand in. */
  readonly cwd: string
  /** Null if there is none. Throws if it is there but cannot be read. */
  readFile(file: string): string | null
}

export type TlsSources = { readonly files: TlsFiles; readonly problems: ProblemList }

/** The text of the file that the option at `path` names; null, and a problem, if it cannot be read. */
export function readTlsFile(path: Path, file: string, { files, problems }: TlsSources): string | null {
  try {
    const text = files.readFile(resolve(files.cwd, file))
    if (text !== null) return text
  } catch {
    // The same to who has to look for it.
  }
  problems.add(path, 'names a file that cannot be read')
  return null
}

/** Whether a text begins with a certificate in PEM. */
export function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== null
  } catch {
    return false
  }
}
