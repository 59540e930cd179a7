// Connections to upstreams: one pool of undici clients per configured provider and event loop, created on first use. A provider that
// a reload changes gets a new pool beside the old one, which remains while it is in use. The parser is never paused: undici 7.26 to
// 7.30 kills the process when a paused answer ends by FIN (undici#5360). HTTP/1.1 only, TLS verified.
import { type buildConnector } from 'undici'
import { type ProviderConfig } from '../../config/types.js'
import { GatewayError } from '../../errors.js'
import { parseProxy } from '../proxy.js'
import { ClientPool } from './client-pool.js'
import { createConnector } from './connector.js'

/** Vendors send 1-4 KiB of headers; more than this is an error, not an answer. */
export const MAX_RESPONSE_HEADER_BYTES = 32 * 1024

/** A provider's pool and what a call needs to know about it. */
export type PoolLink = {
  readonly provider: ProviderConfig
  readonly pool: ClientPool
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
  readonly #retired = new Set<ClientPool>()

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

  #retire(pool: ClientPool): void {
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
    const pool = new ClientPool(url.origin, {
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
        connect: createConnector(provider, proxy, this.#options.connect),
      },
      onUnsolicited: () => this.#options.onUnsolicited?.(provider),
      onConnect: () => {
        link.isConnecting = true
        queueMicrotask(() => {
          link.isConnecting = false
        })
      },
    })
    const link: PoolLink = {
      provider,
      pool,
      basePath: isAsked ? `${url.origin}${path}` : path,
      proxyHeaders: isAsked && proxy.authorization !== null ? ['proxy-authorization', proxy.authorization] : [],
      isConnecting: false,
    }
    return link
  }
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
