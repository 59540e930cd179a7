// Connections to upstreams: one pool of undici clients per configured provider and event loop, created on first use. A provider that
// a reload changes gets a new pool beside the old one, which remains while it is in use. The parser is never paused: undici 7.26 to
// 7.30 kills the process when a paused answer ends by FIN (undici#5360). TLS is always verified.
//
//   http2 off, or isolation, or no TLS: ClientPool (HTTP/1.1)      else NegotiatedPool: SessionPool (HTTP/2), or ClientPool, by ALPN
import { type Socket } from 'node:net'
import { type buildConnector } from 'undici'
import { type ProviderConfig } from '../../config/types.js'
import { GatewayError } from '../../errors.js'
import { parseProxy, type UpstreamProxy } from '../proxy.js'
import { ClientPool } from './client-pool.js'
import { createConnector, createOffer } from './connector.js'
import { NegotiatedPool } from './http2/negotiated-pool.js'
import { type UpstreamPool } from './upstream-pool.js'

/** Vendors send 1-4 KiB of headers; more than this is an error, not an answer. */
export const MAX_RESPONSE_HEADER_BYTES = 32 * 1024

/** A provider's pool and what a call needs to know about it. */
export type PoolLink = {
  readonly provider: ProviderConfig
  readonly pool: UpstreamPool
  /** Path of the base URL, without a trailing slash; empty for a bare origin. With the origin if requests go to an http proxy. */
  readonly basePath: string
  /** Flat; for a proxy that takes whole URLs. */
  readonly proxyHeaders: readonly string[]
  /** True only while a connection that was just made takes its first request, which undici does in the same tick. */
  isConnecting: boolean
}

/** Connections of one provider on this event loop: all open ones, and those with a request on them. */
export type PoolStats = { readonly open: number; readonly busy: number }

export type PoolsOptions = {
  /** Added to undici's connector options (tests: a CA); verification itself cannot be turned off. */
  readonly connect?: buildConnector.BuildOptions
  /** A provider has sent unsolicited bytes; its connections are not reused for a while. */
  readonly onUnsolicited?: (provider: ProviderConfig) => void
}

/** The pools of one event loop. */
export class Pools {
  readonly #options: PoolsOptions
  readonly #links = new Map<ProviderConfig, PoolLink>()
  /** Retired pools that still have requests. */
  readonly #retired = new Set<UpstreamPool>()

  constructor(options: PoolsOptions = {}) {
    this.#options = options
  }

  /**
   * The link of this provider, which is known by its configuration object: one of the same name with another configuration
   * has its own.
   * @throws misconfigured when the base URL is not http or https
   */
  of(provider: ProviderConfig): PoolLink {
    const known = this.#links.get(provider)
    if (known !== undefined) return known
    const link = this.#open(provider)
    this.#links.set(provider, link)
    return link
  }

  /**
   * Retires the pools of all other providers; a pool closes when its last request has ended. A later request to a retired provider gets
   * a new pool, which the next call retires again.
   */
  keep(providers: ReadonlySet<ProviderConfig>): void {
    for (const [provider, { pool }] of this.#links) {
      if (providers.has(provider)) continue
      this.#links.delete(provider)
      this.#retire(pool)
    }
  }

  /**
   * The sums over all pools with this provider's name, retired ones included; zeros if none has been called yet. Walks all
   * connections: for a scrape, not for each request.
   */
  stats({ name }: Pick<ProviderConfig, 'name'>): PoolStats {
    let [open, busy] = [0, 0]
    for (const { provider, pool } of this.#links.values()) {
      if (provider.name !== name) continue
      const counts = pool.stats()
      open += counts.open
      busy += counts.busy
    }
    return { open, busy }
  }

