// A `fetch` for client libraries that take one: streamed answers of a gateway survive lost connections. Everything else passes
// through as it is: other requests, whole answers, errors, and answers of servers that keep no streams.
//
//   POST, lost before its head --> the same POST, same Idempotency-Key --> 200, x-sluice-stream --> ResumedBody --> GET /v1/streams/...
import { FrameCutter } from './frame-cutter.js'
import { Patience } from './patience.js'
import { ResumedBody, retryAfterMs } from './resumed-body.js'

export type ResumingFetchOptions = {
  /** Sends the requests; the global one unless given. */
  readonly fetch?: typeof globalThis.fetch
  /** How long an outage may last before the answer is given up, in ms. The gateway itself goes on for `streams.graceMs`. */
  readonly maxOfflineMs?: number
  /** A connection that has brought nothing for so long is lost, in ms. The gateway sends something every `server.keepaliveMs`. */
  readonly idleMs?: number
  /** The URL of `/v1/streams`, if it is not beside the path that is called (`https://host/prefix/v1/...`). */
  readonly streamsUrl?: string
  /** Called when a lost connection has been replaced. */
  readonly onResume?: (event: { readonly stream: string; readonly after: number }) => void
  /** Draws the pauses between attempts, from 0 up to 1; `Math.random` unless given. */
  readonly random?: () => number
}

type Input = Parameters<typeof globalThis.fetch>[0]
type Init = NonNullable<Parameters<typeof globalThis.fetch>[1]>

/** A POST whose answer may be kept. */
type Kept = {
  readonly input: Input
  readonly init: Init
  readonly headers: Headers
  readonly signal: AbortSignal | null
}

/** The default grace of the gateway is 30 s, its default retention five minutes. */
const MAX_OFFLINE_MS = 60_000
/** Three keepalives that did not come. */
const IDLE_MS = 45_000
/** A member of the body; within a text its quotes would be escaped. */
const STREAM_MEMBER = /"stream"\s*:\s*true\b/
const STREAM_TYPE = /^text\/event-stream|^application\/(?:x-)?ndjson/
/** Of the body that a GET has not, and of the POST alone. */
const POST_HEADERS = ['content-type', 'content-length', 'content-encoding', 'idempotency-key', 'x-sluice-resume']
/** Node's codes of a connection that was lost. With any other, such as ENOTFOUND, the request never left. */
const LOST_CODES =
  /^(?:ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|ENET\w+|UND_ERR_(?:SOCKET|HEADERS_TIMEOUT|BODY_TIMEOUT)|HPE_\w+)$/
/** In the answer to a repeated POST: the first one is still under way, or a proxy stands before a gateway that restarts. */
const REPEATED = new Set([409, 429, 502, 503, 504])

/**
 * A `fetch` that continues the streams of a gateway over lost connections, each frame once and in order. An answer that cannot be
 * continued fails with a `StreamLostError` while it is read; it never ends as if it were whole. An aborted signal, or a body that
 * is cancelled, stops the stream at the gateway too.
 */
export function resumingFetch(options: ResumingFetchOptions = {}): typeof globalThis.fetch {
  const send: typeof globalThis.fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
  const { maxOfflineMs = MAX_OFFLINE_MS, random } = options
  const patience = () => new Patience({ maxOfflineMs, random })
  return async (input, init) => {
    const kept = await asKept(input, init)
    if (kept === null) return send(input, init)
    const response = await post(send, kept, patience())
    const stream = response.headers.get('x-sluice-stream')
    const type = response.headers.get('content-type') ?? ''
    if (response.status !== 200 || stream === null || !STREAM_TYPE.test(type) || !isReadable(response)) return response
    const url = streamUrl(options.streamsUrl, urlOf(input, response), stream)
    const framing = type.startsWith('text') ? 'sse' : 'ndjson'
    const call = (method: string, after: number, signal: AbortSignal | null) =>
      send(url, followUp(kept, { method, accept: type, after, signal }))
    const body = new ResumedBody({
      response,
      stream,
      cutter: new FrameCutter(framing),
      patience: patience(),
      idleMs: options.idleMs ?? IDLE_MS,
      signal: kept.signal,
      resume: (after, signal) => call('GET', after, signal),
      cancel: () => call('DELETE', -1, null),
      onResume: options.onResume ?? (() => undefined),
    })
    const { status, statusText, headers } = response
    const whole = new Response(body.open(), { status, statusText, headers })
    Object.defineProperty(whole, 'url', { value: response.url })
    return whole
  }
}

