// Calls an upstream and keeps what its handler saw, for tests of src/upstream.
import { type ProviderConfig, type Timeouts } from '../../src/config/types.js'
import { type GatewayError } from '../../src/errors.js'
import {
  type CallHandler,
  type ResponseHeaders,
  type UpstreamCall,
  type UpstreamRequest,
} from '../../src/upstream/call.js'
import { CredentialStore, type CredentialStoreOptions } from '../../src/upstream/credentials/credentials.js'
import { Pools } from '../../src/upstream/pool/pools.js'
import { Upstream } from '../../src/upstream/upstream.js'

export type TestUpstreamOptions = { readonly pools?: Pools } & Partial<CredentialStoreOptions>

/** An Upstream with its own pools. */
export function testUpstream(
  maxResponseBytes = 1024 * 1024,
  { pools = new Pools(), nowMs = Date.now, onFailure = () => {} }: TestUpstreamOptions = {},
): { upstream: Upstream; pools: Pools } {
  const credentials = new CredentialStore({ nowMs, onFailure })
  return { pools, upstream: new Upstream({ pools, credentials, maxResponseBytes, dialectHeaders: () => ({}) }) }
}

/** What one call came to. */
export class Probe implements CallHandler {
  readonly #onEvent: (event: string, probe: Probe) => void
  readonly #done: Promise<Probe>
  #resolve: (probe: Probe) => void = () => undefined
  readonly events: string[] = []
  status = 0
  /** Made for it. */
  connections = 0
  headers: ResponseHeaders = {}
  body = ''
  error: GatewayError | null = null
  call: UpstreamCall | null = null
  durationMs = 0
  readonly #startedAtMs = performance.now()

  constructor(onEvent: (event: string, probe: Probe) => void = () => undefined) {
    this.#onEvent = onEvent
    this.#done = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  get code(): string | null {
    return this.error?.data.code ?? null
  }

  done(): Promise<Probe> {
    return this.#done
  }

  onConnected(): void {
    this.connections += 1
  }

  onHead(status: number, headers: ResponseHeaders): void {
    this.status = status
    this.headers = headers
    this.#note(`head ${status}`)
  }

  onBytes(chunk: Buffer): void {
    this.body += chunk.toString('latin1')
    this.#note('bytes')
  }

  onEnd(): void {
    this.#finish('end')
  }

  onError(error: GatewayError): void {
    this.error = error
    this.#finish(`error ${error.data.code}`)
  }

  #finish(event: string): void {
    this.durationMs = performance.now() - this.#startedAtMs
    this.#note(event)
    // undici gives a connection back to its pool a turn of the loop after the end.
    setImmediate(() => setImmediate(() => this.#resolve(this)))
  }

  #note(event: string): void {
    if (event !== 'bytes' || this.events.at(-1) !== 'bytes') this.events.push(event)
    this.#onEvent(event, this)
  }
}

export type ProbeOptions = {
  readonly timeouts?: Partial<Timeouts>
  readonly request?: Partial<UpstreamRequest>
  readonly onEvent?: (event: string, probe: Probe) => void
}

/** Sends one request and gives its probe at once. */
export function probe(upstream: Upstream, provider: ProviderConfig, options: ProbeOptions = {}): Probe {
  const seen = new Probe(options.onEvent)
  const request: UpstreamRequest = {
    provider,
    path: '/chat',
    headers: {},
    body: Buffer.from('{"hello":1}'),
    isStream: true,
    ...options.request,
  }
  seen.call = upstream.call(request, seen, { ...provider.timeouts, ...options.timeouts })
  return seen
}
