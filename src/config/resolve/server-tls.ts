// Whether the certificate and key of the listener fit, before the engine is asked, which says no more than that it fails.
import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'

export type ServerTlsFiles = { readonly cert: string; readonly key: string; readonly passphrase: string | null }

/** `member`: the option of `server.tls` that is at fault. */
export type ServerTlsFault = { readonly member: 'certFile' | 'keyFile' | 'passphrase'; readonly reason: string }

const BAD_DECRYPT = 'ERR_OSSL_BAD_DECRYPT'
const NEEDS_PASSPHRASE: ServerTlsFault = { member: 'passphrase', reason: 'is needed to open keyFile' }
/** OpenSSL's reasons in words; any other is a key that cannot be read. */
const FAULT_OF_CODE: Readonly<Record<string, ServerTlsFault>> = {
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: { member: 'keyFile', reason: 'holds a key that does not belong to certFile' },
  [BAD_DECRYPT]: { member: 'passphrase', reason: 'does not open keyFile' },
  ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED: NEEDS_PASSPHRASE,
}

/** What is wrong with the pair; null where it can be used. */
export function findTlsFault({ cert, key, passphrase }: ServerTlsFiles): ServerTlsFault | null {
  if (!isCertificate(cert)) return { member: 'certFile', reason: 'holds no certificate in PEM' }
  try {
    createSecureContext({ cert, key, ...(passphrase === null ? {} : { passphrase }) })
    return null
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    // Node tries an empty passphrase where there is none.
    if (code === BAD_DECRYPT && passphrase === null) return NEEDS_PASSPHRASE
    return FAULT_OF_CODE[code] ?? { member: 'keyFile', reason: 'holds no private key in PEM that can be read' }
  }
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== null
  } catch {
    return false
  }
}
