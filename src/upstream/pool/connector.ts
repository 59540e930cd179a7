// Opens the connections of one provider: directly or through its proxy, with TLS that is always verified, against its own CA and
// server name if configured. undici requests a socket and gets one that its parser can take over.
import { type Socket } from 'node:net'
import { buildConnector, errors } from 'undici'
import { type ProviderConfig, type Timeouts } from '../../config/types.js'
import { connectProxy, openTunnel, ProxyError, type UpstreamProxy } from '../proxy.js'
import { EAGER_READS, readEagerly } from './eager-reads.js'
import { skipContinue } from './informational.js'

type Connect = buildConnector.connector
type Callback = buildConnector.Callback

/** One for all connections of a provider, so that they share its TLS sessions. `extra`: for tests, a CA. */
export function createConnector(
  provider: Pick<ProviderConfig, 'tls'> & { readonly timeouts: Pick<Timeouts, 'connectMs'> },
  proxy: UpstreamProxy | null,
  extra: buildConnector.BuildOptions = {},
): Connect {
  const timeout = provider.timeouts.connectMs
  const connect = buildConnector({
    ...extra,
    ...tlsOptions(provider),
    ...EAGER_READS,
    allowH2: false,
    timeout,
    rejectUnauthorized: true,
  })
  const reach = proxy === null ? connect : throughProxy(connect, proxy, timeout)
  return (options, callback) =>
    reach(options, (...[error, socket]: Parameters<Callback>) => {
      if (error !== null) callback(error, null)
      else {
        readEagerly(socket)
        // undici makes the parser in here.
        callback(null, socket)
        skipContinue(socket)
      }
    })
}

function tlsOptions({ tls = null }: Pick<ProviderConfig, 'tls'>): buildConnector.BuildOptions {
  if (tls === null) return {}
  const { ca, cert, key, serverName } = tls
  return {
    ...(ca === null ? {} : { ca }),
    ...(cert === null || key === null ? {} : { cert, key }),
    ...(serverName === null ? {} : { servername: serverName }),
  }
}

/** https uses a tunnel; for http the connection is to the proxy, and requests have the whole URL. */
function throughProxy(connect: Connect, proxy: UpstreamProxy, timeoutMs: number): Connect {
  return (options, callback) => {
    if (options.protocol !== 'https:') {
      connectPlain(proxy, timeoutMs, callback)
      return
    }
    const authority = `${options.hostname.includes(':') ? `[${options.hostname}]` : options.hostname}:${options.port || '443'}`
    openTunnel(proxy, authority, timeoutMs, (error, httpSocket) => {
      if (httpSocket === null) callback(error ?? new ProxyError('PROXY_FAILED'), null)
      else connect({ ...options, httpSocket }, callback)
    })
  }
}

function connectPlain(proxy: UpstreamProxy, timeoutMs: number, callback: Callback): void {
  const socket: Socket = connectProxy(proxy)
  const onError = (error: NodeJS.ErrnoException): void =>
    finish(new ProxyError(`PROXY_${error.code ?? 'FAILED'}`, error))
  const timer = setTimeout(() => finish(new errors.ConnectTimeoutError('no proxy in time')), timeoutMs)
  function finish(error: Error | null): void {
    clearTimeout(timer)
    if (error === null) {
      socket.off('error', onError)
      callback(null, socket)
    } else {
      socket.destroy()
      callback(error, null)
    }
  }
  socket.once('error', onError).once(proxy.isSecure ? 'secureConnect' : 'connect', () => finish(null))
}
