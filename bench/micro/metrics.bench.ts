// How long does it take to record one thing? Beside it: the same count in prom-client's own counter.
import { Counter, Registry } from 'prom-client'
import { NO_USAGE } from '../../src/model/usage.js'
import { createMetricsCells } from '../../src/telemetry/metrics/cells.js'
import { createMetrics } from '../../src/telemetry/metrics/metrics.js'
import { type ExchangeRecord } from '../../src/telemetry/records.js'
import { measure, printTable } from './measure.js'

const config = {
  surfaces: ['chat'],
  providers: [{ name: 'north', knownModels: ['large'] }],
  models: [{ name: 'fast' }],
}
const metrics = createMetrics(config, createMetricsCells(config, 1), 0)
const slot = metrics.slot('chat', 'north', 'fast')
const labelNames = ['surface', 'model', 'provider', 'outcome', 'status'] as const
const counter = new Counter({ name: 'requests', help: 'requests', labelNames, registers: [new Registry()] })
const labels = { surface: 'chat', model: 'fast', provider: 'north', outcome: 'complete', status: 200 }
const record: ExchangeRecord = {
  requestId: 'r',
  surface: 'chat',
  transport: 'sse',
  keyName: null,
  endUser: null,
  model: 'fast',
  provider: 'north',
  targetModel: 'large',
  outcome: 'complete',
  status: 200,
  error: null,
  cause: null,
  usage: { ...NO_USAGE, inputTokens: 10, outputTokens: 20 },
  usageSource: 'provider',
  attempts: 1,
  costNano: null,
  unpricedAttempts: 0,
  totalMs: 900,
  timeToFirstTokenMs: 90,
  overheadMs: 0.2,
  queuedMs: null,
  connectMs: null,
  settleMs: null,
  requestBytes: 1,
  responseBytes: 1,
  dropped: [],
  finish: null,
  origin: null,
  tries: null,
  trace: null,
  endpoint: null,
  answerId: null,
  answerModel: null,
  upstreamRequestId: null,
  stream: null,
  shared: null,
  cancelledBy: null,
}

printTable('one record', [
  measure('interToken', () => metrics.interToken(slot, 0.03)),
  measure('slot', () => metrics.slot('chat', 'north', 'fast')),
  measure('upstreamAttempt', () => metrics.upstreamAttempt('north', 'ok')),
  measure('exchangeStarted + exchangeSettled', () => {
    metrics.exchangeStarted()
    metrics.exchangeSettled(record)
  }),
  measure('prom-client counter.inc(labels)', () => counter.inc(labels)),
])