/** The request with what asks the gateway to keep its stream; null for any other than a POST of a stream. */
async function asKept(input: Input, init: Init = {}): Promise<Kept | null> {
  const request = input instanceof Request ? input : null
  if ((init.method ?? request?.method ?? 'GET').toUpperCase() !== 'POST') return null
  const headers = new Headers(init.headers ?? request?.headers)
  const body = init.body ?? (await request?.clone().arrayBuffer())
  const text = typeof body === 'string' ? body : isBytes(body) ? new TextDecoder().decode(body) : null
  if (text === null || !(STREAM_MEMBER.test(text) || STREAM_TYPE.test(headers.get('accept') ?? ''))) return null
  if (!headers.has('x-sluice-resume')) headers.set('x-sluice-resume', '1')
  if (!headers.has('idempotency-key')) headers.set('idempotency-key', randomKey())
  const credentials = request === null ? {} : { credentials: request.credentials }
  const signal = init.signal ?? request?.signal ?? null
  return { input, init: { ...credentials, ...init, method: 'POST', body: body ?? null }, headers, signal }
}

/** Sends the POST until its head is there. Only what may have reached the gateway is sent again, with the same key. */
async function post(send: typeof globalThis.fetch, kept: Kept, patience: Patience): Promise<Response> {
  const { input, init, headers, signal } = kept
  let isRepeated = false
  for (;;) {
    let response: Response
    try {
      response = await send(input, { ...init, headers })
    } catch (error) {
      if ((!isRepeated && wasNeverSent(error)) || !(await patience.pause(signal))) throw signal?.reason ?? error
      isRepeated = true
      continue
    }
    if (!isRepeated || !REPEATED.has(response.status)) return response
    if (!(await patience.pause(signal, retryAfterMs(response)))) return response
    void response.body?.cancel().catch(() => undefined)
  }
}

/** Then repeating it is the caller's decision. A browser does not say. */
function wasNeverSent(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: unknown } }
  return cause !== undefined && !LOST_CODES.test(String(cause.code))
}

type FollowUp = {
  readonly method: string
  readonly accept: string
  readonly after: number
  readonly signal: AbortSignal | null
}

/** A request about the stream, with the credentials and settings of the POST. */
function followUp({ init, headers: own }: Kept, { method, accept, after, signal }: FollowUp): Init {
  const { body: _body, ...rest } = init
  const headers = new Headers(own)
  for (const name of POST_HEADERS) headers.delete(name)
  headers.set('accept', accept)
  if (after >= 0) headers.set('last-event-id', String(after))
  // A page that is being closed still says that it stops.
  return { ...rest, method, headers, signal, ...(method === 'DELETE' ? { keepalive: true } : {}) }
}

/** Beside the path that was called: `/prefix/v1/chat/...` has `/prefix/v1/streams`. */
function streamUrl(streamsUrl: string | undefined, called: string, stream: string): string {
  const { origin, pathname } = new URL(called)
  const folder = streamsUrl ?? `${origin}${/^(.*)\/v1\//.exec(pathname)?.[1] ?? ''}/v1/streams`
  return `${folder.replace(/\/$/, '')}/${encodeURIComponent(stream)}`
}

/** A page may call by a path alone; then the answer says where that was. */
function urlOf(input: Input, response: Response): string {
  const url = input instanceof Request ? input.url : String(input)
  return response.url === '' ? url : new URL(url, response.url).href
}

/** A library may bring a `fetch` of its own whose bodies are no web streams; they are left alone. */
function isReadable(response: Response): boolean {
  return typeof response.body?.getReader === 'function'
}

function isBytes(body: unknown): body is Uint8Array | ArrayBuffer {
  return body instanceof Uint8Array || body instanceof ArrayBuffer
}

/** 128 bits. `randomUUID` is not there on pages without TLS. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
