// The last stage, exactly once per exchange: gives back what was taken, counts, and writes the one log line.
import { type ErrorData } from '../model/error.js'
import { overheadMs } from './delivery/answer.js'
import { type Ending, type ExchangeView } from './exchange.js'
import { release } from './stages/admit.js'

/** Called by Exchange.settle alone. */
export function settle(exchange: ExchangeView, ending: Ending): void {
  const { metrics, log } = exchange.context
  const { usage } = exchange.current
  release(exchange, usage.inputTokens + usage.outputTokens)
  if (exchange.hasBegun) metrics.streamClosed(exchange.sink.transport)
  const record = recordOf(exchange, ending)
  metrics.exchangeSettled(record)
  log.exchange(record)
}

function recordOf(exchange: ExchangeView, ending: Ending) {
  const { request, sink, decoded, context } = exchange
  const { routed, usage, usageSource, firstTokenAtMs, dropped, upstreamRequestId, meter } = exchange.current
  const nowMs = context.clock.nowMs()
  return {
    requestId: request.requestId,
    surface: request.surface.id,
    transport: sink.transport,
    keyName: request.key.name,
    model: decoded?.facts.model ?? null,
    provider: routed?.target.provider ?? null,
    targetModel: routed?.target.model ?? null,
    outcome: ending.outcome,
    status: ending.status,
    error: ending.error satisfies ErrorData | null,
    cause: ending.cause,
    finish: meter?.finish ?? null,
    usage,
    usageSource,
    attempts: exchange.attempts,
    totalMs: nowMs - request.acceptedAtMs,
    timeToFirstTokenMs: firstTokenAtMs === null ? null : firstTokenAtMs - request.acceptedAtMs,
    overheadMs: overheadMs(exchange, nowMs),
    requestBytes: exchange.requestBytes,
    responseBytes: ending.responseBytes,
    dropped,
    origin: request.origin ?? null,
    tries: exchange.tries,
    upstreamRequestId,
  }
}
