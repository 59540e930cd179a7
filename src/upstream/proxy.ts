// Connects to an upstream through an HTTP proxy: for https by a tunnel (CONNECT) with TLS to the upstream itself; for http the proxy
// gets the whole URL (RFC 9112 3.2.2), since most proxies allow tunnels only to port 443. Credentials are sent only to the proxy and
// never appear in an error.
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import errors from 'undici/lib/core/errors.js'

/** A proxy's URL taken apart. */
export type UpstreamProxy = {
  readonly isSecure: boolean
  readonly host: string
  readonly port: number
  /** Value of `proxy-authorization`; null without credentials. */
  readonly authorization: string | null
}

/** A failure at or before the proxy. Only `code` is shown. */
export class ProxyError extends Error {
  readonly code: string

  constructor(code: string, cause?: unknown) {
    super(`the proxy: ${code}`, cause === undefined ? undefined : { cause })
    this.name = 'ProxyError'
    this.code = code
  }
}

/** The code of an answer that requires credentials, or others than were sent. */
export const PROXY_AUTHENTICATION_REQUIRED = 'PROXY_AUTHENTICATION_REQUIRED'
export const PROXY_AUTHENTICATION_STATUS = 407
/** The answer of tinyproxy 1.11 to a request without credentials. */
const UNAUTHENTICATED = 401
/** Proxies answer a CONNECT with a few headers; more than this is not an answer. */
const MAX_HEAD_BYTES = 16 * 1024
const HEAD_END = '\r\n\r\n'
const STATUS_LINE = /^HTTP\/1\.[01] (\d{3})(?: |\r)/
/** The same value as undici's own. */
const KEEP_ALIVE_MS = 60_000
const DEFAULT_PORT = 80
const DEFAULT_SECURE_PORT = 443

/** Splits a URL that the configuration has checked. */
export function parseProxy(text: string): UpstreamProxy {
  const url = new URL(text)
  const isSecure = url.protocol === 'https:'
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  return {
    isSecure,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || (isSecure ? DEFAULT_SECURE_PORT : DEFAULT_PORT)),
    authorization: credentials === ':' ? null : `Basic ${Buffer.from(credentials).toString('base64')}`,
  }
}

/** A connection to the proxy itself, not yet open. */
export function connectProxy({ isSecure, host, port }: UpstreamProxy): Socket {
  const socket = isSecure
    ? connectTls({ host, port, ALPNProtocols: ['http/1.1'], ...(isIP(host) === 0 ? { servername: host } : {}) })
    : connectTcp({ host, port })
  return socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS)
}

/** Exactly one of the two; the caller owns the socket. */
export type OnTunnel = (error: Error | null, socket: Socket | null) => void

/** Requests a tunnel to `authority` (`host:port`) from the proxy. */
export function openTunnel(proxy: UpstreamProxy, authority: string, timeoutMs: number, done: OnTunnel): void {
  const socket = connectProxy(proxy)
  const timer = setTimeout(() => finish(new errors.ConnectTimeoutError('no tunnel in time')), timeoutMs)
  let head = ''

  function onConnect(): void {
    const authorization = proxy.authorization === null ? '' : `Proxy-Authorization: ${proxy.authorization}\r\n`
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`)
  }

  function onReadable(): void {
    for (let chunk = readFrom(socket); chunk !== null; chunk = readFrom(socket)) head += chunk.toString('latin1')
    const end = head.indexOf(HEAD_END)
    if (end >= 0) finish(faultOf(head, end))
    else if (head.length > MAX_HEAD_BYTES) finish(new ProxyError('PROXY_MALFORMED'))
  }

  function onError(error: NodeJS.ErrnoException): void {
    finish(new ProxyError(`PROXY_${error.code ?? 'FAILED'}`, error))
  }

  function onClose(): void {
    finish(new ProxyError('PROXY_CLOSED'))
  }

  function finish(error: Error | null): void {
    clearTimeout(timer)
    socket.off('readable', onReadable).off('error', onError).off('end', onClose).off('close', onClose)
    if (error === null) done(null, socket)
    else {
      socket.on('error', ignore).destroy()
      done(error, null)
    }
  }

  socket.once(proxy.isSecure ? 'secureConnect' : 'connect', onConnect)
  socket.on('readable', onReadable).on('error', onError).on('end', onClose).on('close', onClose)
}

function readFrom(socket: Socket): Buffer | null {
  const chunk: unknown = socket.read()
  return Buffer.isBuffer(chunk) ? chunk : null
}

/** Null if the tunnel is open. A TLS server waits for its client, so bytes after the head are not from it. */
function faultOf(head: string, end: number): ProxyError | null {
  const status = Number(STATUS_LINE.exec(head)?.[1])
  if (status === PROXY_AUTHENTICATION_STATUS || status === UNAUTHENTICATED)
    return new ProxyError(PROXY_AUTHENTICATION_REQUIRED)
  if (Number.isNaN(status)) return new ProxyError('PROXY_MALFORMED')
  if (status < 200 || status > 299) return new ProxyError(`PROXY_STATUS_${status}`)
  return head.length === end + HEAD_END.length ? null : new ProxyError('PROXY_MALFORMED')
}

function ignore(): void {
  // It is destroyed already.
}
