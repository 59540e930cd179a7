// The engine's app of the main listener, in clear or under TLS. A certificate is the app's for life, so a renewed one is another app
// on the same port: new connections are its, those of the one before live on in that.
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

/** TLS goes on, with other files or with other contents of the same. */
export function isRenewed(before: Tls, next: Tls): boolean {
  if (before === null || next === null) return false
  return (
    before.certFile !== next.certFile ||
    before.keyFile !== next.keyFile ||
    before.passphrase !== next.passphrase ||
    before.fingerprint !== next.fingerprint
  )
}
