// The last stage, exactly once per exchange: releases what was taken, counts, and writes the log line.

import { countExchange } from './delivery/count-spend.js'
import { createRecord } from './delivery/record.js'
import { type Ending, type ExchangeView } from './exchange.js'
import { release } from './stages/admit.js'

/** Called only by Exchange.settle. */
export function settle(exchange: ExchangeView, ending: Ending): void {
  const { request, sink, requestBytes, context } = exchange
  const { metrics, log, clock } = context
  const { usage } = exchange.current
  release(exchange, usage.inputTokens + usage.outputTokens)
  if (exchange.hasBegun) metrics.streamClosed(sink.transport)
  const { transport } = sink
  const record = createRecord(request, {
    ending,
    transport,
    requestBytes,
    nowMs: clock.nowMs(),
    trace: exchange.trace,
    exchange,
  })
  metrics.exchangeSettled(record)
  log.exchange(record)
  countExchange(exchange, record)
}
