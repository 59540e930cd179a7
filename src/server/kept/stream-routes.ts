// The routes of kept streams: read on after a cursor, see how far the stream is, stop it. A stream of another owner is answered like
// one that does not exist, and so is a link that has expired. Reading is no new work: it takes no slot and no tokens, and goes on while
// the gateway drains.
//
//   key, or ?token= of a link -> owner -> stream -> cursor -> 410 | 204 | frames from there on
import { GatewayError } from '../../errors.js'
import { type HeaderList, type StreamFormat } from '../../pipeline/sink.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { offsetAfter } from '../../streams/access/cursor.js'
import { CROWDED, ownerOf, type ReadableLog } from '../../streams/kept/readable-log.js'
import { type FrameReader } from '../../streams/reader.js'
import { type HttpRequest } from '../engine/engine.js'
import { hasCredential } from '../http/credentials.js'
import { type Act, type HttpExchange } from '../http/http.js'
import { NumberedReader, numberedFormat, settledFormat } from './numbered-reader.js'
import { type SequenceOf, SequenceReader } from './sequence-reader.js'
import { STREAM_PATH, streamHeaders } from './stream-headers.js'
import { traceReading } from './trace-reading.js'

/** The number of the oldest frame that is held. */
const FIRST_HEADER = 'x-sluice-stream-first'
/** What a stream answers now is not what it answers later, and shared caches may keep even 204 and 404. */
const NO_STORE = ['cache-control', 'no-store'] as const
const UNCACHED: HeaderList = Object.freeze([NO_STORE])
const NO_BODY = new Uint8Array(0)
const UNKNOWN = GatewayError.shared('not_found', { message: 'No such stream.' })

/** GET: the frames after the cursor, as they come. HEAD: how far the stream is. */
export function readStream(surfaces: readonly Surface[]): Act {
  return uncached((exchange, req) => read(exchange, req, surfaces))
}

/** Refuses in words that no cache keeps, and that are the same for every method. */
function uncached(act: Act): Act {
  return (exchange, req) => {
    try {
      act(exchange, req)
    } catch (thrown) {
      exchange.reject(thrown, UNCACHED)
    }
  }
}

function read(exchange: HttpExchange, req: HttpRequest, surfaces: readonly Surface[]): void {
  const id = idOf(req)
  const token = req.getQuery('token') ?? ''
  const [lastEventId, after] = [req.getHeader('last-event-id'), req.getQuery('after') ?? '']
  const isLink = token !== '' && !hasCredential(exchange.head)
  const owner = isLink ? linkOwner(exchange, token, id) : ownerOf(exchange.authenticate())
  const offset = offsetAfter(lastEventId === '' ? after : lastEventId)
  if (offset === null) throw invalidCursor(lastEventId === '' ? 'after' : 'Last-Event-ID')
  meet(exchange, { id, owner }, (log) => {
    const surface = surfaces.find((each) => each.id === log.facts.surfaceId)
    if (surface === undefined) throw UNKNOWN
    // A link does not renew itself.
    const headers = streamHeaders(log.facts, isLink ? null : (exchange.view.keeping?.links ?? null))
    if (exchange.head.method === 'HEAD') showState(exchange, log, headers)
    else send({ exchange, log, surface, headers }, offset)
  })
}

/** DELETE: cancels a running stream, forgets one that has ended. A link does not allow it. */
export const stopStream: Act = uncached((exchange, req) => {
  const id = idOf(req)
  if ((req.getQuery('token') ?? '') !== '' && !hasCredential(exchange.head)) throw UNKNOWN
  meet(exchange, { id, owner: ownerOf(exchange.authenticate()) }, (log) => {
    log.cancel()
    exchange.answer(204, NO_BODY)
  })
})

function idOf(req: HttpRequest): string {
  return req.getUrl().slice(STREAM_PATH.length)
}

function linkOwner({ view }: HttpExchange, token: string, id: string): string {
  const owner = view.keeping?.links.ownerOf(token, id) ?? null
  if (owner === null) throw UNKNOWN
  return owner
}

type Sought = { readonly id: string; readonly owner: string }

/** Calls `act` with the stream, which may be fetched from elsewhere first; anything thrown is answered. */
function meet(exchange: HttpExchange, { id, owner }: Sought, act: (log: ReadableLog) => void): void {
  const use = (log: ReadableLog | null): void => {
    if (log === null) throw UNKNOWN
    if (!exchange.isOver) act(log)
  }
  const found = exchange.view.keeping?.reach(id, owner) ?? null
  if (found instanceof Promise) found.then(use).catch((thrown: unknown) => exchange.reject(thrown, UNCACHED))
  else use(found)
}