  /** Accepts no new request, waits for the running ones until the deadline, then destroys the rest. */
  async close(deadlineMs: number): Promise<void> {
    const pools = [...this.#retired, ...[...this.#links.values()].map((link) => link.pool)]
    this.#links.clear()
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs)
    })
    const closed = Promise.all(pools.map((pool) => pool.close()))
    await Promise.race([closed, deadline])
    clearTimeout(timer)
    await Promise.all(pools.map((pool) => pool.destroy()))
  }

  #retire(pool: UpstreamPool): void {
    this.#retired.add(pool)
    const forget = () => void this.#retired.delete(pool)
    pool.close().then(forget, forget)
  }

  #open(provider: ProviderConfig): PoolLink {
    const url = parseBaseUrl(provider)
    const proxy = typeof provider.proxy === 'string' ? parseProxy(provider.proxy) : null
    // With a tunnel, the proxy is involved only before the first request.
    const isAsked = proxy !== null && url.protocol === 'http:'
    const path = url.pathname.replace(/\/+$/, '')
    const onConnect = (): void => {
      link.isConnecting = true
      queueMicrotask(() => {
        link.isConnecting = false
      })
    }
    const opening = { url, proxy, onConnect }
    const pool = maySpeakHttp2(provider, url) ? this.#openHttp2(provider, opening) : this.#openHttp1(provider, opening)
    const link: PoolLink = {
      provider,
      pool,
      basePath: isAsked ? `${url.origin}${path}` : path,
      proxyHeaders: isAsked && proxy.authorization !== null ? ['proxy-authorization', proxy.authorization] : [],
      isConnecting: false,
    }
    return link
  }

  /** `ready`: a connection that it may begin with. */
  #openHttp1(provider: ProviderConfig, { url, proxy, onConnect }: Opening, ready: Socket | null = null): ClientPool {
    return new ClientPool(url.origin, {
      maxConnections: provider.maxConnections,
      reusesConnections: provider.isolation !== 'request',
      client: {
        pipelining: 1,
        headersTimeout: 0,
        bodyTimeout: 0,
        keepAliveTimeout: provider.keepAliveMs,
        // A provider's own Keep-Alive hint may shorten ours, never lengthen it.
        keepAliveMaxTimeout: provider.keepAliveMs,
        maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
        allowH2: false,
        connect: createConnector({ provider, proxy, extra: this.#options.connect }, ready),
      },
      onUnsolicited: () => this.#options.onUnsolicited?.(provider),
      onConnect,
    })
  }

  #openHttp2(provider: ProviderConfig, opening: Opening): NegotiatedPool {
    const { url, proxy, onConnect } = opening
    const connect = createOffer({ provider, proxy, extra: this.#options.connect })
    const { protocol, host, port } = url
    const target = { protocol, host, port, hostname: url.hostname.replace(/^\[(.*)\]$/, '$1') }
    return new NegotiatedPool(url.origin, {
      maxConnections: provider.maxConnections,
      keepAliveMs: provider.keepAliveMs,
      maxHeaderBytes: MAX_RESPONSE_HEADER_BYTES,
      settingsMs: provider.timeouts.connectMs,
      isRequired: provider.http2 === 'on',
      connect: (callback) => connect(target, (error, socket) => callback(error, error === null ? socket : null)),
      openHttp1: (ready) => this.#openHttp1(provider, opening, ready),
      onConnect,
    })
  }
}

type Opening = { readonly url: URL; readonly proxy: UpstreamProxy | null; readonly onConnect: () => void }

/** Isolation is of connections, so it needs one for each request. */
function maySpeakHttp2({ http2 = 'auto', isolation = 'none' }: ProviderConfig, { protocol }: URL): boolean {
  return http2 !== 'off' && isolation === 'none' && protocol === 'https:'
}

function parseBaseUrl(provider: ProviderConfig): URL {
  const url = parseOrNull(provider.baseUrl)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    const message = `The base URL of provider ${provider.name} is not an http or https URL.`
    throw new GatewayError('misconfigured', { message })
  }
  return url
}

function parseOrNull(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null
}
