// Shows a client that waits for a slot its place in the queue, if it asked for that and its answer is a stream of a framing that has
// comments. The first report commits status 200, so that a refusal after it is an error frame in the stream.
import { QUEUE_HEADER } from '../client.js'
import { type ExchangeIn, type ExchangeView } from '../exchange.js'
import { type QueuePlace } from '../sink.js'
import { beginStream } from './begin-stream.js'
import { startKeepalive } from './keepalive.js'

const ON = '1'

/** True if the client wants to see its place, and could. */
export function asksForPlace({ request, sink }: Pick<ExchangeView, 'request' | 'sink'>): boolean {
  const { parameterHeaders, surface } = request
  return parameterHeaders[QUEUE_HEADER] === ON && surface.framing === 'sse' && sink.queued !== undefined
}

/** Shows its places to the client of a stream, and keeps the stream alive between them; `watch` reports them. */
export function showPlaces(
  exchange: ExchangeIn<'delivery'>,
  watch: (onPlace: (place: QueuePlace) => void) => void,
): void {
  startKeepalive(exchange)
  watch((place) => showPlace(exchange, place))
}

function showPlace(exchange: ExchangeIn<'delivery'>, place: QueuePlace): void {
  if (exchange.isEnded) return
  try {
    beginStream(exchange)
    exchange.sink.queued?.(place)
    exchange.lastFrameAtMs = exchange.context.clock.nowMs()
  } catch (thrown) {
    exchange.giveUp(thrown)
  }
}
