// The engine's app of the main listener, plain or with TLS. An app keeps its certificate, so a renewed one needs another app on the
// same port: it gets the new connections, while the old app keeps its open ones.
import { type ServerConfig } from '../../config/types.js'
import { GatewayError } from '../../errors.js'
import { type Engine, type TemplatedApp } from './engine.js'

type Tls = ServerConfig['tls']

/** @throws misconfigured when the engine cannot use certificate and key */
export function createApp(engine: Engine, tls: Tls): TemplatedApp {
  if (tls === null) return engine.uws.App()
  const passphrase = tls.passphrase === null ? {} : { passphrase: tls.passphrase }
  try {
    return engine.uws.SSLApp({ cert_file_name: tls.certFile, key_file_name: tls.keyFile, ...passphrase })
  } catch (cause) {
    throw new GatewayError('misconfigured', {
      message: `TLS cannot be set up with ${tls.certFile} and ${tls.keyFile}.`,
      cause,
    })
  }
}

/** True if TLS stays on with other files, or with new contents of the same files. */
export function isRenewed(before: Tls, next: Tls): boolean {
  if (before === null || next === null) return false
  return (
    before.certFile !== next.certFile ||
    before.keyFile !== next.keyFile ||
    before.passphrase !== next.passphrase ||
    before.fingerprint !== next.fingerprint
  )
}
