// The heads of answers: which headers an exchange bears, and the JSON bytes of results and errors.

import { limitHeaders } from '../limit/headers.js'
import { type ErrorData } from '../model/error.js'
import { type JsonObject } from '../model/json.js'
import { type Surface } from '../protocols/protocol.js'
import { type Exchange } from './exchange.js'
import { type Answer, type HeaderList } from './sink.js'

type Headers = (readonly [string, string])[]

/** Header values are ASCII; a name from configuration that is not is left out rather than mangled. */
const PRINTABLE = /^[\x20-\x7e]*$/
/** Too much now, by whoever's limit; 529 is how one vendor spells its 503. */
const BUSY_STATUSES: ReadonlySet<number> = new Set([429, 503, 529])
/** Told to clients of a busy answer that carries no time of its own: without any, they come back at once. */
const DEFAULT_RETRY_AFTER_MS = 1000
/** The same where no short wait can help, such as a quota that is used up. */
const HOPELESS_RETRY_AFTER_MS = 60_000

/** What every answer of an exchange bears, as far as it is known now. */
export function exchangeHeaders(exchange: Exchange): Headers {
  const headers: Headers = []
  const { limiter } = exchange.parts
  headers.push(...limitHeaders(limiter.snapshot(exchange.request.key.index)))
  const target = exchange.routed?.target
  if (target !== undefined) {
    pushPrintable(headers, 'x-sluice-target', `${target.provider}/${target.model}`)
    headers.push(['x-sluice-attempts', String(exchange.attempts)])
  }
  if (exchange.dropped.length > 0) pushPrintable(headers, 'x-sluice-dropped', exchange.dropped.join(', '))
  return headers
}

/** Time the gateway itself took: all but the time between sending to the upstream and its last byte. Null before dispatch. */
export function overheadMs(exchange: Exchange, nowMs: number): number | null {
  const startedAtMs = exchange.upstreamStartedAtMs
  if (startedAtMs === null) return null
  const upstreamMs = (exchange.upstreamEndedAtMs ?? nowMs) - startedAtMs
  return Math.max(0, nowMs - exchange.request.acceptedAtMs - upstreamMs)
}

/** A whole successful answer. */
export function resultAnswer(exchange: Exchange, body: Uint8Array): Answer {
  const headers = exchangeHeaders(exchange)
  const overhead = overheadMs(exchange, exchange.parts.clock.nowMs())
  if (overhead !== null) headers.push(['x-sluice-overhead-ms', overhead.toFixed(3)])
  return { status: 200, headers, body, error: null }
}

/** A whole error answer in the surface's own envelope; in the plain one where the path is no surface's. */
export function errorAnswer(surface: Surface | null, error: ErrorData, requestId: string, headers: HeaderList): Answer {
  const { status, body } = surface === null ? plainError(error) : surface.encodeError(error, requestId)
  return { status, headers: [...headers, ...retryHeaders(error, status)], body: jsonBytes(body), error }
}

function plainError(error: ErrorData): { status: number; body: JsonObject } {
  const { code, message, param } = error
  return { status: error.status, body: { error: { message, type: code, param, code } } }
}

function retryHeaders(error: ErrorData, status: number): Headers {
  const fallbackMs = error.retryable ? DEFAULT_RETRY_AFTER_MS : HOPELESS_RETRY_AFTER_MS
  const ms = error.retryAfterMs ?? (BUSY_STATUSES.has(status) ? fallbackMs : null)
  if (ms === null) return []
  return [
    ['retry-after', String(Math.ceil(ms / 1000))],
    ['retry-after-ms', String(Math.ceil(ms))],
  ]
}

function jsonBytes(body: JsonObject): Uint8Array {
  return Buffer.from(JSON.stringify(body))
}

function pushPrintable(headers: Headers, name: string, value: string): void {
  if (PRINTABLE.test(value)) headers.push([name, value])
}
