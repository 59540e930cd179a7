// Sends the request to its targets, one after the other, until one of them answers with content. What has reached the client
// is never sent twice: after the first content a failure is final and in-band.
import { GatewayError, toGatewayError } from '../errors.js'
import { type DecodedRequest } from '../protocols/codec.js'
import { type RouteTarget } from '../routing/router.js'
import { Attempt } from './attempt.js'
import { type Exchange } from './exchange.js'
import { routeRaw } from './raw-request.js'

const ANY_MODEL: readonly string[] = Object.freeze(['*'])

/**
 * Resolves when an answer has begun to reach the client, or has reached it whole.
 * @throws model_not_found, forbidden; else the error of the last target tried
 */
export async function dispatch(exchange: Exchange, decoded: DecodedRequest): Promise<void> {
  const { config, router, clock } = exchange.parts
  const { model, provider } = decoded.facts
  const allowed = config.keys[exchange.request.key.index]?.models ?? ANY_MODEL
  const { path } = exchange.request
  const query = { model, provider, allowed, random: clock.random }
  const isByPath = path !== undefined && path !== null && path.provider !== null
  const { raw } = decoded.facts
  const targets =
    raw === undefined
      ? router.route(isByPath ? { ...query, byPath: { hasKey: path.callerKey !== null } } : query)
      : routeRaw({ raw, query, router, dialects: exchange.parts.dialects })
  let failure: GatewayError | null = null
  for (const routed of targets) {
    try {
      await tryTarget(exchange, decoded, routed)
      exchange.forgetBody()
      return
    } catch (thrown) {
      failure = toGatewayError(thrown)
      if (exchange.isEnded || !failure.data.retryable) break
    }
  }
  throw failure ?? new GatewayError('model_not_found', { param: 'model' })
}

async function tryTarget(exchange: Exchange, decoded: DecodedRequest, routed: RouteTarget): Promise<void> {
  const { limiter, offload, metrics, dialects } = exchange.parts
  const { target, provider } = routed
  const dialect = dialects.get(target.protocol)
  if (dialect === undefined) throw new GatewayError('misconfigured', { message: `No dialect for ${provider.name}.` })
  if (!limiter.enterProvider(routed.providerIndex)) {
    metrics.limitRejection('provider', 'concurrency')
    throw new GatewayError('overloaded', { message: `Provider ${provider.name} is at its concurrency limit.` })
  }
  const attempt = new Attempt(exchange, routed, dialect)
  try {
    exchange.startAttempt(routed, metrics.slot(exchange.request.surface.id, provider.name, routed.label))
    const { surface } = exchange.request
    if (surface.upstreamFrames !== undefined) exchange.framing = dialect.framing
    // A client of another protocol gets its whole answer from a stream, aggregated: see relay-collect.ts.
    const { raw, stream } = decoded.facts
    const upstreamStreams = raw === undefined ? stream || surface.id !== target.protocol : raw.asksStream
    const encoding = offload.encode({
      surfaceId: surface.id,
      body: exchange.body,
      json: decoded.json,
      facts: decoded.facts,
      members: decoded.members,
      target,
      prompt: exchange.prompt,
      upstreamStream: upstreamStreams,
    })
    const encoded = encoding instanceof Promise ? await encoding : encoding
    if (exchange.isEnded) throw new GatewayError('client_gone')
    exchange.body = encoded.original
    exchange.dropped = encoded.dropped
    // Awaited here, so that whatever goes wrong the attempt is closed.
    await attempt.run(encoded, upstreamStreams)
  } catch (thrown) {
    attempt.close()
    throw thrown
  }
}
