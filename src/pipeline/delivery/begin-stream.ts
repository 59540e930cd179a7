// Commits a stream to its client: from here on the status is 200 and every failure is an in-band error frame.

import { type FrameForm, type Surface } from '../../protocols/contract/protocol.js'
import { type RequestTrace } from '../../telemetry/records.js'
import { formatTraceparent } from '../../telemetry/traces/trace-context.js'
import { type ExchangeIn } from '../exchange.js'
import { type Passing } from '../relay/types.js'
import { type StreamFormat, type StreamHead } from '../sink.js'
import { exchangeHeaders, mediaTypeOf } from './answer.js'

const CONTENT_TYPE = {
  sse: 'text/event-stream; charset=utf-8',
  ndjson: 'application/x-ndjson',
  json: 'application/json',
} as const

/** Sends the head, once; later calls do nothing. */
export function beginStream(exchange: ExchangeIn<'delivery'>): void {
  if (exchange.hasBegun || exchange.isSettled) return
  begin(exchange)
  exchange.hasBegun = true
  // Only now is the transport final.
  exchange.context.metrics.streamOpened(exchange.sink.transport)
}

/** Tells a sink that takes the place of another one of a stream that has begun; the client has its head already. */
export function beginAgain(exchange: ExchangeIn<'delivery'>): void {
  if (exchange.hasBegun && !exchange.isSettled) begin(exchange)
}

function begin(exchange: ExchangeIn<'delivery'>): void {
  const { surface, requestId } = exchange.request
  const framing = exchange.current.framing ?? surface.framing
  const form = formOf(surface, framing)
  const face: StreamFormat = {
    keepaliveFrame: form.keepaliveFrame,
    encodeErrorFrame: (error) => {
      const hasFrames = ((exchange.borrowed ?? exchange.log)?.next ?? 0) > 0
      const continued = hasFrames && form === surface ? exchange.current.meter?.encodeErrorFrame?.(error) : undefined
      return continued ?? form.encodeErrorFrame(error, exchange.own?.members.id ?? requestId, hasFrames)
    },
  }
  const contentType = framing === 'bytes' ? mediaTypeOf(exchange.current.wholeHead) : CONTENT_TYPE[framing]
  const { trace } = exchange
  const head = { headers: exchangeHeaders(exchange), contentType, transport: framing }
  exchange.sink.begin(trace === null ? head : withTrace(head, trace), face)
  exchange.own?.began?.(exchange.sink.keptId ?? null)
}

function withTrace(head: StreamHead, trace: RequestTrace): StreamHead {
  return Object.assign({}, head, { trace: formatTraceparent(trace) })
}

/** How the gateway's own frames look among those of the stream. Among bytes there are none: the sink cuts such a stream. */
function formOf(surface: Surface, framing: Passing | 'json'): FrameForm {
  if (framing === 'json' || framing === 'bytes') return surface
  return surface.upstreamFrames?.[framing] ?? surface
}

/** Begins the stream, if it has not begun, and lets the sink follow the log to its end. Once per exchange. */
export function followLog(exchange: ExchangeIn<'delivery'>): void {
  if (exchange.isSettled || exchange.isFollowed) return
  exchange.isFollowed = true
  try {
    beginStream(exchange)
    const log = exchange.openLog()
    exchange.sink.follow(
      (onReadable) => log.attach(onReadable),
      (delivery) => exchange.deliver(delivery),
    )
    if (exchange.watches !== null) for (const watch of exchange.watches) watch.followed()
  } catch (thrown) {
    exchange.giveUp(thrown)
  }
}
