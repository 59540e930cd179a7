// The certificate of a listener: checked when the configuration is read, so that an unusable pair stops the start or the
// reload. The engine reads the files itself; only a fingerprint is kept, to detect a renewed certificate.
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { type ListenerTls } from '../../listener-types.js'
import { type ConfigFile } from '../../schema/schema.js'
import { type Path } from '../../validate/problem.js'
import { isCertificate, readTlsFile, type TlsSources, warnOfDates } from './tls-files.js'

/** Null for plain HTTP. `at`: the option. */
export function resolveListenerTls(
  at: Path,
  tls: ConfigFile['server']['tls'],
  sources: TlsSources,
): ListenerTls | null {
  if (tls === null) return null
  const { files, problems } = sources
  const { passphrase } = tls
  const certFile = resolve(files.cwd, tls.certFile)
  const keyFile = resolve(files.cwd, tls.keyFile)
  const cert = read('certFile', certFile)
  const key = read('keyFile', keyFile)
  if (cert === null || key === null) return { certFile, keyFile, passphrase }
  const fault = findTlsFault({ cert, key, passphrase })
  if (fault === null) warnOfDates([...at, 'certFile'], cert, sources)
  else problems.add([...at, fault.member], fault.reason)
  return { certFile, keyFile, passphrase, fingerprint: createHash('sha256').update(cert).digest('hex') }

  function read(member: 'certFile' | 'keyFile', file: string): string | null {
    return readTlsFile([...at, member], file, sources)
  }
}

type Pair = { readonly cert: string; readonly key: string; readonly passphrase: string | null }

/** `member`: the option of the listener's TLS that is at fault. */
type TlsFault = { readonly member: 'certFile' | 'keyFile' | 'passphrase'; readonly reason: string }

const BAD_DECRYPT = 'ERR_OSSL_BAD_DECRYPT'
const NEEDS_PASSPHRASE: TlsFault = { member: 'passphrase', reason: 'is required to decrypt keyFile' }
/** Messages for OpenSSL's reasons; any other reason means that the key cannot be read. */
const FAULT_OF_CODE: Readonly<Record<string, TlsFault>> = {
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: { member: 'keyFile', reason: 'contains a key that does not match certFile' },
  [BAD_DECRYPT]: { member: 'passphrase', reason: 'does not decrypt keyFile' },
  ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED: NEEDS_PASSPHRASE,
}

/** What is wrong with the pair; null if it is usable. */
function findTlsFault({ cert, key, passphrase }: Pair): TlsFault | null {
  if (!isCertificate(cert)) return { member: 'certFile', reason: 'contains no PEM certificate' }
  try {
    createSecureContext({ cert, key, ...(passphrase === null ? {} : { passphrase }) })
    return null
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    // Node tries an empty passphrase where there is none.
    if (code === BAD_DECRYPT && passphrase === null) return NEEDS_PASSPHRASE
    return FAULT_OF_CODE[code] ?? { member: 'keyFile', reason: 'contains no readable PEM private key' }
  }
}
