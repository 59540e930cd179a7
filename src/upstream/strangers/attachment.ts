// Fetches one image or document that a client named by URL, for a provider that takes only bytes. The URL is a stranger's:
// the same guard as a webhook's, a connection of its own that is not kept, no redirect, and bounds on time and size.
import { Client, type Dispatcher } from 'undici'
import { GatewayError } from '../../errors.js'
import { createGuardedConnector } from './guarded-connector.js'
import { type Resolve } from './guarded-lookup.js'
import { checkPublicUrl, type GuardPolicy } from './public-url.js'

/** What the providers that take bytes know as an image or a document. */
const MEDIA_TYPES: ReadonlySet<string> = new Set([
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'application/pdf',
])
const MAX_HEAD_BYTES = 16 * 1024
const OK = 200
const ENDED = Object.freeze(new GatewayError('client_gone', { message: 'The attachment is not needed any more.' }))

export type Fetched = { readonly mediaType: string; readonly base64: string }

export type FetchOptions = GuardPolicy & {
  readonly maxBytes: number
  readonly timeoutMs: number
  /** The client has left. */
  readonly signal: AbortSignal
  readonly resolve?: Resolve
  readonly ca?: string | Buffer
}

/** Rejects with the reason, which is for the log alone: it would tell a stranger of the network that the gateway stands in. */
export async function fetchAttachment(text: string, options: FetchOptions): Promise<Fetched> {
  const { url, problem } = checkPublicUrl(text, options)
  if (url === null) throw new Error(`the URL ${problem}`)
  if (options.signal.aborted) throw ENDED
  return await new Promise((resolve, reject) => {
    const fetching = new Fetching(url, options, { resolve, reject })
    fetching.start({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: 'GET',
      headers: ['accept', [...MEDIA_TYPES].join(', '), 'accept-encoding', 'identity', 'user-agent', 'sluice-fetch'],
      // A connection to a stranger is not kept.
      reset: true,
    })
  })
}

type Settlers = { readonly resolve: (fetched: Fetched) => void; readonly reject: (reason: Error) => void }

/** undici's handler of the one request. The parser is never paused (undici#5360). */
class Fetching implements Dispatcher.DispatchHandler {
  readonly #client: Client
  readonly #options: FetchOptions
  readonly #settlers: Settlers
  readonly #timer: NodeJS.Timeout
  readonly #onAbort = () => this.#end(ENDED)
  readonly #chunks: Buffer[] = []
  #controller: Dispatcher.DispatchController | null = null
  #mediaType = ''
  #bytes = 0
  #isOver = false

  constructor(url: URL, options: FetchOptions, settlers: Settlers) {
    this.#options = options
    this.#settlers = settlers
    this.#client = new Client(url.origin, {
      connect: createGuardedConnector(options),
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: MAX_HEAD_BYTES,
      allowH2: false,
    })
    this.#timer = setTimeout(() => this.#end(new Error('timed out')), options.timeoutMs)
    options.signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  start(options: Dispatcher.DispatchOptions): void {
    this.#client.dispatch(options, this)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
  }

  onResponseStart(_controller: unknown, status: number, headers: Record<string, string | string[] | undefined>): void {
    // 103 Early Hints come before the answer.
    if (status < OK || this.#isOver) return
    const mediaType = String(headers['content-type'] ?? '')
      .replace(/;.*$/s, '')
      .trim()
      .toLowerCase()
    this.#mediaType = mediaType
    if (status !== OK) this.#end(new Error(`the server answered ${status}`))
    else if (!MEDIA_TYPES.has(mediaType)) this.#end(new Error('the content type is neither an image nor PDF'))
    else if ((headers['content-encoding'] ?? 'identity') !== 'identity') this.#end(new Error('the content is encoded'))
    else if (Number(headers['content-length'] ?? 0) > this.#options.maxBytes) this.#end(new Error('too large'))
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    if (this.#isOver) return
    this.#bytes += chunk.length
    if (this.#bytes > this.#options.maxBytes) this.#end(new Error('too large'))
    // A copy: the bytes are a view of what was read.
    else this.#chunks.push(Buffer.from(chunk))
  }

  onResponseEnd(): void {
    this.#end(null)
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#end(error)
  }

  /** The end of all of it, whoever calls first. */
  #end(reason: Error | null): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#options.signal.removeEventListener('abort', this.#onAbort)
    if (reason === null) {
      this.#settlers.resolve({ mediaType: this.#mediaType, base64: Buffer.concat(this.#chunks).toString('base64') })
    } else this.#settlers.reject(reason)
    this.#controller?.abort(ENDED)
    void this.#client.destroy(ENDED).catch(() => {})
  }
}
