// Keepalives in the surface's own form, after `keepaliveMs` of silence counted from accept, so that no proxy on the way to the client
// cuts a silent stream. One lazily re-armed timer per stream: a chunk only updates a timestamp.

import { type ExchangeIn } from '../exchange.js'
import { beginStream } from './begin-stream.js'

/** Starts the watch, once; settle stops it. */
export function startKeepalive(exchange: ExchangeIn<'delivery'>): void {
  if (exchange.keepaliveTimer !== null) return
  exchange.lastFrameAtMs = exchange.request.acceptedAtMs
  arm(exchange)
}

function arm(exchange: ExchangeIn<'delivery'>): void {
  const { keepaliveMs } = exchange.context.config.server
  const silentMs = exchange.context.clock.nowMs() - exchange.lastFrameAtMs
  exchange.keepaliveTimer = setTimeout(beat, Math.max(1, keepaliveMs - silentMs), exchange)
}

function beat(exchange: ExchangeIn<'delivery'>): void {
  if (exchange.isEnded) return
  // A keepalive cannot be inserted into a JSON document that has begun.
  if (exchange.request.surface.framing === 'json' && exchange.isFollowed) return
  const nowMs = exchange.context.clock.nowMs()
  if (exchange.borrowed?.hasMoved() === true) exchange.lastFrameAtMs = nowMs
  // A millisecond of grace: timers may fire a little early.
  if (nowMs - exchange.lastFrameAtMs >= exchange.context.config.server.keepaliveMs - 1) {
    // Headers are committed by the first keepalive at the latest; from then on an error is in-band.
    try {
      beginStream(exchange)
      exchange.sink.keepalive()
    } catch (thrown) {
      exchange.giveUp(thrown)
      return
    }
    exchange.lastFrameAtMs = nowMs
  }
  arm(exchange)
}