function invalidCursor(param: string): GatewayError {
  const message = `${param} must be the number of a frame: digits alone.`
  return new GatewayError('invalid_request', { message, param })
}

function showState(exchange: HttpExchange, log: ReadableLog, headers: HeaderList): void {
  const { facts, first, next, streamEnd } = log
  const state: HeaderList = [
    ['x-sluice-stream-state', streamEnd === null ? 'open' : 'ended'],
    [FIRST_HEADER, String(first)],
    ['x-sluice-stream-next', String(next)],
    ['content-type', facts.contentType],
    NO_STORE,
  ]
  exchange.answer(200, NO_BODY, [...headers, ...state])
}

/** Sends what follows the events that a client has: `after` is the number of the last of them, -1 for none. */
export function sendAfter(sending: Sending, sequenceOf: SequenceOf, after: number): void {
  const { exchange, log, surface } = sending
  // The number of an event may be one more than that of its frame.
  if (log.first > 0 && after <= log.first) exchange.reject(new GatewayError('stream_gone'), UNCACHED, surface)
  else if (log.isCrowded) exchange.reject(CROWDED, null, surface)
  else readBy(sending, { offset: log.first, wrap: (reader) => new SequenceReader(reader, sequenceOf, after) })
}

export type Sending = {
  readonly exchange: HttpExchange
  readonly log: ReadableLog
  readonly surface: Surface
  readonly headers: HeaderList
}

function send(sending: Sending, offset: number): void {
  const { exchange, log, surface, headers } = sending
  if (offset < log.first) {
    exchange.view.keeping?.counters.streamReader('resume', 'gone')
    exchange.reject(new GatewayError('stream_gone'), [[FIRST_HEADER, String(log.first)], NO_STORE], surface)
  } else if (offset > lastNumber(log)) exchange.answer(204, NO_BODY, [...headers, NO_STORE])
  else if (log.isCrowded) exchange.reject(CROWDED, null, surface)
  else follow(sending, offset)
}

/** The number of the last frame that there will be; an open stream may always have another one. */
function lastNumber({ streamEnd, next }: ReadableLog): number {
  if (streamEnd === null) return Number.POSITIVE_INFINITY
  // The error frame of a failed stream has a number, too.
  return streamEnd.error === null ? next - 1 : next
}

function follow(sending: Sending, offset: number): void {
  const isNumbered = sending.log.facts.framing === 'sse'
  if (isNumbered) readBy(sending, { offset, wrap: (reader) => new NumberedReader(reader), isNumbered })
  else readBy(sending, { offset, wrap: (reader) => reader })
}

type Reading = {
  readonly offset: number
  /** Between the reader and the client. */
  readonly wrap: (reader: FrameReader) => FrameReader
  /** It puts numbers into the frames, so the client can come back to any of them. */
  readonly isNumbered?: boolean
}

function readBy({ exchange, log, surface, headers }: Sending, { offset, wrap, isNumbered = false }: Reading): void {
  const { facts } = log
  const { clientSink: sink, view, requestId, origin, head: asked } = exchange
  const { parameterHeaders } = asked
  const endTrace = view.tracer === null ? null : traceReading({ view, parameterHeaders, requestId, origin }, facts)
  const counters = view.keeping?.counters
  const format = settledFormat(formatOf(log, surface), log)
  const head = {
    headers: [...facts.headers, ...headers],
    contentType: facts.contentType,
    transport: facts.framing,
  }
  sink.begin(head, isNumbered ? numberedFormat(format, log) : format)
  // Nothing to read yet: the client gets the head all the same, or it could not tell an open stream from a gateway that hangs.
  if (log.streamEnd === null && offset >= log.next) sink.keepalive()
  sink.follow(
    (onReadable): FrameReader => {
      const onKeepalive = (): void => sink.keepalive()
      const reader = log.attach({ how: 'resume', offset, onReadable, onKeepalive, canReturn: isNumbered })
      return wrap(reader)
    },
    ({ result }) => {
      counters?.streamReader('resume', result)
      endTrace?.(result)
    },
  )
}

/** As the stream's first answer had it. */
function formatOf(log: ReadableLog, surface: Surface): StreamFormat {
  const { framing, requestId } = log.facts
  const form = surface.upstreamFrames?.[framing] ?? surface
  return {
    keepaliveFrame: form.keepaliveFrame,
    encodeErrorFrame: (error) => form.encodeErrorFrame(error, requestId, log.next > 0),
  }
}
