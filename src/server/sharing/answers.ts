// What of an answer other requests may get: which errors, which headers, and its bytes as the cache keeps and replays them.
import { GatewayError } from '../../errors.js'
import { type ErrorCode, type ErrorData } from '../../model/error.js'
import { NO_USAGE } from '../../model/usage.js'
import { type SharedAnswer, type ShareVerdict } from '../../pipeline/client.js'
import { type Answer, type HeaderList } from '../../pipeline/sink.js'
import { type KeptStream } from '../../streams/kept/kept-stream.js'
import { type FrameReader, type StreamEnd } from '../../streams/reader.js'
import { type CachedAnswer, type CacheHit } from '../../streams/sharing/exact-cache.js'

/** Headers of an answer that are true of the same answer to another request. */
const LASTING = new Set(['x-sluice-target', 'x-sluice-dropped'])
/** Failures of a provider that bear no status of its own. An overload without one is a limit of the gateway's. */
const PROVIDER_FAULTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...(['upstream_unreachable', 'upstream_timeout', 'upstream_malformed', 'upstream_cut'] as const),
])
const COMPLETE: StreamEnd = Object.freeze({
  outcome: 'complete',
  error: null,
  usage: NO_USAGE,
  usageSource: 'provider',
})

export const MISS: HeaderList = Object.freeze([['x-sluice-cache', 'miss'] as const])
export const FOLLOWER: HeaderList = Object.freeze([['x-sluice-cache', 'follower'] as const])
export const ATTACHED: HeaderList = Object.freeze([['x-sluice-attached', 'retry'] as const])
export const REFUSED: ShareVerdict = Object.freeze({
  kind: 'refuse',
  error: GatewayError.shared('invalid_request', {
    ...{ status: 409, retryable: true, retryAfterMs: 1000, param: 'Idempotency-Key' },
    message: 'The first request with this Idempotency-Key has ended without an answer to repeat.',
  }),
})

export const TOO_MANY: ShareVerdict = Object.freeze({
  kind: 'refuse',
  error: GatewayError.shared('rate_limited', {
    message: 'Too many repetitions of this request wait for its answer, or read it.',
    retryAfterMs: 1000,
  }),
})

/** True for the provider's own refusal or failure, which an equal request would get as well. */
export function isFromProvider({ code, upstreamStatus }: ErrorData): boolean {
  return upstreamStatus !== null || PROVIDER_FAULTS.has(code)
}

/** Those headers of an answer that go with it to other requests. */
export function lastingHeaders(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => LASTING.has(name))
}

/** The same answer for another request; its bytes are not copied. */
export function shareAnswer({ status, headers, body, error }: Answer): SharedAnswer {
  return error === null ? { status, contentType: contentTypeOf(headers), body } : { error }
}

/** A complete whole answer as the cache keeps it, with bytes of its own. */
export function cacheWhole({ headers, body }: Answer, requestId: string): CachedAnswer {
  const contentType = contentTypeOf(headers)
  return { kind: 'whole', body: new Uint8Array(body), contentType, requestId, headers: lastingHeaders(headers) }
}

/** A complete stream as the cache keeps it: all of its frames in one piece. */
export function cacheStream(stream: KeptStream): CachedAnswer {
  const { contentType, headers, requestId } = stream.facts
  const frames: Uint8Array[] = []
  const reader = stream.observe({ offset: 0, onReadable: nothing })
  for (let frame = reader.read(); frame !== null; frame = reader.read()) frames.push(frame)
  reader.detach()
  // Not Buffer.concat, whose result may be a view of the shared pool.
  const body = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, 0))
  let at = 0
  for (const frame of frames) {
    body.set(frame, at)
    at += frame.length
  }
  return { kind: 'stream', body, contentType, requestId, headers: lastingHeaders(headers) }
}

/** Headers of a hit. RFC 9111, section 5.1: the age in whole seconds. */
export function hitHeaders({ answer, ageMs }: CacheHit): HeaderList {
  return [...answer.headers, ['x-sluice-cache', 'hit'], ['age', String(Math.floor(ageMs / 1000))]]
}

/** Reads a cached stream: its frames as one entry, and the end. */
export class CachedReader implements FrameReader {
  readonly #frames: Uint8Array
  readonly isCut = false
  offset = 0

  constructor(frames: Uint8Array, onReadable: () => void) {
    this.#frames = frames
    queueMicrotask(onReadable)
  }

  read(): Uint8Array | null {
    if (this.offset > 0) return null
    this.offset = 1
    return this.#frames
  }

  end(): StreamEnd | null {
    return this.offset > 0 ? COMPLETE : null
  }

  detach(): void {}
}

function contentTypeOf(headers: HeaderList): string {
  return headers.find(([name]) => name === 'content-type')?.[1] ?? 'application/json'
}

function nothing(): void {}
