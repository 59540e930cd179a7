// How an exchange fails: as an HTTP answer before the stream has begun, in-band afterwards. In one place, for all stages.
import { type GatewayError } from '../../errors.js'
import { limitHeaders } from '../../limit/headers.js'
import { type Rejection } from '../client.js'
import { type PipelineContext } from '../context.js'
import { type ExchangeView } from '../exchange.js'
import { outcomeOf } from '../outcome.js'
import { type Sink } from '../sink.js'
import { errorAnswer, exchangeHeaders, reply } from './answer.js'
import { followLog } from './begin-stream.js'
import { createRecord } from './record.js'
import { type RepeatedAnswers } from './repeated-answers.js'

/** Ends an exchange with an error; nothing if it has ended already. Never throws. */
export function fail(exchange: ExchangeView, error: GatewayError): void {
  if (exchange.isEnded) return
  const { data, cause } = error
  exchange.abortCall()
  const outcome = outcomeOf(data, exchange.isFollowed)
  if (exchange.hasBegun) {
    const { usage, usageSource } = exchange.current
    exchange.closeLog({ outcome, error: data, usage, usageSource, costNano: exchange.costNano }, cause)
    followLog(exchange)
    return
  }
  const { surface, requestId } = exchange.request
  const subject = { model: exchange.decoded?.facts.model ?? null, hasKey: true }
  const { errorDetails: hasDetails } = exchange.context.config.compat
  const traceId = exchange.trace?.traceId ?? null
  const context = { surface, requestId, subject, headers: exchangeHeaders(exchange), hasDetails, traceId }
  const answer = errorAnswer(data, context)
  const { refusalBody } = exchange.current
  const shown =
    refusalBody === null ? answer : { ...answer, status: data.upstreamStatus ?? answer.status, body: refusalBody }
  reply(exchange, shown, { outcome, cause })
}

const NO_HEADERS = Object.freeze({})

/** What answering and recording a rejection needs. */
export type RejectParts = { readonly context: PipelineContext; readonly answers: RepeatedAnswers }

/** Answers a request that never became an exchange: same envelope, same log line, same metric. */
export function reject(rejection: Rejection, sink: Sink, { context, answers }: RejectParts): void {
  const trace = context.tracer?.begin(rejection.parameterHeaders ?? NO_HEADERS) ?? null
  const { surface, error, requestId, key } = rejection
  const headers = key === null ? [] : limitHeaders(context.limiter.snapshot(key.index))
  const { errorDetails: hasDetails } = context.config.compat
  const subject = { model: null, hasKey: rejection.hasKey }
  const answer = answers.of(error.data, {
    surface,
    requestId,
    subject,
    headers,
    hasDetails,
    traceId: trace?.traceId ?? null,
  })
  sink.reply(answer)
  const { data, cause } = error
  const record = createRecord(rejection, {
    ending: {
      outcome: outcomeOf(data, false),
      status: answer.status,
      error: data,
      cause,
      responseBytes: answer.body.length,
    },
    transport: sink.transport,
    requestBytes: rejection.requestBytes,
    nowMs: context.clock.nowMs(),
    trace,
    exchange: null,
  })
  context.metrics.exchangeStarted()
  context.metrics.exchangeSettled(record)
  context.log.exchange(record)
}
