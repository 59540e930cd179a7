// The files of a TLS configuration, of the listener's and of a provider's: read with the configuration; a missing one is a problem,
// and a certificate that clients or the provider soon reject is a warning.
import { X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import { type Path, type ProblemList } from '../validate/problem.js'

export type TlsFiles = {
  /** Working directory that relative names stand in. */
  readonly cwd: string
  /** When they are read, Unix time. */
  readonly nowMs: number
  /** Null if there is none. Throws if it is there but cannot be read. */
  readFile(file: string): string | null
}

export type TlsSources = {
  readonly files: TlsFiles
  readonly problems: ProblemList
  readonly warnings: string[]
}

/** Enough to renew a certificate by hand. */
const MOST_NOTICE_MS = 14 * 86_400_000
/** Of the time that a certificate is valid: those of a few days are renewed by programs, and not before half of it is over. */
const NOTICE_SHARE = 0.25

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

/** Adds a warning where the first certificate of `pem`, which the option at `path` names, is valid no more, soon no more or not yet. */
export function warnOfDates(path: Path, pem: string, { files, warnings }: TlsSources): void {
  const { validFrom, validTo } = new X509Certificate(pem)
  const [fromMs, toMs] = [Date.parse(validFrom), Date.parse(validTo)]
  const noticeMs = Math.min(MOST_NOTICE_MS, (toMs - fromMs) * NOTICE_SHARE)
  const warn = (what: string): unknown => warnings.push(`${path.join('.')}: the certificate ${what}`)
  if (files.nowMs > toMs) warn(`expired at ${utc(toMs)}`)
  else if (files.nowMs > toMs - noticeMs) warn(`expires at ${utc(toMs)}`)
  else if (files.nowMs < fromMs) warn(`is not valid before ${utc(fromMs)}`)
}

function utc(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('.000Z', 'Z')
}
