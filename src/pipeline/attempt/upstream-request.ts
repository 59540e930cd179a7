// The request that an attempt passes to upstream/call, with the headers that may pass and the time limits that apply.
import { type Timeouts } from '../../config/types.js'
import { GatewayError } from '../../errors.js'
import { type Dialect, type RequestFacts } from '../../protocols/contract/protocol.js'
import { type EncodedBody } from '../../protocols/contract/request-task.js'
import { type RouteTarget } from '../../routing/router.js'
import { type MediaHeaders } from '../../upstream/auth.js'
import { type UpstreamRequest } from '../../upstream/call.js'
import { formType } from '../../wire/body/multipart.js'
import { type AcceptedRequest } from '../client.js'
import { pathBelow } from './raw-request.js'

export type Sending = {
  readonly request: AcceptedRequest
  readonly routed: RouteTarget
  readonly dialect: Dialect
  readonly encoded: EncodedBody
  /** A stream is requested from the upstream. */
  readonly isStream: boolean
  readonly facts: Pick<RequestFacts, 'raw' | 'endpoint'>
  /** Null where the upstream does not learn of the trace. */
  readonly traceHeaders: Readonly<Record<string, string>> | null
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({})

/** Parameter headers pass only to an upstream that speaks the client's own protocol. */
export function upstreamRequest(sending: Sending): UpstreamRequest {
  const { request, routed, dialect, encoded, isStream, facts, traceHeaders } = sending
  const { provider, target } = routed
  const isRaw = facts.raw !== undefined
  const isSameProtocol = isRaw || request.surface.id === target.protocol
  const { resource } = facts.endpoint ?? {}
  const callerKey = request.path?.provider === provider.name ? request.path.callerKey : null
  // Whatever routing has selected: the account of the operator's key is out of reach.
  if (resource !== undefined && callerKey === null) throw new GatewayError('internal')
  const parameters = isSameProtocol ? pick(request.parameterHeaders, dialect.parameterHeaders) : NO_HEADERS
  return {
    provider,
    method: resource?.method,
    path: isRaw ? pathBelow(provider.baseUrl, encoded.path) : encoded.path,
    headers: traceHeaders === null ? parameters : withTrace(parameters, traceHeaders),
    body: encoded.pieces ?? encoded.body,
    isStream,
    // Sent only to the provider that the path names, whatever routing has selected.
    callerKey,
    tenant: request.key.owner ?? '',
    media: mediaOf(facts),
  }
}

type HeaderMap = Readonly<Record<string, string>>

function withTrace(parameters: HeaderMap, traceHeaders: HeaderMap): HeaderMap {
  return Object.assign({}, parameters, traceHeaders)
}

/** Audio is neither JSON nor frames; a form is sent as one. */
function mediaOf({ endpoint }: Sending['facts']): MediaHeaders | null {
  const form = endpoint?.form
  if (endpoint === undefined || (form === undefined && !endpoint.asksStream)) return null
  return { accept: ANY, contentType: form === undefined ? null : formType(form.boundary) }
}

const ANY = '*/*'

/** A whole answer arrives at once, so only one time bounds it. `leftMs`: the rest of the client's own time limit. */
export function timeoutsFor(timeouts: Timeouts, isStream: boolean, leftMs: number): Timeouts {
  if (!isStream) {
    const totalMs = Math.min(timeouts.wholeMs ?? timeouts.totalMs, leftMs)
    return { connectMs: timeouts.connectMs, firstTokenMs: totalMs, betweenTokensMs: totalMs, totalMs }
  }
  return leftMs >= timeouts.totalMs ? timeouts : { ...timeouts, totalMs: leftMs }
}

/** Only the parameter headers that this dialect knows. */
function pick(headers: Readonly<Record<string, string>>, names: readonly string[]): Readonly<Record<string, string>> {
  if (names.length === 0) return NO_HEADERS
  return Object.fromEntries(Object.entries(headers).filter(([name]) => names.includes(name)))
}
