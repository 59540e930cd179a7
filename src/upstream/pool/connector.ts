// Opens the connections of one provider: directly or through its proxy, with TLS that is always verified, against its own CA and
// server name if configured. undici requests a socket and gets one that its parser can take over.
import { type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import buildConnector from 'undici/lib/core/connect.js'
import errors from 'undici/lib/core/errors.js'
import { type ProviderConfig, type Timeouts } from '../../config/types.js'
import { connectProxy, openTunnel, ProxyError, type UpstreamProxy } from '../proxy.js'
import { EAGER_READS, readEagerly } from './eager-reads.js'
import { skipContinue } from './informational.js'

type Connect = buildConnector.connector
type Callback = buildConnector.Callback

export type ConnectorOptions = {
  readonly provider: Pick<ProviderConfig, 'tls'> & { readonly timeouts: Pick<Timeouts, 'connectMs'> }
  readonly proxy: UpstreamProxy | null
  /** For tests: a CA. */
  readonly extra?: buildConnector.BuildOptions | undefined
}

/**
 * For undici's parser of HTTP/1.1. One for all connections of a provider, so that they share its TLS sessions. `ready`: the first one,
 * which an offer has made.
 */
export function createConnector(options: ConnectorOptions, ready: Socket | null = null): Connect {
  const reach = reacher(options, { allowH2: false })
  let first = ready
  return (options, callback) => {
    const made = first
    first = null
    if (made !== null && !made.destroyed) queueMicrotask(() => handOver(made, callback))
    else {
      reach(options, (...[error, socket]: Parameters<Callback>) => {
        if (error !== null) callback(error, null)
        else handOver(socket, callback)
      })
    }
  }
}

/** Offers HTTP/2 and HTTP/1.1; what was agreed on is the socket's `alpnProtocol`. */
export function createOffer(options: ConnectorOptions): Connect {
  return reacher(options, { allowH2: true })
}

function handOver(socket: Socket, callback: Callback): void {
  readEagerly(socket)
  // undici makes the parser in here.
  callback(null, socket)
  skipContinue(socket)
}

function reacher({ provider, proxy, extra }: ConnectorOptions, own: buildConnector.BuildOptions): Connect {
  const timeout = provider.timeouts.connectMs
  const always = { ...EAGER_READS, timeout, rejectUnauthorized: true }
  const connect = keepingSession(buildConnector({ ...extra, ...tlsOptions(provider), ...own, ...always }))
  return proxy === null ? connect : throughProxy(connect, proxy, timeout)
}

/**
 * undici holds the TLS session of a host for the next connection, but weakly: the next collection of garbage takes it, and with it the
 * shorter handshake. The last one is held here.
 */
function keepingSession(connect: Connect): Connect {
  const kept: { session: Buffer | null } = { session: null }
  const keep = (session: Buffer): void => {
    kept.session = session
  }
  return (options, callback) => {
    // undici returns the socket, which its types do not say. What is held is never read: that it is there is enough.
    const socket: unknown = connect(options, callback)
    if (socket instanceof TLSSocket) socket.on('session', keep)
  }
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
