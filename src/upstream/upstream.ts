// All requests of one event loop to upstreams: joins headers, connection and call. How a provider's requests are authorized is decided
// once for each: by its fixed headers, or by credentials that a call first waits for.
//
//   call -> way of the provider:  directly  -> LiveCall
//                                 authorized -> AuthorizedCall -> (credentials) -> LiveCall
import { type ProviderConfig, type Timeouts } from '../config/types.js'
import { toGatewayError } from '../errors.js'
import {
  buildHeaders,
  type FixedHeaders,
  type ParameterHeaders,
  withCallerKey,
  withHeaders,
  withMedia,
  withParameters,
} from './auth.js'
import { type CallHandler, isIsolated, LiveCall, type UpstreamCall, type UpstreamRequest } from './call.js'
import { AuthorizedCall } from './credentials/authorized-call.js'
import { type CredentialStore, type Credentials } from './credentials/credentials.js'
import { type TimeLimits } from './deadlines.js'
import { joinPath } from './path.js'
import { type PoolLink, type PoolStats, type Pools } from './pool/pools.js'

export type UpstreamOptions = {
  readonly pools: Pools
  /** Those of all providers, for the life of the event loop. */
  readonly credentials: CredentialStore
  /** Largest whole answer, and largest unpacked answer of any kind. */
  readonly maxResponseBytes: number
  /** The fixed headers of the provider's dialect. */
  readonly dialectHeaders: (provider: ProviderConfig) => ParameterHeaders
}

/** Who gets the answer, and within which limits. */
type Receiver = TimeLimits & { readonly handler: CallHandler }
type Way = (request: UpstreamRequest, fixed: FixedHeaders, to: Receiver) => UpstreamCall
type Prepared = { readonly fixed: FixedHeaders; readonly way: Way }

const NO_SECRETS: readonly string[] = Object.freeze([])
/** As in the fixed headers. */
const JSON_TYPE = 'application/json'

/** All calls of one event loop. */
export class Upstream {
  readonly #options: UpstreamOptions
  readonly #prepared = new WeakMap<ProviderConfig, Prepared>()

  constructor(options: UpstreamOptions) {
    this.#options = options
  }

  /**
   * Builds what every call to this provider needs, so that a wrong configuration fails at start.
   * @throws misconfigured
   */
  prepare(provider: ProviderConfig): void {
    this.#options.pools.of(provider)
    this.#preparedFor(provider)
  }

  /** Sends one request. Never throws: every failure reaches `handler.onError`. */
  call(request: UpstreamRequest, handler: CallHandler, timeouts: Timeouts): UpstreamCall {
    const { provider, callerKey = null } = request
    const to = { handler, timeouts, startedAtMs: null }
    try {
      if (callerKey !== null) return this.#directly(request, this.#headersWith(provider, callerKey), to)
      const { fixed, way } = this.#preparedFor(provider)
      return way(request, fixed, to)
    } catch (error) {
      const call = this.#open(request, to)
      call.failLater(toGatewayError(error))
      return call
    }
  }

  /** What a provider's answers must not show besides its configuration: the credentials that it has at present. */
  secretsOf(provider: ProviderConfig): readonly string[] {
    return this.#options.credentials.of(provider)?.secrets ?? NO_SECRETS
  }

  stats(provider: Pick<ProviderConfig, 'name'>): PoolStats {
    return this.#options.pools.stats(provider)
  }

  readonly #directly: Way = (request, fixed, to) => {
    const call = this.#open(request, to)
    try {
      const { provider, callerKey = null } = request
      const link = this.#options.pools.of(provider)
      const path = joinPath(link.basePath, request.path)
      const own = withMedia(withParameters(fixed, request.isStream, request.headers), request.media ?? null)
      const headers = link.proxyHeaders.length === 0 ? own : [...own, ...link.proxyHeaders]
      // undici takes no readonly array but does not change it.
      const { headers: sent, body } = bodyOptions(headers as string[], request)
      const options = { path, method: request.method ?? ('POST' as const), headers: sent, body }
      const isLast = isSurplus(link) || (callerKey !== null && isIsolated(provider))
      call.start(link, isLast ? { ...options, reset: true } : options)
    } catch (error) {
      call.failLater(toGatewayError(error))
    }
    return call
  }

  /** @throws invalid_request for a path that leaves the base URL */
  #authorized(credentials: Credentials): Way {
    return (request, fixed, { handler, timeouts }) => {
      const { provider, path, body, media, isStream } = request
      const { origin, pathname } = new URL(provider.baseUrl)
      const url = origin + joinPath(pathname.replace(/\/+$/, ''), path)
      const outgoing = { url, contentType: media?.contentType ?? JSON_TYPE, body }
      const send = (headers: readonly string[], to: Receiver): UpstreamCall =>
        this.#directly(request, withHeaders(fixed, headers), to)
      return new AuthorizedCall({ credentials, outgoing, timeouts, isStream, send }, handler)
    }
  }

  #open(request: UpstreamRequest, { handler, timeouts, startedAtMs }: Receiver): LiveCall {
    const { maxResponseBytes } = this.#options
    return new LiveCall(request, handler, { timeouts, startedAtMs, maxResponseBytes })
  }

  /** Built for each request, so that a caller's key is never kept. */
  #headersWith(provider: ProviderConfig, callerKey: string): FixedHeaders {
    return buildHeaders(withCallerKey(provider, callerKey), this.#options.dialectHeaders(provider))
  }

  #preparedFor(provider: ProviderConfig): Prepared {
    let prepared = this.#prepared.get(provider)
    if (prepared === undefined) {
      const fixed = buildHeaders(provider, this.#options.dialectHeaders(provider))
      const credentials = this.#options.credentials.of(provider)
      prepared = { fixed, way: credentials === null ? this.#directly : this.#authorized(credentials) }
      this.#prepared.set(provider, prepared)
    }
    return prepared
  }
}

/** True if the connections to keep are all busy: a further one is closed after its answer. */
function isSurplus({ provider, pool }: PoolLink): boolean {
  const { maxIdleConnections = null } = provider
  return maxIdleConnections !== null && pool.busy >= maxIdleConnections
}

/** Some servers reject a request that declares a body and has none. */
function withoutType(headers: string[]): string[] {
  const at = headers.findIndex((name, i) => i % 2 === 0 && name === 'content-type')
  return at < 0 ? headers : headers.toSpliced(at, 2)
}

/** A smaller body is cheaper to hold until the answer is over than to send in pieces, which costs 4 us. */
const MIN_PIECES_BYTES = 32 * 1024
/** The same where the answer may take minutes. */
const MIN_STREAM_PIECES_BYTES = 4096

/** undici's types know no body in pieces, but undici does, and sends them one by one: their length must be told. */
function bodyOptions(headers: string[], { body, isStream }: UpstreamRequest): { headers: string[]; body: Uint8Array } {
  const most = isStream ? MIN_STREAM_PIECES_BYTES : MIN_PIECES_BYTES
  if (body instanceof Uint8Array && body.length < most)
    return { headers: body.length === 0 ? withoutType(headers) : headers, body }
  const pieces = body instanceof Uint8Array ? [body] : body
  const length = pieces.reduce((total, piece) => total + piece.length, 0)
  return { headers: [...headers, 'content-length', String(length)], body: pieces as unknown as Uint8Array }
}
