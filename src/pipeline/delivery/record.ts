// What the log and the metrics get of a request at its end, whether it became an exchange or was rejected before.

import { type ExchangeRecord, type RequestTrace, type Transport } from '../../telemetry/records.js'
import { connectMs, NO_ATTEMPT } from '../attempt-state.js'
import { type Rejection } from '../client.js'
import { type Ending, type ExchangeView } from '../exchange.js'
import { endUserOf } from '../spending/end-user.js'
import { overheadMs } from './answer.js'

/** The facts of a request that are recorded as received. */
export type Recorded = Pick<Rejection, 'requestId' | 'surface' | 'key' | 'acceptedAtMs' | 'origin'>

export type RecordParts = {
  readonly ending: Ending
  readonly transport: Transport
  readonly requestBytes: number
  /** The monotonic ms of the end. */
  readonly nowMs: number
  /** Null where traces are off. */
  readonly trace: RequestTrace | null
  /** Null for a request that never became an exchange. */
  readonly exchange: ExchangeView | null
}

/** The only place that creates a record: all have every field, in this order. */
export function createRecord(request: Recorded, parts: RecordParts): ExchangeRecord {
  const { ending, exchange, nowMs } = parts
  const attempt = exchange?.current ?? NO_ATTEMPT
  const target = attempt.routed?.target
  const { firstTokenAtMs } = attempt
  return {
    requestId: request.requestId,
    surface: request.surface?.id ?? NO_SURFACE,
    transport: parts.transport,
    keyName: request.key?.name ?? null,
    model: exchange?.decoded?.facts.model ?? null,
    endUser: exchange === null ? null : endUserOf(exchange),
    provider: target?.provider ?? null,
    targetModel: target?.model ?? null,
    outcome: ending.outcome,
    status: ending.status,
    error: ending.error,
    cause: ending.cause,
    finish: attempt.meter?.finish ?? null,
    usage: attempt.usage,
    usageSource: attempt.usageSource,
    attempts: exchange?.attempts ?? 0,
    costNano: exchange?.costNano ?? null,
    unpricedAttempts: exchange?.unpricedAttempts ?? 0,
    totalMs: nowMs - request.acceptedAtMs,
    timeToFirstTokenMs: firstTokenAtMs === null ? null : firstTokenAtMs - request.acceptedAtMs,
    overheadMs: exchange === null ? null : overheadMs(exchange, nowMs),
    queuedMs: exchange?.queuedMs ?? null,
    connectMs: connectMs(attempt),
    settleMs: attempt.endedAtMs === null ? null : Math.max(0, nowMs - attempt.endedAtMs),
    requestBytes: parts.requestBytes,
    responseBytes: ending.responseBytes,
    dropped: attempt.dropped,
    origin: request.origin ?? null,
    tries: exchange?.tries ?? null,
    trace: parts.trace,
    endpoint: exchange?.decoded?.facts.endpoint?.id ?? null,
    answerId: attempt.answerId,
    answerModel: attempt.answerModel,
    upstreamRequestId: attempt.upstreamRequestId,
    stream: exchange?.sink.streamId ?? null,
    shared: exchange?.shared ?? null,
    cancelledBy: exchange?.cancelledBy ?? null,
  }
}

/** For a path that belongs to no surface. */
const NO_SURFACE = 'other'
