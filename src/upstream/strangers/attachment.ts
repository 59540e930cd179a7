// Fetches one image or document that a client gave by URL, for a provider that accepts only bytes. The URL is untrusted: it has the
// same guard as a webhook, its own connection that is not kept, no redirects, and bounds on time and size. Memory
// is reserved in advance: without room, no request is sent and no more of an answer is kept.
import { type Dispatcher } from 'undici'
import Client from 'undici/lib/dispatcher/client.js'
import { GatewayError } from '../../errors.js'
import { createGuardedConnector } from './guarded-connector.js'
import { type Resolve } from './guarded-lookup.js'
import { checkPublicUrl, type GuardPolicy } from './public-url.js'

/** The types that providers which take bytes accept as an image or a document. */
const MEDIA_TYPES: ReadonlySet<string> = new Set([
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'application/pdf',
])
const MAX_HEAD_BYTES = 16 * 1024
/** About the memory of a TLS connection, an answer's head and one read of its body: the minimum that a fetch reserves. */
const FIRST_ROOM_BYTES = 64 * 1024
const EMPTY = new Uint8Array(new ArrayBuffer(0))
const OK = 200
/** The maximum of 1xx before an answer; servers send one. They have no body bytes, so no other limit on size applies to them. */
const MAX_EARLY_HEADS = 8
const ENDED = Object.freeze(new GatewayError('client_gone', { message: 'The attachment is not needed any more.' }))

export type Fetched = { readonly mediaType: string; readonly base64: string }

/** Memory on the account of the requesting key. */
export type Room = {
  /** Reserves up to this many bytes in total; returns an error if there is no room for them. */
  grow(bytes: number): GatewayError | null
}

export type FetchOptions = GuardPolicy & {
  readonly maxBytes: number
  readonly timeoutMs: number
  /** The client has left. */
  readonly signal: AbortSignal
  readonly room: Room
  readonly resolve?: Resolve
  readonly ca?: string | Buffer
}

/**
 * Rejects with the reason, which is for the log only: it would reveal the network of the gateway to a client.
 * @throws rate_limited, overloaded if there is no room; these are for the client
 */
export async function fetchAttachment(text: string, options: FetchOptions): Promise<Fetched> {
  const { url, problem } = checkPublicUrl(text, options)
  if (url === null) throw new Error(`the URL ${problem}`)
  if (options.signal.aborted) throw ENDED
  const refusal = options.room.grow(FIRST_ROOM_BYTES)
  if (refusal !== null) throw refusal
  return await new Promise((resolve, reject) => {
    const fetching = new Fetching(url, options, { resolve, reject })
    fetching.start({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: 'GET',
      headers: ['accept', [...MEDIA_TYPES].join(', '), 'accept-encoding', 'identity', 'user-agent', 'sluice-fetch'],
      // A connection to an untrusted server is not kept.
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
  #buffer: Uint8Array<ArrayBuffer> = EMPTY
  #declared = 0
  #earlyHeads = 0
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
    if (this.#isOver) return
    // 103 Early Hints come before the answer.
    if (status < OK) {
      this.#earlyHeads += 1
      if (this.#earlyHeads > MAX_EARLY_HEADS) this.#end(new Error('no answer after early heads'))
      return
    }
    const mediaType = String(headers['content-type'] ?? '')
      .replace(/;.*$/s, '')
      .trim()
      .toLowerCase()
    this.#mediaType = mediaType
    if (status !== OK) this.#end(new Error(`the server answered ${status}`))
    else if (!MEDIA_TYPES.has(mediaType)) this.#end(new Error('the content type is neither an image nor PDF'))
    else if ((headers['content-encoding'] ?? 'identity') !== 'identity') this.#end(new Error('the content is encoded'))
    else {
      this.#declared = Number(headers['content-length'] ?? 0)
      if (this.#declared > this.#options.maxBytes) this.#end(new Error('too large'))
    }
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    if (this.#isOver) return
    const before = this.#bytes
    this.#bytes += chunk.length
    if (this.#bytes > this.#options.maxBytes) {
      this.#end(new Error('too large'))
      return
    }
    const refusal = this.#makeRoom(this.#bytes)
    if (refusal === null) this.#buffer.set(chunk, before)
    else this.#end(refusal)
  }

  onResponseEnd(): void {
    this.#end(null)
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#end(error)
  }

  /**
   * One buffer, whatever the chunks: otherwise a server that sends single bytes would cause an object for each. Reserved at the size
   * of the base64 that it becomes.
   */
  #makeRoom(neededBytes: number): GatewayError | null {
    const { length } = this.#buffer
    if (length >= neededBytes) return null
    const grown = Math.min(this.#options.maxBytes, Math.max(FIRST_ROOM_BYTES / 2, length * 2, neededBytes))
    const size = this.#declared >= neededBytes ? this.#declared : grown
    const refusal = this.#options.room.grow(base64Length(size))
    if (refusal !== null) return refusal
    const buffer = new Uint8Array(new ArrayBuffer(size))
    buffer.set(this.#buffer)
    this.#buffer = buffer
    return null
  }

  /** Ends the fetch; only the first call counts. */
  #end(reason: Error | null): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#options.signal.removeEventListener('abort', this.#onAbort)
    if (reason === null) {
      const bytes = Buffer.from(this.#buffer.buffer, 0, this.#bytes)
      this.#settlers.resolve({ mediaType: this.#mediaType, base64: bytes.toString('base64') })
    } else this.#settlers.reject(reason)
    this.#buffer = EMPTY
    this.#controller?.abort(ENDED)
    void this.#client.destroy(ENDED).catch(() => {})
  }
}

/** The base64 length of this many bytes, in characters of one byte each. */
export function base64Length(bytes: number): number {
  return 4 * Math.ceil(bytes / 3)
}
