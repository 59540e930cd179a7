// What an attempt asks of upstream/call: the request with the headers that may pass, and the time limits in force.
import { type Timeouts } from '../config/types.js'
import { type EncodedBody } from '../protocols/codec.js'
import { type Dialect } from '../protocols/protocol.js'
import { type RouteTarget } from '../routing/router.js'
import { type UpstreamRequest } from '../upstream/call.js'
import { type RequestHead } from './client.js'

export type Sending = {
  readonly request: RequestHead
  readonly routed: RouteTarget
  readonly dialect: Dialect
  readonly encoded: EncodedBody
  /** The upstream is asked for a stream. */
  readonly isStream: boolean
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({})

/** Parameter headers pass only to an upstream that speaks the client's own protocol. */
export function upstreamRequest({ request, routed, dialect, encoded, isStream }: Sending): UpstreamRequest {
  const { provider, target } = routed
  const isSameProtocol = request.surface.id === target.protocol
  return {
    provider,
    path: encoded.path,
    headers: isSameProtocol ? pick(request.parameterHeaders, dialect.parameterHeaders) : NO_HEADERS,
    body: encoded.body,
    isStream,
  }
}

/** A whole answer comes all at once: only the total time bounds it. `leftMs`: what the client has left of its own. */
export function timeoutsFor(timeouts: Timeouts, isStream: boolean, leftMs: number): Timeouts {
  const totalMs = Math.min(timeouts.totalMs, leftMs)
  if (!isStream) return { ...timeouts, totalMs, firstTokenMs: totalMs, betweenTokensMs: totalMs }
  return totalMs === timeouts.totalMs ? timeouts : { ...timeouts, totalMs }
}

/** Only the parameter headers that this dialect knows. */
function pick(headers: Readonly<Record<string, string>>, names: readonly string[]): Readonly<Record<string, string>> {
  if (names.length === 0) return NO_HEADERS
  return Object.fromEntries(Object.entries(headers).filter(([name]) => names.includes(name)))
}
