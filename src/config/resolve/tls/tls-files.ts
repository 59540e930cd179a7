// Reads the TLS files of the listener and of providers with the configuration. A missing file is a problem; a certificate that
// expires soon or is not valid yet is a warning.
import { X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import { type Path, type ProblemList } from '../../validate/problem.js'

export type TlsFiles = {
  /** Working directory, to which names are relative. */
  readonly cwd: string
  /** Unix time at which they are read. */
  readonly nowMs: number
  /** Null if the file does not exist. Throws if it exists but cannot be read. */
  readFile(file: string): string | null
}

export type TlsSources = {
  readonly files: TlsFiles
  readonly problems: ProblemList
  readonly warnings: string[]
}

/** Enough to renew a certificate by hand. */
const MOST_NOTICE_MS = 14 * 86_400_000
/** As a fraction of the validity: short-lived certificates are renewed automatically, not before half of it has passed. */
const NOTICE_SHARE = 0.25

/** The text of the file that the option at `path` names; null, and a problem, if it cannot be read. */
export function readTlsFile(path: Path, file: string, { files, problems }: TlsSources): string | null {
  try {
    const text = files.readFile(resolve(files.cwd, file))
    if (text !== null) return text
  } catch {
    // For the user both mean that the file is missing.
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

/** Warns if the first certificate of `pem`, which the option at `path` names, has expired, expires soon or is not valid yet. */
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
